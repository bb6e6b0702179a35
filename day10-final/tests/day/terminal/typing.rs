//! Attacks on the caller through the terminal that a container shares with them.

use std::process::Command;

use nix::unistd::geteuid;
use rexpect::session::{PtySession, spawn_command};

use crate::need_namespaces;
use crate::pair::earlier;
use crate::support::{AT_WORK, TINY_DOCKER, leave_to, state, wait_until, without_waits};

/// A terminal in which the shell `script` runs, with `$RUN` for this program's `run`, and `$ATTACK` for the attack.
fn terminal(program: &str, script: &str, attack: &str) -> PtySession {
    let mut sh = Command::new("sh");
    sh.args(["-c", &script.replace("$RUN", "$TD run --net isolated")]);
    sh.env("TD", program).env("TINY_DOCKER_ROOT", state());
    sh.env("ATTACK", attack);
    spawn_command(sh, Some(60_000)).unwrap()
}

/// What the terminal shows of it between "begin" and "end", on day 9 and today.
fn both(script: &str, attack: &str) -> Option<[String; 2]> {
    let earlier = earlier("day09-bridge")?;
    let show = |program: &str| -> String {
        let mut terminal = terminal(program, script, attack);
        terminal.exp_string("begin").unwrap();
        let shown = terminal.exp_string("end").unwrap();
        without_waits(shown.trim()).trim().to_owned()
    };
    Some([show(earlier.to_str().unwrap()), show(TINY_DOCKER)])
}

/// Types a word, with its line end, into the terminal that is its stdin.
fn type_a_word() -> String {
    format!(
        r#"for $c (split "", "typed\n") {{ syscall({}, 0, {}, $c) < 0 and die "$!\n" }}"#,
        libc::SYS_ioctl,
        libc::TIOCSTI
    )
}

#[test]
fn it_types_nothing_into_the_callers_terminal() {
    need_namespaces!();
    let setting = std::fs::read_to_string("/proc/sys/dev/tty/legacy_tiocsti");
    if setting.is_ok_and(|setting| setting.trim() == "0") && !geteuid().is_root() {
        // Since Linux 6.2, many hosts allow it only to root.
        return leave_to("root");
    }
    // The caller's shell reads commands there. This one reads a word.
    let script =
        r#"stty -echo; echo begin; $RUN perl -e "$ATTACK"; read -t 2 word; echo "<$word>" end"#;
    let script = format!("exec bash -c '{}'", script);
    let Some([before, now]) = both(&script, &type_a_word()) else {
        return;
    };
    assert_eq!(before, "<typed>");
    assert_eq!(now, "Operation not permitted\r\n<>");
}

#[test]
fn it_pastes_nothing_into_the_callers_console() {
    need_namespaces!();
    // On a virtual console, TIOCLINUX would do as well. On other terminals, the kernel does not know this request.
    let script = r#"echo begin; $RUN perl -e "$ATTACK"; echo end"#;
    let attack = format!(
        r#"$what = "\2"; syscall({}, 0, {}, $what) < 0 and print "$!\n""#,
        libc::SYS_ioctl,
        libc::TIOCLINUX
    );
    let Some([before, now]) = both(script, &attack) else {
        return;
    };
    assert_eq!(before, "Inappropriate ioctl for device");
    assert_eq!(now, "Operation not permitted");
}

#[test]
fn a_command_without_a_terminal_finds_none() {
    need_namespaces!();
    // /dev/tty is the session's terminal: whoever has it can read what the caller types next, for example a password.
    let script = r#"echo begin; $RUN sh -c "$ATTACK" </dev/null 2>&1 | cat; echo end"#;
    let Some([before, now]) = both(script, "echo found a terminal >/dev/tty") else {
        return;
    };
    assert_eq!(before, "found a terminal");
    assert!(now.contains("/dev/tty: No such device or address"), "{now}");
}

#[test]
fn in_the_background_it_reads_nothing_that_its_caller_types() {
    need_namespaces!();
    // Any of the three will do. It has left the caller's session, so reading the terminal does not stop it.
    let attack = "for fd in 0 1 2; do cat <&$fd >>/tmp/typed 2>>/tmp/error & done";
    for stdio in ["", "</dev/null", "2>/dev/null </dev/null", ">/dev/null"] {
        let mut bash = Command::new("bash");
        bash.args(["--norc", "--noprofile", "--noediting", "-i"]);
        bash.env("TD", TINY_DOCKER).env("PS1", "# ");
        bash.env("TINY_DOCKER_ROOT", state()).env("ATTACK", attack);
        let mut user = spawn_command(bash, Some(60_000)).unwrap();
        user.exp_string("# ").unwrap();
        let volume = tempfile::tempdir().unwrap();
        let path = volume.path().display();
        let run = "$TD run --net isolated";
        user.send_line(&format!(
            "{run} -v {path}:/tmp sh -c \"$ATTACK; echo >/tmp/over; sleep 1000\" {stdio} &"
        ))
        .unwrap();
        let has = |file| volume.path().join(file).exists();
        wait_until("it at work", || has("over") && has("typed"));
        for number in 0..10 {
            user.send_line(&format!("echo $((1000 + {number}))"))
                .unwrap();
            user.exp_string(&format!("{}\r\n", 1000 + number)).unwrap();
        }
        let typed = std::fs::read_to_string(volume.path().join("typed")).unwrap();
        assert_eq!(typed, "", "{stdio}");
        user.send_line("kill -KILL %1; wait; exit").unwrap();
        user.exp_eof().unwrap();
    }
}

#[test]
fn in_a_pipe_it_still_reads_what_is_typed_and_hears_ctrl_c() {
    need_namespaces!();
    // With --init, the command itself receives it.
    for (init, exec) in [("", ""), ("--init", "exec")] {
        let script = format!("echo ready; read word; echo got $word; {exec} {AT_WORK}; echo on");
        let mut user = terminal(
            TINY_DOCKER,
            &format!("$RUN {init} sh -c '{script}' | cat"),
            "",
        );
        user.exp_string("ready").unwrap();
        user.send_line("something").unwrap();
        user.exp_string("got something\r\ntail").unwrap();
        user.send_control('c').unwrap();
        user.exp_eof().unwrap();
    }
}
