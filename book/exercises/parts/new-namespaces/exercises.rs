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

/// What a user sees of a line of shell: its exit code, and what it prints.
fn see(line: &str, namespaces: &[&str]) -> (Option<i32>, String) {
    let place = TempDir::new().unwrap();
    let path = place.path();
    symlink(env!("CARGO_BIN_EXE_tiny-docker"), path.join("tiny-runc")).unwrap();
    // It is created, but never started, so this is enough of a program.
    fs::create_dir(path.join("rootfs")).unwrap();
    let program = path.join("rootfs/program");
    fs::write(&program, "").unwrap();
    fs::set_permissions(&program, Permissions::from_mode(0o755)).unwrap();
    let namespaces: Vec<_> = namespaces
        .iter()
        .map(|kind| json!({"type": kind}))
        .collect();
    let config = json!({
        "ociVersion": "1.2.1",
        "process": {
            "args": ["/program"], "cwd": "/", "user": {"uid": 0, "gid": 0}, "env": ["PATH=/"],
        },
        "root": {"path": "rootfs"}, "linux": {"namespaces": namespaces},
    });
    fs::write(path.join("config.json"), config.to_string()).unwrap();
    // All of it in one shell: another one might be in another user namespace.
    let line = format!(
        "runc() {{ ./tiny-runc --root root \"$@\"; }}; runc create box >log 2>&1 || {{ cat log; exit 99; }}
         {line}; code=$?; runc delete --force box; exit $code"
    );
    let mut sh = Command::new("sh");
    sh.args(["-c", &line])
        .current_dir(path)
        .stdin(Stdio::null());
    let output = as_root(&mut sh).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(text).unwrap())
}

#[test]
#[ignore = "exercise 1: which ones are new?"]
fn ex1_each_kind_has_a_line() {
    let all = ["pid", "network", "ipc", "uts", "mount"];
    let expected =
        "cgroup host\nipc new\nmnt new\nnet new\npid new\ntime host\nuser host\nuts new\n";
    let seen = see("runc namespaces box", &all);
    assert_eq!(seen, (Some(0), expected.to_owned()));
    let expected =
        "cgroup host\nipc host\nmnt new\nnet host\npid host\ntime host\nuser host\nuts host\n";
    let seen = see("runc namespaces box", &["mount"]);
    assert_eq!(seen, (Some(0), expected.to_owned()));
}

#[test]
#[ignore = "exercise 1: which ones are new?"]
fn ex1_a_container_that_has_stopped_has_none() {
    let line = "runc kill box KILL
        until runc state box | grep -q stopped; do sleep 0.1; done
        runc namespaces box";
    let shown = "tiny-runc: container box is not running\n";
    assert_eq!(see(line, &["mount"]), (Some(1), shown.to_owned()));
    let (code, text) = see("runc namespaces other", &["mount"]);
    let shown = "tiny-runc: container other does not exist\n";
    assert_eq!((code, text.as_str()), (Some(1), shown));
}
