//! `run -t`, which gives the container its own terminal, and `run -i`.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::thread::{self, JoinHandle, sleep};
use std::time::Duration;

use insta::assert_snapshot;
use nix::fcntl::OFlag;
use nix::pty::{grantpt, posix_openpt, ptsname_r, unlockpt};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rexpect::session::{PtySession, spawn_command};
use tempfile::TempDir;

use crate::need_namespaces;
use crate::support::{
    AT_WORK, Detached, Running, TINY_DOCKER, as_ordinary_user, records, see, shell, skip, state,
    suspend, tiny_docker, wait_until, without_waits,
};
use crate::terminal::{terminal, try_out};

/// A terminal in which `script` runs, and its name.
fn named_terminal(script: &str) -> (PtySession, String) {
    let mut user = terminal(&format!("tty; {script}"));
    let name = user.read_line().unwrap();
    (user, name)
}

/// `stty ARGUMENTS…` for the terminal of that name.
fn stty(terminal: &str, arguments: &[&str]) -> String {
    let mut stty = Command::new("stty");
    let output = stty.args(["-F", terminal]).args(arguments).output();
    String::from_utf8(output.unwrap().stdout).unwrap()
}

#[test]
fn it_is_the_first_terminal_of_the_container_and_as_large_as_the_callers() {
    need_namespaces!();
    let script =
        "tty; stty size; echo here >/dev/console; test -t 0 && test -t 1 && test -t 2; echo $?";
    let mut user = terminal(&format!(
        "stty rows 33 cols 77; $TD run -it sh -c '{script}'; echo over"
    ));
    let said = user.exp_string("over").unwrap();
    let said = without_waits(&said);
    assert_eq!(said, "/dev/pts/0\r\n33 77\r\nhere\r\n0\r\n");
}

#[test]
fn an_ordinary_user_has_one_too() {
    need_namespaces!();
    let home = TempDir::new().unwrap();
    let script =
        "tty; stty size; : </dev/console; sleep 1000 & kill %1; read word; echo $word; exit 9";
    let arguments = ["run", "-it", "bash", "-c", script];
    let mut run = as_ordinary_user(home.path(), &arguments);
    run.env("HOME", home.path()).stdin(Stdio::inherit());
    let mut user = spawn_command(run, Some(60_000)).unwrap();
    user.exp_string("/dev/pts/0\r\n0 0\r\n").unwrap();
    user.send_line("hello").unwrap();
    user.exp_string("hello\r\n").unwrap();
    assert_eq!(user.exp_eof().unwrap(), "hello\r\n");
}

#[test]
fn only_the_command_is_told_of_a_new_size() {
    need_namespaces!();
    // With -m the command is in a group of its own, in the terminal's foreground, and PID 1 is not.
    // It learns of the rows before the columns: stty(1) makes two calls.
    let inner = r#"trap "stty size | grep -x '50 120' && exit" WINCH; echo ready; while :; do sleep 0.05; done"#;
    fs::write(state().join("rootfs/default/tmp").join(inner_name()), inner).unwrap();
    let (mut user, name) = named_terminal(&format!(
        "$TD run -it bash -mc 'trap \"echo not me\" WINCH; sh /tmp/{}; echo over'",
        inner_name()
    ));
    user.exp_string("ready").unwrap();
    stty(&name, &["rows", "50", "cols", "120"]);
    let said = user.exp_string("over").unwrap();
    // Twice, if the second signal interrupts the answer to the first.
    assert!(
        said == "\r\n50 120\r\n" || said == "\r\n50 120\r\n50 120\r\n",
        "{said:?}"
    );
    fs::remove_file(state().join("rootfs/default/tmp").join(inner_name())).unwrap();
}

/// A file name that only this test run uses: the rootfs is shared.
fn inner_name() -> String {
    format!("winch-{}", std::process::id())
}

#[test]
fn ctrl_c_reaches_the_command() {
    need_namespaces!();
    // Even without -i: then the caller's terminal turns it into a signal.
    for options in ["-it", "-t"] {
        let mut user = terminal(&format!(
            "trap : INT; $TD run {options} --init {AT_WORK}; echo code $?"
        ));
        user.exp_string("tail").unwrap();
        user.send_control('c').unwrap();
        user.exp_string("code 130").unwrap();
    }
}

#[test]
fn shells_have_job_control() {
    need_namespaces!();
    try_out("-it sh");
    try_out("-it bash --norc");
    try_out("-it --init bash --norc");
}

#[test]
fn the_callers_terminal_is_raw_meanwhile_and_restored_afterwards() {
    need_namespaces!();
    let script = "trap \"exit 5\" TERM; echo ready; while :; do sleep 0.05; done";
    let run =
        format!("sh -c 'echo $$ >$TINY_DOCKER_ROOT/pid; exec $TD run -it sh -c \"$0\"' '{script}'");
    for (run, expected) in [
        ("$TD run -it sh -c 'stty -echo raw; exit 4'", "code 4"),
        ("$TD run -it /no-such-command", "code 127"),
        (&run, "code 5"),
    ] {
        let (mut user, name) = named_terminal(&format!(
            "before=$(stty -g); {run}; echo code $?; test \"$before\" = \"$(stty -g)\" && echo same"
        ));
        if expected == "code 5" {
            user.exp_string("ready").unwrap();
            assert!(stty(&name, &["-a"]).contains("-icanon"));
            let pid = fs::read_to_string(state().join("pid")).unwrap();
            kill(Pid::from_raw(pid.trim().parse().unwrap()), Signal::SIGTERM).unwrap();
        }
        user.exp_string(expected).unwrap();
        user.exp_string("same").unwrap();
    }
}

#[test]
fn the_last_output_is_not_lost() {
    need_namespaces!();
    let print = "$TD run -t sh -c 'head -c 1048576 /dev/zero | tr \"\\0\" x; printf last >&2'";
    // The second reader is slow: when it begins, the container has ended, as far as it can.
    for reader in [
        "wc -c",
        "(sleep 0.5; wc -c)",
        "cat >$TINY_DOCKER_ROOT/f; wc -c <$TINY_DOCKER_ROOT/f",
    ] {
        for _ in 0..3 {
            let seen = shell(&format!("{print} | {reader}"));
            assert_eq!((seen.stdout.trim(), seen.stderr.as_str()), ("1048580", ""));
        }
    }
    let seen = shell("$TD run -t sh -c 'seq 9000; exit 3' | (sleep 0.5; tail -n 1)");
    assert_eq!(seen.stdout, "9000\r\n");
}

#[test]
fn a_large_paste_arrives_unchanged() {
    need_namespaces!();
    let paste: String = (0..150_000).map(|n| format!("{n:06}\n")).collect();
    let path = state().join("paste");
    fs::write(&path, &paste).unwrap();
    let expected = shell("sha256sum <$TINY_DOCKER_ROOT/paste").stdout;
    // Isolated: on a busy machine, a run that has used the bridge may have to wait for others at its end, and say so.
    let mut user = terminal("$TD run -it --net isolated sh -c 'stty -echo; echo ready; sha256sum'");
    user.exp_string("ready\r\n").unwrap();
    // Ctrl-D at the beginning of a line.
    let pasted = paste_into(&user, paste + "\x04");
    assert_eq!(user.exp_eof().unwrap().trim(), expected.trim());
    pasted.join().unwrap();
}

/// Types `text` while the test goes on.
fn paste_into(user: &PtySession, text: String) -> JoinHandle<()> {
    let mut keyboard = user.process().get_file_handle().unwrap();
    thread::spawn(move || {
        for part in text.as_bytes().chunks(1000) {
            keyboard.write_all(part).unwrap();
        }
    })
}

#[test]
fn a_paste_that_nobody_reads_holds_nothing_up() {
    need_namespaces!();
    let mut user = terminal(
        "$TD run -it sh -c 'stty raw -echo; echo ready; sleep 0.5; seq 50000; echo printed; head -c 1048576 | wc -c'",
    );
    user.exp_string("ready").unwrap();
    let pasted = paste_into(&user, "x".repeat(1 << 20));
    user.exp_string("printed").unwrap();
    user.exp_string("1048576").unwrap();
    pasted.join().unwrap();
}

#[test]
fn without_a_terminal_around_it_prints_into_a_pipe() {
    need_namespaces!();
    let seen = shell("$TD run -t sh -c 'echo out; echo err >&2; exit 7' 2>/dev/null | cat");
    assert_eq!(seen.stdout, "out\r\nerr\r\n");
    let seen = see(&["run", "-t", "sh", "-c", "tty; exit 7"]);
    assert_eq!(
        (seen.code, seen.stdout.as_str()),
        (Some(7), "/dev/pts/0\r\n")
    );
}

#[test]
fn nobody_can_type_without_a_terminal() {
    need_namespaces!();
    let seen = shell("echo exit | $TD run -it sh");
    assert_eq!((seen.code, seen.stdout.as_str()), (Some(1), ""));
    assert_snapshot!(seen.stderr, @r"
    tiny-docker: cannot use -t: the input device is not a TTY
    hint: leave out -t
    ");
    assert_eq!(records().len(), 0);
    // -i alone takes a pipe.
    let seen = shell("echo hello | $TD run -i cat");
    assert_eq!(seen.stdout, "hello\n");
}

#[test]
fn without_i_what_is_typed_is_left_to_the_caller() {
    need_namespaces!();
    let mut user = terminal("$TD run -t sh -c 'echo ready; sleep 0.3'; read word; echo got $word");
    user.exp_string("ready").unwrap();
    user.send_line("something").unwrap();
    user.exp_string("got something").unwrap();
}

#[test]
fn whoever_opens_the_terminal_again_is_heard() {
    need_namespaces!();
    // Daemons do that, and then write to the console: here, more than it can buffer.
    let script =
        "exec <&- >&- 2>&-; sleep 0.3; echo late >/dev/console; sleep 1.5; seq 20000 >/dev/pts/0";
    let seen = shell(&format!("timeout 30 $TD run -t sh -c '{script}'"));
    assert!(seen.stdout.starts_with("late\r\n1\r\n"), "{}", seen.stdout);
    assert!(seen.stdout.ends_with("\r\n20000\r\n"));
}

#[test]
fn a_reader_that_has_had_enough_hangs_up() {
    need_namespaces!();
    // The exit code is that of yes, which cannot write.
    let seen = shell("(timeout 30 $TD run -t yes; echo $? >&2) | head -n 1");
    assert_eq!(
        (seen.stdout.as_str(), seen.stderr.as_str()),
        ("y\r\n", "1\n")
    );
}

#[test]
fn a_full_output_is_an_error() {
    need_namespaces!();
    let seen = shell("timeout 30 $TD run -t yes >/dev/full");
    assert_ne!(seen.code, Some(124));
    assert_snapshot!(seen.stderr, @"tiny-docker: cannot print the output: No space left on device (os error 28)");
}

#[test]
fn a_closed_terminal_closes_the_containers() {
    need_namespaces!();
    // Not one of rexpect's: processes of other tests would keep it open.
    let keyboard = posix_openpt(OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC).unwrap();
    grantpt(&keyboard).unwrap();
    unlockpt(&keyboard).unwrap();
    let name = ptsname_r(&keyboard).unwrap();
    let open = || File::options().read(true).write(true).open(&name).unwrap();
    let mut run = Command::new("setsid");
    run.args(["--ctty", TINY_DOCKER, "run", "-it", "sh"]);
    run.env("TINY_DOCKER_ROOT", state());
    let mut run = Running(
        run.stdin(open())
            .stdout(open())
            .stderr(open())
            .spawn()
            .unwrap(),
    );
    let mut keyboard = keyboard;
    let mut said = Vec::new();
    while !said.ends_with(b"# ") {
        let mut byte = [0];
        keyboard.read_exact(&mut byte).unwrap();
        said.push(byte[0]);
    }
    drop(keyboard);
    wait_until("the end", || run.0.try_wait().unwrap().is_some());
}

#[test]
fn a_stopped_reader_does_not_hold_up_a_signal() {
    need_namespaces!();
    let script = "trap \"exit 5\" TERM; yes & wait";
    let mut run = Running::start(&mut tiny_docker(&["run", "-t", "sh", "-c", script]));
    let written = || {
        let io = fs::read_to_string(format!("/proc/{}/io", run.pid())).unwrap();
        let written = io.lines().find_map(|line| line.strip_prefix("wchar: "));
        written.unwrap().parse::<u32>().unwrap()
    };
    // A pipe takes 16 pages, which need not be full.
    wait_until("a full pipe", || {
        let before = written();
        sleep(Duration::from_millis(200));
        before > 8 * 4096 && written() == before
    });
    // The first one ends the container, and the next one the runtime, which is still trying to print the rest.
    wait_until("the end", || {
        kill(Pid::from_raw(run.pid()), Signal::SIGTERM).unwrap();
        let ended = run.0.try_wait().unwrap();
        ended.is_some_and(|status| status.code() == Some(5))
    });
}

#[test]
fn in_the_background_a_shell_stays_and_its_log_is_kept() {
    need_namespaces!();
    let container = Detached::start(&["-it", "sh"]);
    wait_until("a prompt", || {
        see(&["logs", &container.id]).stdout.ends_with("# ")
    });
    assert!(container.is_running());
    kill(Pid::from_raw(container.pid()), Signal::SIGKILL).unwrap();
    container.wait_for_its_end();

    let script = "tty; for i in 1 2 3; do sleep 0.1; echo $i; done; printf last; exit 6";
    let container = Detached::start(&["-t", "sh", "-c", script]);
    let seen = see(&["logs", "-f", &container.id]);
    assert_eq!(seen.stdout, "/dev/pts/0\r\n1\r\n2\r\n3\r\nlast");
    container.wait_for_its_end();
    assert_eq!(container.record()["exit_code"], 6);
}

#[test]
fn whoever_follows_the_log_gets_what_the_supervisor_writes_after_the_end() {
    need_namespaces!();
    let script = "trap 'echo last; exit' TERM; echo ready; while :; do sleep 0.1; done";
    let container = Detached::start(&["-t", "sh", "-c", script]);
    wait_until("its trap", || {
        !see(&["logs", &container.id]).stdout.is_empty()
    });
    let (supervisor, pid_1) = (Pid::from_raw(container.supervisor()), container.pid());
    suspend(supervisor.as_raw());
    kill(Pid::from_raw(pid_1), Signal::SIGTERM).unwrap();
    wait_until("the end", || {
        let stat = fs::read_to_string(format!("/proc/{pid_1}/stat")).unwrap();
        stat.contains(") Z ")
    });
    let mut logs = Running::start(&mut tiny_docker(&["logs", "-f", &container.id]));
    thread::sleep(Duration::from_millis(300));
    kill(supervisor, Signal::SIGCONT).unwrap();
    let mut said = String::new();
    let mut output = logs.0.stdout.take().unwrap();
    output.read_to_string(&mut said).unwrap();
    assert_eq!(said, "ready\r\nlast\r\n");
}

#[test]
fn in_the_background_i_keeps_stdin_open() {
    need_namespaces!();
    let (open, closed) = (Detached::start(&["-i", "cat"]), Detached::start(&["cat"]));
    closed.wait_for_its_end();
    thread::sleep(Duration::from_millis(300));
    assert!(open.is_running());
}

#[test]
fn it_cannot_type_into_the_callers_shell() {
    need_namespaces!();
    if see(&["run", "perl", "-e", "1"]).code != Some(0) {
        return skip("perl: sudo apt install perl");
    }
    // TIOCSTI.
    let script = r#"for (split //, "echo injected\n") { open(my $t, "+<", "/dev/tty"); ioctl($t, 0x5412, $_) } print "typed\n""#;
    fs::write(state().join("sti.pl"), script).unwrap();
    let mut user = terminal(
        "$TD run -it perl -e \"$(cat $TINY_DOCKER_ROOT/sti.pl)\"; echo ended; read -r word; echo shell read $word",
    );
    user.exp_string("typed\r\nended").unwrap();
    user.send_line("mine").unwrap();
    user.exp_string("shell read mine").unwrap();
}
