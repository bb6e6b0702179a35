//! `exec` at a terminal, and what is left of it there.

use std::os::unix::process::CommandExt;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::exec::{exec, idle};
use crate::need_namespaces;
use crate::support::{Running, see, shell, skip, tiny_docker, wait_until};
use crate::terminal::terminal;
use crate::users::can_be_somebody_else;

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
fn it_reads_and_prints_at_a_terminal_that_it_does_not_have() {
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
    // All of it, to the last.
    assert_eq!(
        user.exp_string("code 5").unwrap().matches('x').count(),
        100_000
    );
}

#[test]
fn a_busy_process_that_is_left_behind_does_not_keep_it() {
    need_namespaces!();
    let container = idle(&[]);
    let mut user = terminal(&format!(
        "$TD exec {} sh -c 'yes & sleep 0.2; exit 6'; echo code $?",
        container.id
    ));
    user.exp_string("code 6").unwrap();
}

#[test]
fn whoever_it_runs_as_can_open_its_output_by_name() {
    need_namespaces!();
    if !can_be_somebody_else() {
        return skip("newuidmap, and a range of this user's in /etc/subuid");
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
    // The first as by Ctrl-Z, the second as by `kill -STOP`. A shell does that to a job.
    for (signal, command) in [(Signal::SIGTSTP, "stop -t 0"), (Signal::SIGSTOP, "rm -f")] {
        let container = idle(&[]);
        let arguments = [
            "exec",
            &container.id,
            "sh",
            "-c",
            "echo ready; exec sleep 1000",
        ];
        let mut command_line = tiny_docker(&arguments);
        let mut running = Running::start(command_line.process_group(0));
        std::io::Read::read_exact(running.0.stdout.as_mut().unwrap(), &mut [0; 5]).unwrap();
        kill(Pid::from_raw(-running.pid()), signal).unwrap();
        let stat = format!("/proc/{}/stat", running.pid());
        wait_until("it stopped", || {
            std::fs::read_to_string(&stat).unwrap().contains(") T ")
        });
        let seen = shell(&format!(
            "timeout -s KILL 30 $TD {command} {}",
            container.id
        ));
        assert_eq!((seen.code, seen.stderr.as_str()), (Some(0), ""), "{signal}");
        assert!(!see(&["ps"]).stdout.contains(&container.id));
        kill(Pid::from_raw(-running.pid()), Signal::SIGCONT).unwrap();
        assert_eq!(running.0.wait().unwrap().code(), Some(137));
    }
}
