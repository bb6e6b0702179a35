//! The grader of this part's exercise. It fails until the exercise is solved, and says what is missing:
//!
//!     cargo test --test exercises -- --ignored ex1

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::{Command, Stdio, id};

use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use serde_json::{Value, json};
use tempfile::TempDir;

/// A bundle with an empty root filesystem, in a user namespace that `unshare` creates: its program is not found.
struct Bundle(TempDir);

impl Bundle {
    fn new() -> Self {
        let bundle = Self(TempDir::new().unwrap());
        symlink(env!("CARGO_BIN_EXE_tiny-docker"), bundle.place("tiny-runc")).unwrap();
        fs::create_dir(bundle.place("rootfs")).unwrap();
        bundle.see(&["spec", "--rootless", "--bundle"], false);
        bundle
    }

    fn place(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// What `tiny-runc ARGUMENTS… BUNDLE` says.
    fn see(&self, arguments: &[&str], named: bool) -> String {
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user"]);
        command.arg(self.place("tiny-runc"));
        command.arg("--root").arg(self.place("state"));
        command.args(arguments).arg(self.0.path());
        if named {
            command.arg(format!("grader-{}", id()));
        }
        let output = command.stdin(Stdio::null()).output();
        let output = output.expect("the grader needs unshare, of util-linux");
        String::from_utf8(output.stderr).unwrap()
    }

    /// What `run` says if the user namespace is the one at `path`.
    fn joining(&self, path: &str) -> String {
        let file = self.place("config.json");
        let mut spec: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
        spec["process"]["terminal"] = false.into();
        spec["process"]["args"] = json!(["/no/such/program"]);
        let linux = spec["linux"].as_object_mut().unwrap();
        linux.remove("uidMappings");
        linux.remove("gidMappings");
        let namespaces = linux["namespaces"].as_array_mut().unwrap();
        namespaces.retain(|namespace| namespace["type"] != "user");
        namespaces.push(json!({"type": "user", "path": path}));
        fs::write(file, spec.to_string()).unwrap();
        self.see(&["run", "--bundle"], true)
    }
}

const STARTED: &str = "/no/such/program";

#[test]
#[ignore = "exercise 1: where we are already"]
fn ex1_the_user_namespace_that_we_are_in_is_left_out() {
    let bundle = Bundle::new();
    let said = bundle.joining("/proc/self/ns/user");
    assert!(said.contains(STARTED), "/proc/self/ns/user: {said}");
}

#[test]
#[ignore = "exercise 1: where we are already"]
fn ex1_a_link_to_it_is_a_path_to_it() {
    let bundle = Bundle::new();
    let link = bundle.place("link");
    symlink("/proc/self/ns/user", &link).unwrap();
    let said = bundle.joining(link.to_str().unwrap());
    assert!(said.contains(STARTED), "a link to it: {said}");
}

#[test]
#[ignore = "exercise 1: where we are already"]
fn ex1_other_files_are_still_refused() {
    let bundle = Bundle::new();
    let said = bundle.joining("/proc/self/ns/user");
    assert!(said.contains(STARTED), "/proc/self/ns/user: {said}");
    let fifo = bundle.place("fifo");
    mkfifo(&fifo, Mode::S_IRWXU).unwrap();
    for path in [fifo.to_str().unwrap(), "/proc/self/ns/uts"] {
        let said = bundle.joining(path);
        assert!(said.contains("it is not a namespace"), "{path}: {said}");
    }
}
