//! A further process in a container.

use std::fs;
use std::process::{Command, Stdio};

use serde_json::json;

use crate::oci::container::{Container, need_root};
use crate::support::{Seen, wait_until};

#[test]
fn it_is_what_the_options_say_and_else_what_the_first_one_is() {
    need_root!();
    let mut container = Container::new();
    container.spec["process"]["env"] = json!(["PATH=/usr/bin:/bin", "A=1"]);
    container.start("true");
    let line =
        "echo $A $B $PWD; grep -E 'Cap(Eff|Bnd)' /proc/1/status | cmp - /proc/self/fd/3 3<<end
$(grep -E 'Cap(Eff|Bnd)' /proc/self/status)
end
exit 7";
    let options = ["--cwd", "/tmp", "--env", "B=2"];
    let seen = container.exec(&options, &["sh", "-c", line]);
    let expected = (Some(7), "1 2 /tmp\n");
    assert_eq!(
        (seen.code, seen.stdout.as_str()),
        expected,
        "{}",
        seen.stderr
    );
}

#[test]
fn another_user_has_another_home_unless_it_is_given() {
    need_root!();
    let mut container = Container::new();
    container.spec["process"]["env"] = json!(["PATH=/usr/bin:/bin", "HOME=/first"]);
    container.start("true");
    let home = |options: &[&str]| container.exec(options, &["sh", "-c", "echo $HOME"]).stdout;
    assert_eq!(home(&[]), "/first\n");
    assert_ne!(home(&["--user", "1"]), "/first\n");
    assert_eq!(home(&["--user", "1", "--env", "HOME=/given"]), "/given\n");
}

#[test]
fn another_user_does_not_get_roots_group() {
    need_root!();
    let mut container = Container::new();
    container.spec["process"]["user"] = json!({"uid": 0, "gid": 7});
    container.start("true");
    let ids = |user| {
        container
            .exec(&["--user", user], &["sh", "-c", "id -u; id -g"])
            .stdout
    };
    assert_eq!(ids("2"), "2\n7\n");
    assert_eq!(ids("2:3"), "2\n3\n");
}

/// Its caller does not know that it is there.
#[test]
fn without_its_pid_file_it_ends() {
    need_root!();
    let mut container = Container::new();
    container.start("true");
    let options = ["--detach", "--pid-file", "/no/such/directory/pid"];
    let line = "exec sleep 1000 >/dev/null 2>&1";
    let seen = container.exec(&options, &["sh", "-c", line]);
    assert_eq!(seen.code, Some(255));
    // That of the container itself is left.
    let line = "cat /proc/[0-9]*/comm | grep -c '^sleep$'";
    let seen = container.exec(&[], &["sh", "-c", line]);
    assert_eq!(seen.stdout, "1\n", "{}", seen.stderr);
}

/// Nobody waits for the other.
#[test]
fn a_hook_may_start_it() {
    need_root!();
    let mut container = Container::new();
    let (program, root) = (container.runc.path(), container.runc.root());
    let (program, root) = (program.display(), root.display());
    let line = format!(
        "{program} --root {root} exec {} touch /by-a-hook",
        container.id
    );
    container.spec["hooks"] = json!({"poststart": [{
        "path": "/bin/sh", "args": ["sh", "-c", line], "env": ["PATH=/usr/bin:/bin"], "timeout": 60,
    }]});
    container.start("true");
    assert!(
        container.ground.rootfs().join("by-a-hook").exists(),
        "{}",
        container.said()
    );
}

#[test]
fn it_is_in_all_of_the_containers_namespaces() {
    need_root!();
    let mut container = Container::new();
    container.start("true");
    let line = "for n in mnt pid net uts ipc; do \
        test /proc/1/ns/$n -ef /proc/self/ns/$n || echo not in its $n; done; echo there";
    let seen = container.exec(&[], &["sh", "-c", line]);
    assert_eq!(seen.stdout, "there\n", "{}", seen.stderr);
}

/// An engine says everything in a file. What it leaves out is no right to more.
#[test]
fn a_file_describes_it_and_gives_it_no_more_than_the_container_has() {
    need_root!();
    let mut container = Container::new();
    container.start("true");
    let file = container.ground.place("process.json");
    let grep =
        "echo $PWD $A; grep CapEff /proc/1/status /proc/self/status | cut -d: -f 3 | uniq | wc -l";
    let process = json!({
        "cwd": "/tmp", "args": ["sh", "-c", grep], "env": ["PATH=/usr/bin:/bin", "A=1"],
    });
    fs::write(&file, process.to_string()).unwrap();
    let words = ["exec", "--process", file.to_str().unwrap(), &container.id];
    let seen = container.runc.see(&words);
    assert_eq!(seen.stdout, "/tmp 1\n1\n", "{}", seen.stderr);
}

/// 1 would be the command's own.
#[test]
fn its_own_errors_are_255() {
    need_root!();
    let mut container = Container::new();
    container.start("true");
    let seen = container.exec(&[], &["no-such-command"]);
    assert_eq!(seen.code, Some(255));
    assert!(seen.stderr.contains("no-such-command"), "{}", seen.stderr);
    container.runc.see(&["kill", &container.id, "KILL"]);
    let state = || container.runc.see(&["state", &container.id]).stdout;
    wait_until("its end", || state().contains("stopped"));
    let seen = container.exec(&[], &["true"]);
    let expected = "tiny-runc: cannot exec in a stopped container\n";
    assert_eq!((seen.code, seen.stderr.as_str()), (Some(255), expected));
}

/// CVE-2016-9962: what comes in with something of the host open is a way out.
#[test]
fn nothing_that_the_caller_has_open_comes_in() {
    need_root!();
    let mut container = Container::new();
    container.start("true");
    let exec = container.runc.command(&["exec", &container.id]);
    let mut sh = Command::new("sh");
    sh.args([
        "-c",
        r#"exec "$@" ls /proc/self/fd 7</ 8</etc/passwd"#,
        "sh",
    ]);
    sh.arg(exec.get_program()).args(exec.get_args());
    let seen: Seen = sh.stdin(Stdio::null()).output().unwrap().into();
    assert_eq!(seen.stdout, "0\n1\n2\n3\n", "{}", seen.stderr);
}

#[test]
fn in_the_background_its_pid_is_in_a_file() {
    need_root!();
    let mut container = Container::new();
    container.start("true");
    let file = container.ground.place("pid");
    let words = ["exec", "-d", "--pid-file", file.to_str().unwrap()];
    let words = [&words[..], &[container.id.as_str(), "sleep", "1000"]].concat();
    let seen = container.runc.see_apart(&words);
    assert_eq!((seen.code, seen.stderr.as_str()), (Some(0), ""));
    let pid = fs::read_to_string(file).unwrap();
    let command = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap();
    assert_eq!(command, "sleep\x001000\0");
}
