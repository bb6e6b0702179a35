//! Attacks, which were found in runc and its like, or here: by what the caller has open, and by another user of the host.

mod inside;

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::oci::container::{Container, need_root};
use crate::support::Seen;

/// What is open of the host while a container waits could be used by the first that may trace it: CVE-2016-9962.
#[test]
fn a_created_container_has_nothing_of_the_host_open() {
    need_root!();
    let container = Container::new();
    let mut create = container.command("create", &[]);
    create.stdout(Stdio::null()).stderr(Stdio::null());
    assert!(create.status().unwrap().success());
    let state = container.runc.see(&["state", &container.id]).stdout;
    let state: Value = serde_json::from_str(&state).unwrap();
    let open = fs::read_dir(format!("/proc/{}/fd", state["pid"])).unwrap();
    let open = open
        .flatten()
        .map(|entry| fs::read_link(entry.path()).unwrap());
    let mut open: Vec<_> = open.map(|link| link.display().to_string()).collect();
    open.sort();
    let gate = container.runc.root().join(&container.id).join("exec.fifo");
    let gate = gate.display().to_string();
    assert_eq!(open.len(), 5, "{open:?}");
    assert!(open.contains(&gate), "{open:?}");
    let null = open.iter().filter(|link| *link == "/dev/null").count();
    assert_eq!(null, 3, "{open:?}");
    assert!(
        open.iter().any(|link| link.starts_with("socket:")),
        "{open:?}"
    );
}

/// A directory that the caller has open would be a way out.
#[test]
fn no_directory_is_passed_on() {
    need_root!();
    let mut container = Container::new();
    container.runs("ls /proc/self/fd/3");
    let run = container.command("run", &["--preserve-fds", "1"]);
    let mut sh = Command::new("sh");
    sh.args(["-c", r#"exec "$@" 3</"#, "sh"]);
    sh.arg(run.get_program()).args(run.get_args());
    let seen: Seen = sh.stdin(Stdio::null()).output().unwrap().into();
    let shown = "tiny-runc: --preserve-fds: descriptor 3 is a directory on the host\n";
    assert_eq!((seen.code, seen.stderr.as_str()), (Some(1), shown));
}

/// What systemd has passed to another process is not ours to pass on: sd_listen_fds(3).
#[test]
fn descriptors_for_another_process_are_not_passed_on() {
    need_root!();
    let mut container = Container::new();
    container.runs("echo $LISTEN_FDS; cat <&3");
    for pid in [None, Some("1")] {
        let run = container.command("run", &[]);
        let mut sh = Command::new("sh");
        let secret = container.ground.host().join("secret");
        sh.args(["-c", r#"exec 3<"$0"; exec "$@""#]).arg(secret);
        sh.arg(run.get_program()).args(run.get_args());
        sh.env("LISTEN_FDS", "1")
            .envs(pid.map(|pid| ("LISTEN_PID", pid)));
        let seen: Seen = sh.stdin(Stdio::null()).output().unwrap().into();
        assert_eq!(seen.stdout, "\n", "{}", seen.stderr);
    }
}

/// In a directory such as /tmp, others can guess the name of the temporary file.
#[test]
fn a_pid_file_does_not_follow_a_planted_link() {
    need_root!();
    let container = Container::new();
    let (secret, file) = (
        container.ground.host().join("secret"),
        container.ground.place("pid"),
    );
    symlink(&secret, container.ground.place(".pid")).unwrap();
    let mut create = container.command("create", &["--pid-file", file.to_str().unwrap()]);
    create.stdout(Stdio::null()).stderr(Stdio::null());
    assert!(!create.status().unwrap().success());
    assert_eq!(fs::read_to_string(secret).unwrap(), "the host's\n");
    assert!(!file.exists());
}

/// Who can write to a state decides which processes we signal.
#[test]
fn a_root_that_others_can_change_is_refused() {
    need_root!();
    let container = Container::new();
    let root = container.runc.root();
    fs::create_dir_all(&root).unwrap();
    for (changed, problem) in [
        (root.as_path(), "other users can write to it"),
        (root.parent().unwrap(), "can be changed by other users"),
    ] {
        let mode = |mode| fs::set_permissions(changed, Permissions::from_mode(mode)).unwrap();
        mode(0o777);
        let seen: Seen = container.command("run", &[]).output().unwrap().into();
        mode(0o700);
        assert_eq!(seen.code, Some(1));
        assert!(seen.stderr.contains(problem), "{}", seen.stderr);
    }
}
