//! The process that becomes the command: what it inherits, and whose errors its errors are.

use std::fs;
use std::os::fd::AsRawFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, geteuid};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::need_cgroups;
use crate::oci::TinyRunc;
use crate::oci::a_configuration::Bundle;
use crate::support::{Seen, leave_to, wait_until};

macro_rules! need_root {
    () => {
        need_cgroups!();
        if !geteuid().is_root() {
            return leave_to("root");
        }
    };
}

/// `tiny-runc run OPTIONS…`, still to be started.
fn command(bundle: &Bundle, options: &[&str]) -> Command {
    bundle.write();
    let words = bundle.words(options);
    let words: Vec<_> = words.iter().map(String::as_str).collect();
    bundle.runc.command(&words)
}

/// A file that the command writes.
fn file(bundle: &Bundle, name: &str) -> PathBuf {
    let root = bundle.config["root"]["path"].as_str().unwrap();
    PathBuf::from(root).join(name)
}

#[test]
fn the_command_inherits_no_descriptors() {
    need_root!();
    let mut bundle = Bundle::with_programs();
    let open = "for n in 3 4 5 6 7 8 9; do (: <&$n) 2>/dev/null && echo $n; done; cat";
    bundle.shell(open);
    let mut command = command(&bundle, &[]);
    let leaks: Vec<_> = (0..4).map(|_| fs::File::open("/etc").unwrap()).collect();
    let numbers: Vec<_> = leaks.iter().map(AsRawFd::as_raw_fd).collect();
    assert!(numbers.iter().all(|number| *number > 2));
    // SAFETY: dup2(2) and fcntl(2) only, between fork and exec.
    unsafe {
        command.pre_exec(move || {
            for (leak, number) in numbers.iter().zip(6..) {
                nix::libc::dup2(*leak, number);
            }
            Ok(())
        });
    }
    let seen: Seen = command.output().unwrap().into();
    assert_eq!(
        (seen.code, &seen.stdout[..], &seen.stderr[..]),
        (Some(0), "", "")
    );
    for leak in leaks {
        assert_eq!(
            fcntl(&leak, FcntlArg::F_GETFD).unwrap(),
            FdFlag::FD_CLOEXEC.bits()
        );
    }
}

#[test]
fn the_command_does_not_inherit_how_this_program_treats_signals() {
    need_root!();
    let mut bundle = Bundle::with_programs();
    bundle.shell("kill -PIPE $$; echo survived");
    let seen = bundle.run();
    assert_eq!(
        (seen.code, &seen.stdout[..]),
        (Some(128 + 13), ""),
        "{}",
        seen.stderr
    );
}

#[test]
fn run_passes_on_a_signal_and_the_exit_code() {
    need_root!();
    let mut bundle = Bundle::with_programs();
    bundle.shell("end() { exit 5; }; trap end TERM; touch /ready; while :; do sleep 0.05; done");
    let ready = file(&bundle, "ready");
    let mut run = command(&bundle, &[]).stdout(Stdio::null()).spawn().unwrap();
    wait_until("the command ready", || ready.exists());
    kill(Pid::from_raw(run.id() as i32), Signal::SIGTERM).unwrap();
    let ended = run.wait().unwrap();
    assert_eq!((ended.code(), ended.signal()), (Some(5), None));
    bundle.shell("kill -KILL $$");
    assert_eq!(bundle.run().code, Some(128 + 9));
}

#[test]
fn with_detach_the_command_goes_on_alone() {
    need_root!();
    let mut bundle = Bundle::with_programs();
    bundle.shell("until [ -e /go ] || [ $((i+=1)) -gt 600 ]; do sleep 0.05; done; touch /ended");
    let (go, ended) = (file(&bundle, "go"), file(&bundle, "ended"));
    let mut run = command(&bundle, &["--detach"]);
    run.stdout(Stdio::null()).stderr(Stdio::null());
    let code = run.status().unwrap().code();
    let early = ended.exists();
    fs::write(go, "").unwrap();
    assert_eq!((code, early), (Some(0), false));
    wait_until("the end of the command", || ended.exists());
    // Where there is something to delete.
    let deleted = || bundle.runc.see(&["delete", &bundle.id()]);
    wait_until("the container deleted", || {
        let seen = deleted();
        seen.code == Some(0) || !seen.stderr.contains("not stopped")
    });
}

#[test]
fn what_goes_wrong_before_the_exec_is_the_runtimes_error() {
    need_root!();
    let own = TempDir::new().unwrap();
    let log = own.path().join("log");
    let log = log.to_str().unwrap();
    let mut bundle = Bundle::with_programs();
    for (field, value, expected) in [
        ("cwd", json!("/no/such/place"), "process.cwd"),
        (
            "args",
            json!(["no-such-command"]),
            "executable file not found in $PATH",
        ),
    ] {
        bundle.config["process"][field] = value;
        bundle.write();
        let words = bundle.words(&[]);
        let words = words.iter().map(String::as_str);
        let words: Vec<_> = ["--log", log, "--log-format", "json"]
            .into_iter()
            .chain(words)
            .collect();
        let seen = bundle.runc.see(&words);
        assert_eq!((seen.code, &seen.stdout[..]), (Some(1), ""));
        assert!(seen.stderr.starts_with("tiny-runc: "), "{}", seen.stderr);
        assert!(seen.stderr.contains(expected), "{}", seen.stderr);
        let text = fs::read_to_string(log).unwrap();
        let line: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
        assert!(line["msg"].as_str().unwrap().contains(expected), "{line}");
        bundle.config["process"]["cwd"] = json!("/");
    }
}

#[test]
fn init_is_not_for_people() {
    let runc = TinyRunc::new();
    let mut init = Command::new(runc.path());
    for arguments in [&["init"][..], &["init", "1000", "-1", "-1"], &["init", "x"]] {
        let seen: Seen = init.args(arguments).output().unwrap().into();
        assert_eq!(
            (seen.code, &seen.stdout[..]),
            (Some(1), ""),
            "{arguments:?}"
        );
        assert!(seen.stderr.starts_with("tiny-runc: "), "{}", seen.stderr);
        init = Command::new(runc.path());
    }
}
