//! The grader of this part's exercise. It fails until the exercise is solved, and says what is missing:
//!
//!     cargo test --test exercises -- --ignored ex1

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use nix::sched::{CloneFlags, unshare};
use nix::unistd::{getegid, geteuid};
use serde_json::{Value, json};
use tempfile::TempDir;

/// An ordinary user becomes root in a user namespace first.
fn as_root(command: &mut Command) -> &mut Command {
    let (uid, gid) = (geteuid(), getegid());
    if !uid.is_root() {
        let become_root = move || {
            unshare(CloneFlags::CLONE_NEWUSER)?;
            fs::write("/proc/self/setgroups", "deny")?;
            fs::write("/proc/self/uid_map", format!("0 {uid} 1"))?;
            fs::write("/proc/self/gid_map", format!("0 {gid} 1"))
        };
        // SAFETY: this test has several threads, but none of them is at work on what this uses.
        unsafe { command.pre_exec(become_root) };
    }
    command
}

/// A bundle, with a file `file` and a link `loop` that leads to itself.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        let place = Self(TempDir::new().unwrap());
        let path = place.0.path();
        symlink(env!("CARGO_BIN_EXE_tiny-docker"), path.join("tiny-runc")).unwrap();
        fs::create_dir(path.join("rootfs")).unwrap();
        fs::write(path.join("file"), "from the host\n").unwrap();
        symlink("loop", path.join("loop")).unwrap();
        // It is created, but never started, so this is enough of a program.
        fs::write(place.inside("program"), "").unwrap();
        fs::set_permissions(place.inside("program"), Permissions::from_mode(0o755)).unwrap();
        place
    }

    fn inside(&self, name: &str) -> PathBuf {
        self.0.path().join("rootfs").join(name)
    }

    /// Creates a container with a bind mount of `source` at /here, with these options. Returns what it says about that, if it
    /// fails, and otherwise what /here is in it.
    fn create(&self, source: &str, options: Value) -> Result<String, String> {
        let config = json!({
            "ociVersion": "1.2.1",
            "process": {
                "args": ["/program"], "cwd": "/", "user": {"uid": 0, "gid": 0}, "env": ["PATH=/"],
            },
            "root": {"path": "rootfs"}, "linux": {"namespaces": [{"type": "mount"}]},
            "mounts": [
                {"destination": "/here", "type": "bind", "source": source, "options": options},
                {"destination": "/after", "type": "bind", "source": "file", "options": ["bind"]},
            ],
        });
        fs::write(self.0.path().join("config.json"), config.to_string()).unwrap();
        let line = "runc() { ./tiny-runc --root root \"$@\"; }
            runc create --pid-file pid box >log 2>&1 || { cat log >&2; exit 1; }
            cat /proc/$(cat pid)/root/here 2>/dev/null; cat /proc/$(cat pid)/root/after
            runc delete --force box";
        let mut sh = Command::new("sh");
        sh.args(["-c", line])
            .current_dir(&self.0)
            .stdin(Stdio::null());
        let output = as_root(&mut sh).output().unwrap();
        let [stdout, stderr] =
            [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
        match output.status.success() {
            true => Ok(stdout),
            false => Err(stderr),
        }
    }
}

#[test]
#[ignore = "exercise 1: if it is there"]
fn ex1_a_source_that_is_missing_is_skipped() {
    let place = Place::new();
    let seen = place.create("missing", json!(["bind", "nofail"]));
    assert_eq!(
        seen,
        Ok("from the host\n".to_owned()),
        "/here is skipped, /after is not"
    );
    assert!(!place.inside("here").exists(), "its place has been created");
    let seen = place.create("missing/too", json!(["nofail", "rbind", "ro"]));
    assert_eq!(seen, Ok("from the host\n".to_owned()));
}

#[test]
#[ignore = "exercise 1: if it is there"]
fn ex1_a_source_that_is_there_is_mounted() {
    let seen = Place::new().create("file", json!(["bind", "nofail"]));
    assert_eq!(seen, Ok("from the host\nfrom the host\n".to_owned()));
}

#[test]
#[ignore = "exercise 1: if it is there"]
fn ex1_other_errors_remain() {
    for (source, options) in [
        ("missing", json!(["bind"])),
        ("loop", json!(["bind", "nofail"])),
        ("file/below", json!(["bind", "nofail"])),
    ] {
        let said = Place::new().create(source, options).unwrap_err();
        assert!(
            said.contains("mounts[0] (/here): source: cannot bind"),
            "{source}: {said}"
        );
    }
}
