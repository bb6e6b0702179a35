//! What `run` makes of a configuration, and what it refuses.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use nix::sys::stat::Mode;
use nix::unistd::{geteuid, mkfifo};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::need_cgroups;
use crate::oci::TinyRunc;
use crate::support::{Seen, leave_to, state};

/// A bundle with a configuration as small as can be.
pub struct Bundle {
    pub runc: TinyRunc,
    own: TempDir,
    pub config: Value,
}

impl Bundle {
    pub fn new() -> Self {
        let own = TempDir::new().unwrap();
        fs::create_dir(own.path().join("rootfs")).unwrap();
        let process = json!({"args": ["true"], "env": ["PATH=/usr/bin:/bin"], "cwd": "/"});
        let config = json!({"ociVersion": "1.0.0", "process": process, "root": {"path": "rootfs"}});
        Self {
            runc: TinyRunc::new(),
            own,
            config,
        }
    }

    /// Another configuration: the value of a field, as a JSON pointer.
    fn with(field: &str, value: Value) -> Self {
        let mut bundle = Self::new();
        let (parent, name) = field.rsplit_once('/').unwrap();
        bundle.config.pointer_mut(parent).unwrap()[name] = value;
        bundle
    }

    fn file(&self) -> PathBuf {
        self.own.path().join("config.json")
    }

    pub fn run(&self) -> Seen {
        self.write();
        self.run_as_it_is()
    }

    pub fn write(&self) {
        fs::write(self.file(), self.config.to_string()).unwrap();
    }

    fn run_as_it_is(&self) -> Seen {
        let words = self.words(&[]);
        let words: Vec<_> = words.iter().map(String::as_str).collect();
        self.runc.see(&words)
    }

    /// `run OPTIONS…`, with an id, if this part's `run` expects one.
    pub fn words(&self, options: &[&str]) -> Vec<String> {
        let bundle = self.own.path().to_str().unwrap();
        let help = self.runc.see(&["run", "--help"]).stdout;
        let id = help.contains("<ID>").then(|| self.id());
        let words = [&["run", "--bundle", bundle], options].concat();
        let words = words.into_iter().map(str::to_owned);
        words.chain(id).collect()
    }

    pub fn id(&self) -> String {
        let name = self.own.path().file_name().unwrap();
        format!("bundle-{}", name.to_str().unwrap().trim_start_matches('.'))
    }

    /// For commands in the default root filesystem.
    pub fn with_programs() -> Self {
        let mut bundle = Self::new();
        bundle.config["root"]["path"] = json!(state().join("rootfs/default"));
        bundle
    }

    /// The command is a line of shell.
    pub fn shell(&mut self, line: &str) {
        self.config["process"]["args"] = json!(["sh", "-c", line]);
    }

    /// What is wrong, without the name of the file.
    fn refusal(&self) -> String {
        refusal(&self.run(), &self.file())
    }
}

fn refusal(seen: &Seen, file: &std::path::Path) -> String {
    assert_eq!(
        (seen.code, seen.stdout.as_str()),
        (Some(1), ""),
        "{}",
        seen.stderr
    );
    let text = seen.stderr.replace(&file.display().to_string(), "FILE");
    let reason = text.strip_prefix("tiny-runc: ");
    reason
        .unwrap_or_else(|| panic!("{text}"))
        .trim_end()
        .to_owned()
}

#[test]
fn what_is_not_done_is_refused_by_its_name() {
    for field in ["intelRdt", "netDevices"] {
        let asks = json!({field: {"any": {"thing": 1}}});
        let refused = Bundle::with("/linux", asks).refusal();
        assert_eq!(refused, format!("FILE: linux.{field} is not supported"));
    }
}

#[test]
fn a_wrong_type_is_refused_by_the_name_of_the_field() {
    for (field, value, expected) in [
        (
            "/ociVersion",
            json!(1),
            "ociVersion: invalid type: integer `1`",
        ),
        (
            "/root/path",
            json!(5),
            "root.path: invalid type: integer `5`",
        ),
        (
            "/process/args",
            json!(["a", 5]),
            "process.args[1]: invalid type",
        ),
        (
            "/annotations",
            json!({"a": "b", "c": 1}),
            "annotations.c: invalid type",
        ),
    ] {
        let refused = Bundle::with(field, value).refusal();
        let expected = format!("FILE does not follow the specification: {expected}");
        assert!(refused.starts_with(&expected), "{refused}");
    }
}

#[test]
fn what_makes_no_sense_is_refused() {
    for (field, value, expected) in [
        (
            "/ociVersion",
            json!("2.0.0"),
            "FILE: ociVersion: \"2.0.0\" is not 1.x.y",
        ),
        (
            "/process/args",
            json!([]),
            "FILE: process.args must not be empty",
        ),
        (
            "/process/args",
            json!(["a\0b"]),
            "FILE: process.args and process.env must not contain a NUL",
        ),
        (
            "/process/env",
            json!(["A"]),
            "FILE: process.env: \"A\" is not NAME=VALUE",
        ),
        (
            "/process/cwd",
            json!("tmp"),
            "FILE: process.cwd: \"tmp\" is not an absolute path",
        ),
        ("/root/path", json!(""), "root.path must not be empty"),
        (
            "/root/path",
            json!("/dev/null"),
            "root.path: /dev/null is not a directory",
        ),
    ] {
        assert_eq!(Bundle::with(field, value).refusal(), expected);
    }
    let refused = Bundle::with("/root/path", json!("nowhere")).refusal();
    assert!(refused.starts_with("root.path: cannot open "), "{refused}");
    assert!(
        refused.ends_with("nowhere: no such file or directory"),
        "{refused}"
    );
}

#[test]
fn a_configuration_that_cannot_be_read_keeps_nobody_waiting() {
    let bundle = Bundle::new();
    let file = bundle.file();
    let refused = || refusal(&bundle.run_as_it_is(), &file);
    assert_eq!(refused(), "cannot read FILE: no such file or directory");
    mkfifo(&file, Mode::S_IRWXU).unwrap();
    assert_eq!(refused(), "cannot read FILE: it is not a regular file");
    fs::remove_file(&file).unwrap();
    symlink("/dev/zero", &file).unwrap();
    assert_eq!(refused(), "cannot read FILE: it is not a regular file");
    fs::remove_file(&file).unwrap();
    fs::write(&file, vec![b' '; (16 << 20) + 1]).unwrap();
    assert_eq!(
        refused(),
        "cannot read FILE: it has more than 16777216 bytes"
    );
    fs::write(&file, "{").unwrap();
    assert!(
        refused().starts_with("FILE is not JSON: EOF"),
        "{}",
        refused()
    );
    fs::write(&file, vec![b'['; 100_000]).unwrap();
    assert!(refused().starts_with("FILE is not JSON: recursion limit"));
    fs::write(&file, "[]").unwrap();
    assert!(refused().ends_with(": it is not an object"));
}

#[test]
fn the_command_gets_what_the_configuration_says() {
    need_cgroups!();
    if !geteuid().is_root() {
        return leave_to("root");
    }
    let mut bundle = Bundle::with_programs();
    // Nobody has to know each field, but a value that asks for nothing is understood.
    bundle.config["surprise"] = json!({"any": "thing"});
    bundle.config["hostname"] = json!("");
    bundle.config["process"]["env"] = json!(["PATH=/usr/bin:/bin", "A=1", "A=2", "HOME="]);
    bundle.config["process"]["cwd"] = json!("/usr");
    bundle.shell("env | grep ^A=; echo $HOME $PWD; exit 7");
    let seen = bundle.run();
    let expected = (Some(7), "A=2\n/root /usr\n", "");
    assert_eq!((seen.code, &seen.stdout[..], &seen.stderr[..]), expected);
    let mut refused = |field: &str, value: Value| {
        bundle.config["process"][field] = value;
        bundle.refusal()
    };
    let reason = refused("args", json!(["/etc/hosts"]));
    assert!(reason.ends_with(": permission denied"), "{reason}");
    let reason = refused("args", json!(["no-such-command"]));
    assert!(
        reason.ends_with(": executable file not found in $PATH"),
        "{reason}"
    );
    let reason = refused("cwd", json!("/no/such/place"));
    assert!(reason.contains("process.cwd"), "{reason}");
}
