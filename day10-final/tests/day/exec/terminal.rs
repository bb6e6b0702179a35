//! `exec` at a terminal, and what it leaves there.

use std::io::Read;
use std::os::unix::process::CommandExt;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::exec::{exec, idle};
use crate::need_namespaces;
use crate::privileges::users::can_be_somebody_else;
use crate::support::{Running, see, shell, skip, tiny_docker, wait_until};
use crate::terminal::{bash, leave, press_until_prompt, terminal};

/// Each of these would read the terminal, if it had one.
const READERS: &str = "exec 3<&0; for fd in 3 1 2; do (read word <&$fd; echo got $word >>/tmp/said) & done; echo left";

#[test]
fn a_process_that_is_left_behind_reads_nothing_that_is_typed_later() {
    need_namespaces!();
    for options in ["", "-i"] {
        let container = idle(&[]);
        let mut user = terminal(&format!(
            "$TD exec {options} {} sh -c '{READERS}'; read word; echo host got $word",
            container.id
        ));
        user.exp_string("left").unwrap();
        user.send_line("password").unwrap();
        user.exp_string("host got password").unwrap();
        let said = || exec(&container, &["ID", "cat", "/tmp/said"]).stdout;
        wait_until("all three", || said().lines().count() == 3);
        assert_eq!(said(), "got\n".repeat(3), "{options}");
    }
}

#[test]
fn it_uses_a_terminal_that_it_does_not_have() {
    need_namespaces!();
    let container = idle(&[]);
    let script = "test -t 0 || test -t 1 || test -t 2 || echo none; read word; echo 1 $word; echo 2 $word >&2; \
        echo 3 $word; cat; yes x | head -c 200000; exit 5";
    let mut user = terminal(&format!(
        "$TD exec -i {} sh -c \"{}\"; echo code $?",
        container.id,
        script.replace('$', "\\$")
    ));
    user.exp_string("none").unwrap();
    user.send_line("typed").unwrap();
    user.exp_string("1 typed\r\n2 typed\r\n3 typed\r\n")
        .unwrap();
    user.send_control('d').unwrap();
    // All of it, to the last line.
    assert_eq!(
        user.exp_string("code 5").unwrap().matches('x').count(),
        100_000
    );
}

#[test]
fn a_busy_process_that_is_left_behind_does_not_hold_it_up() {
    need_namespaces!();
    let container = idle(&[]);
    let mut user = terminal(&format!(
        "$TD exec {} sh -c 'yes & sleep 0.2; exit 6'; echo code $?",
        container.id
    ));
    user.exp_string("code 6").unwrap();
}

#[test]
fn any_user_can_open_their_output_by_name() {
    need_namespaces!();
    if !can_be_somebody_else() {
        return skip("newuidmap, and a range of ids for this user in /etc/subuid");
    }
    let container = idle(&[]);
    let mut user = terminal(&format!(
        "$TD exec -u nobody {} sh -c 'echo by name >/dev/stdout'; echo code $?",
        container.id
    ));
    user.exp_string("by name\r\ncode 0").unwrap();
}

#[test]
fn a_stopped_exec_does_not_keep_its_container_from_ending() {
    need_namespaces!();
    let container = idle(&[]);
    let arguments = [
        "exec",
        &container.id,
        "sh",
        "-c",
        "echo ready; exec sleep 1000",
    ];
    let mut running = Running::start(tiny_docker(&arguments).process_group(0));
    let output = running.0.stdout.as_mut().unwrap();
    output.read_exact(&mut [0; 5]).unwrap();
    // Like `kill -STOP %1` in a shell: the entire job.
    kill(Pid::from_raw(-running.pid()), Signal::SIGSTOP).unwrap();
    let seen = shell(&format!(
        "timeout -s KILL 30 $TD stop -t 0 {}",
        container.id
    ));
    assert_eq!((seen.code, seen.stderr.as_str()), (Some(0), ""));
    assert!(!see(&["ps"]).stdout.contains(&container.id));
    kill(Pid::from_raw(-running.pid()), Signal::SIGCONT).unwrap();
    assert_eq!(running.0.wait().unwrap().code(), Some(137));
}

#[test]
fn ctrl_z_stops_exec_but_not_the_end_of_its_container() {
    need_namespaces!();
    let container = idle(&[]);
    let mut user = bash();
    user.send_line(&format!(
        "$TD exec {} sh -c 'echo re''ady; sleep 1000'",
        container.id
    ))
    .unwrap();
    user.exp_string("ready").unwrap();
    press_until_prompt(&mut user, 'z');
    user.send_line("jobs").unwrap();
    user.exp_string("Stopped").unwrap();
    let seen = shell(&format!("timeout -s KILL 30 $TD rm -f {}", container.id));
    assert_eq!((seen.code, seen.stderr.as_str()), (Some(0), ""));
    user.send_line("fg; echo code $?").unwrap();
    user.exp_string("code 137").unwrap();
    leave(user);
}
