//! At a real terminal, like a user.

use std::fs::OpenOptions;
use std::iter;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::pty::{posix_openpt, ptsname_r, unlockpt};
use nix::unistd::setsid;
use rexpect::session::{PtySession, spawn_command};

use crate::lifetime::Leased;
use crate::need_namespaces;
use crate::support::{Running, TINY_DOCKER, processes_with, see, shell, skip, state, wait_until};

/// A terminal in which the shell `script` runs, with `$TD` for the program under test.
fn terminal(script: &str) -> PtySession {
    let mut sh = Command::new("sh");
    sh.args(["-c", script]).env("TD", TINY_DOCKER);
    sh.env("TINY_DOCKER_ROOT", state());
    spawn_command(sh, Some(60_000)).unwrap()
}

/// Presses Ctrl and `key`, and once more if that is lost: on a busy machine, a shell may be between two jobs.
fn press_until_prompt(user: &mut PtySession, key: char) {
    let mut seen = String::new();
    for _ in 0..20 {
        user.send_control(key).unwrap();
        let press = Instant::now();
        while press.elapsed() < Duration::from_secs(3) {
            seen.extend(iter::from_fn(|| user.try_read()));
            if seen.contains("# ") {
                return;
            }
            sleep(Duration::from_millis(10));
        }
    }
    panic!("no prompt after Ctrl-{key}, but {seen:?}");
}

/// Types into `shell` in a container, as a user would.
fn try_out(shell: &str) {
    let mut user = terminal(&format!("$TD run {shell}; echo exit code $?"));
    user.exp_string("# ").unwrap();
    user.send_line("echo $((20 + 22)) $0").unwrap();
    let said = user.exp_string("42").unwrap();
    assert!(
        !said.contains("job control") && !said.contains("tty"),
        "{said}"
    );

    // Ctrl-C ends what is in the foreground, and neither the shell nor the runtime. By the time a program says that
    // it has started, it is in the foreground.
    user.send_line("sh -c 'echo started; sleep 1000'").unwrap();
    user.exp_string("started\r\n").unwrap();
    press_until_prompt(&mut user, 'c');

    user.send_line("exit 3").unwrap();
    let said = user.exp_string("exit code 3").unwrap();
    assert!(!said.contains("tty"), "{said}");
}

#[test]
fn sh_has_job_control_and_passes_its_exit_code_on() {
    need_namespaces!();
    try_out("sh");
}

#[test]
fn bash_has_job_control_and_passes_its_exit_code_on() {
    need_namespaces!();
    try_out("bash --norc");
}

#[test]
fn afterwards_the_terminal_is_as_it_was() {
    need_namespaces!();
    let mut user = terminal(
        "before=$(stty -g); $TD run sh -c 'stty raw -echo; exit 4'; echo code $?
         test \"$before\" = \"$(stty -g)\" && echo same settings
         read word && echo got $word",
    );
    user.exp_string("code 4").unwrap();
    user.exp_string("same settings").unwrap();
    // Only the foreground may read, so the shell has it back.
    user.send_line("something").unwrap();
    user.exp_string("got something").unwrap();
}

#[test]
fn if_the_output_goes_into_a_pipe_the_pipe_keeps_the_terminal() {
    need_namespaces!();
    let mut user = terminal(
        "$TD run sh -c 'echo from inside; sleep 0.2' | (read a; read b </dev/tty; echo $a $b)",
    );
    user.send_line("from the keyboard").unwrap();
    user.exp_string("from inside from the keyboard").unwrap();
}

#[test]
fn ctrl_c_reaches_the_command_once() {
    need_namespaces!();
    if see(&["run", "perl", "-e", "1"]).code != Some(0) {
        return skip("perl: sudo apt install perl");
    }
    // Unlike a shell, perl counts signals that come one right after another.
    let script =
        "$| = 1; $SIG{INT} = sub { print qq(caught\\n) }; print qq(ready\\n); sleep 1 for 1..3";
    for pipe in ["", "| (trap '' INT; cat)", "</dev/null"] {
        let mut user = terminal(&format!(
            "trap : INT; $TD run perl -e '{script}' {pipe}; echo over"
        ));
        user.exp_string("ready").unwrap();
        user.send_control('c').unwrap();
        let said = user.exp_string("over").unwrap();
        assert_eq!(said.matches("caught").count(), 1, "{pipe}: {said}");
    }
}

#[test]
fn ctrl_c_ends_it_while_the_command_does_not_start() {
    need_namespaces!();
    let leased = Leased::new("sleep");
    let mut user = terminal(&format!("$TD {} 1; echo code $?", leased.run));
    user.exp_string("waiting for the command to start").unwrap();
    let start = Instant::now();
    user.send_control('c').unwrap();
    user.exp_string("code 130").unwrap();
    assert!(start.elapsed() < Duration::from_secs(20));
}

#[test]
fn a_terminal_that_is_closed_ends_the_container() {
    need_namespaces!();
    // The runtime leads the session, as after `ssh -t`. PID 1 is deaf to SIGHUP.
    for (number, pipe) in ["", "</dev/null"].into_iter().enumerate() {
        let time = format!("1000.{}{number}", std::process::id());
        let script = "exec env --default-signal=HUP $TD run sleep";
        let closed = in_a_terminal(&format!("{script} {time} {pipe}"), || {
            wait_until("it sleep", || {
                let all = processes_with(&time).into_iter();
                let comm = |pid| std::fs::read_to_string(format!("/proc/{pid}/comm"));
                all.filter_map(|pid| comm(pid).ok())
                    .any(|name| name == "sleep\n")
            });
        });
        wait_until("it end", || processes_with(&time).is_empty());
        drop(closed);
    }
}

#[test]
fn a_command_under_nohup_ignores_sighup() {
    need_namespaces!();
    let script = "env --ignore-signal=HUP $TD run sh -c \"sh -c 'kill -HUP \\$\\$; echo alive'\"";
    assert_eq!(shell(script).stdout, "alive\n");
}

#[test]
fn in_the_background_it_leaves_the_terminal_alone() {
    need_namespaces!();
    let time = format!("1000.{}9", std::process::id());
    let mut user = terminal(&format!(
        "set -m; $TD run sh -c 'sleep {time} & echo started; wait' & read one; read two; echo got $two; kill -KILL $!"
    ));
    user.exp_string("started\r\n").unwrap();
    user.send_line("one").unwrap();
    // Only the foreground may begin to read.
    user.send_line("two").unwrap();
    user.exp_string("got two").unwrap();
    user.exp_eof().unwrap();
    wait_until("it end", || processes_with(&time).is_empty());
}

#[test]
fn ctrl_z_is_of_no_use_before_day_10() {
    need_namespaces!();
    let mut user = terminal("$TD run sh -c 'echo started; sleep 1; echo over'");
    user.exp_string("started\r\n").unwrap();
    user.send_control('z').unwrap();
    user.exp_string("over\r\n").unwrap();
}

/// Runs `script` in a terminal, which is closed after `work`.
fn in_a_terminal(script: &str, work: impl FnOnce()) -> Running {
    // Close-on-exec: otherwise, the script would keep it open.
    let flags = OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
    let terminal = posix_openpt(flags).unwrap();
    unlockpt(&terminal).unwrap();
    let side = OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(libc::O_NOCTTY)
        .open(ptsname_r(&terminal).unwrap())
        .unwrap();
    let mut sh = Command::new("sh");
    sh.args(["-c", script]).env("TD", TINY_DOCKER);
    sh.env("TINY_DOCKER_ROOT", state());
    sh.stdin(side.try_clone().unwrap());
    sh.stdout(side.try_clone().unwrap()).stderr(side);
    let control = || {
        setsid()?;
        // SAFETY: TIOCSCTTY takes a number.
        Errno::result(unsafe { libc::ioctl(libc::STDOUT_FILENO, libc::TIOCSCTTY, 0) })?;
        Ok(())
    };
    // SAFETY: between fork and exec, system calls.
    unsafe { sh.pre_exec(control) };
    let running = Running(sh.spawn().unwrap());
    drop(sh);
    work();
    drop(terminal);
    running
}
