//! The grader of this part's exercise. It fails until the exercise is solved, and says what is missing:
//!
//!     cargo test --test exercises -- --ignored ex1

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use nix::sched::{CloneFlags, unshare};
use nix::unistd::{getegid, geteuid};
use serde_json::json;
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

/// Copies a directory up, in which `prepare`, a line of shell, has made something. Returns each name with its time, before
/// and in the container.
fn times(prepare: &str) -> [String; 2] {
    let place = TempDir::new().unwrap();
    let path = place.path();
    symlink(env!("CARGO_BIN_EXE_tiny-docker"), path.join("tiny-runc")).unwrap();
    fs::create_dir_all(path.join("rootfs/data")).unwrap();
    // It is created, but never started, so this is enough of a program.
    let program = path.join("rootfs/program");
    fs::write(&program, "").unwrap();
    fs::set_permissions(&program, Permissions::from_mode(0o755)).unwrap();
    let config = json!({
        "ociVersion": "1.2.1",
        "process": {
            "args": ["/program"], "cwd": "/", "user": {"uid": 0, "gid": 0}, "env": ["PATH=/"],
        },
        "root": {"path": "rootfs"}, "linux": {"namespaces": [{"type": "mount"}]},
        "mounts": [{
            "destination": "/data", "type": "tmpfs", "source": "tmpfs", "options": ["tmpcopyup"],
        }],
    });
    fs::write(path.join("config.json"), config.to_string()).unwrap();
    let line = format!(
        "(cd rootfs/data; {prepare}) || exit
        list() {{ find \"$1/\" -mindepth 1 -printf '%P %T@\\n' | sort; }}
        runc() {{ ./tiny-runc --root root \"$@\"; }}
        runc create --pid-file pid box >log 2>&1 || {{ cat log >&2; exit 1; }}
        list rootfs/data >before; list /proc/$(cat pid)/root/data >after
        runc delete --force box"
    );
    let mut sh = Command::new("sh");
    sh.args(["-c", &line])
        .current_dir(path)
        .stdin(Stdio::null());
    let output = as_root(&mut sh).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "no container is created: {said}");
    ["before", "after"].map(|name| fs::read_to_string(path.join(name)).unwrap())
}

#[test]
#[ignore = "exercise 1: as old as they were"]
fn ex1_files_and_directories_are_as_old_as_they_were() {
    let [before, after] = times(
        "mkdir -p deep/deeper; echo text >deep/file; echo text >deep/deeper/file
        touch -d '2001-02-03 04:05:06.123456789' deep/file deep/deeper/file
        touch -d '2002-03-04 05:06:07.000000008' deep/deeper; touch -d '1969-01-01' deep",
    );
    assert_eq!(after, before, "left: in the container, right: before");
}

#[test]
#[ignore = "exercise 1: as old as they were"]
fn ex1_a_link_has_a_time_of_its_own() {
    let [before, after] = times(
        "echo text >file; ln -s file link; ln -s /no/such/file nowhere
        touch -d '2001-02-03 04:05:06.5' file; touch -h -d '2002-03-04 05:06:07.5' link nowhere",
    );
    assert_eq!(after, before, "left: in the container, right: before");
}
