//! Typing `run`, and what does not exist yet.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::os::fd::OwnedFd;

use crate::need_namespaces;
use crate::support::{Running, see, shell, tiny_docker};
use insta::assert_snapshot;

#[test]
fn run_prints_what_the_command_prints() {
    need_namespaces!();
    let seen = see(&["run", "echo", "hello"]);
    assert_eq!((seen.code, seen.stdout.as_str()), (Some(0), "hello\n"));
    assert_eq!(seen.stderr, "");
}

#[test]
fn options_after_the_command_belong_to_it() {
    need_namespaces!();
    let seen = see(&["run", "echo", "--help", "-x", "--", "--hostname"]);
    assert_eq!(seen.stdout, "--help -x -- --hostname\n");
}

#[test]
fn the_command_reads_stdin() {
    need_namespaces!();
    assert_eq!(shell("echo hello | $TD run cat").stdout, "hello\n");
}

#[test]
fn the_commands_exit_code_is_passed_on() {
    need_namespaces!();
    for code in [0, 1, 7, 255] {
        let exit = format!("exit {code}");
        assert_eq!(see(&["run", "sh", "-c", &exit]).code, Some(code));
    }
}

#[test]
fn a_command_that_is_not_found_exits_127() {
    need_namespaces!();
    let seen = see(&["run", "no-such-command"]);
    assert_eq!(seen.code, Some(127));
    assert_snapshot!(seen.stderr, @"
    tiny-docker: cannot run no-such-command: not found in PATH
    hint: run takes a command, not an image: tiny-docker run ls /bin lists the commands, and --rootfs DIR provides others
    ");
    let seen = see(&["run", "/no/such/command"]);
    assert_eq!(seen.code, Some(127));
    assert_snapshot!(seen.stderr, @"tiny-docker: cannot run /no/such/command: ENOENT: No such file or directory");
}

#[test]
fn an_image_instead_of_a_command_gets_a_hint() {
    need_namespaces!();
    let hint = "\nhint: run takes a command, not an image: ";
    for image in ["ubuntu", "debian:12", "a@sha256:b"] {
        let seen = see(&["run", image, "bash"]);
        assert_eq!(seen.code, Some(127), "{image}");
        assert!(seen.stderr.contains(hint), "{}", seen.stderr);
    }
}

#[test]
fn a_command_that_is_not_executable_exits_126() {
    need_namespaces!();
    let seen = see(&["run", "/etc/passwd"]);
    assert_eq!(seen.code, Some(126));
    assert_snapshot!(seen.stderr, @"tiny-docker: cannot run /etc/passwd: EACCES: Permission denied");
    let seen = see(&["run", "/etc"]);
    assert_eq!(seen.code, Some(126));
    assert_snapshot!(seen.stderr, @"tiny-docker: cannot run /etc: EACCES: Permission denied");
}

#[test]
fn wrong_usage_exits_2() {
    let seen = see(&["run"]);
    assert_eq!(seen.code, Some(2));
    assert_snapshot!(seen.stderr, @"
    error: the following required arguments were not provided:
      <COMMAND>...

    Usage: tiny-docker run --root <DIR> <COMMAND>...

    For more information, try '--help'.
    ");
    let seen = see(&["run", "--no-such-option", "true"]);
    assert_eq!(seen.code, Some(2));
    assert_snapshot!(seen.stderr, @"
    error: unexpected argument '--no-such-option' found

      tip: to pass '--no-such-option' as a value, use '-- --no-such-option'

    Usage: tiny-docker run [OPTIONS] <COMMAND>...

    For more information, try '--help'.
    ");
    assert_eq!(see(&[]).code, Some(2));
}

#[test]
fn help_is_complete() {
    assert_snapshot!(see(&["--help"]).stdout, @"
    A container runtime small enough to read

    Usage: tiny-docker [OPTIONS] <COMMAND>

    Commands:
      run   Run a command in a new container
      ps    List containers
      logs  Fetch the logs of a container
      stop  Stop a container
      help  Print this message or the help of the given subcommand(s)

    Options:
          --root <DIR>  Directory for tiny-docker's state [env: TINY_DOCKER_ROOT]
      -h, --help        Print help
      -V, --version     Print version
    ");
    assert_snapshot!(see(&["run", "--help"]).stdout, @"
    Run a command in a new container

    Usage: tiny-docker run [OPTIONS] <COMMAND>...

    Arguments:
      <COMMAND>...  The command and its arguments

    Options:
      -d, --detach           Run the container in the background and print its id
          --root <DIR>       Directory for tiny-docker's state [env: TINY_DOCKER_ROOT]
          --hostname <NAME>  Hostname inside the container [default: tiny-container]
          --rootfs <DIR>     Directory to use as the root filesystem [default: one built from this machine's programs]
      -h, --help             Print help
    ");
    assert_snapshot!(see(&["ps", "--help"]).stdout, @"
    List containers

    Usage: tiny-docker ps [OPTIONS]

    Options:
      -a, --all         Show all containers (default shows just running)
          --root <DIR>  Directory for tiny-docker's state [env: TINY_DOCKER_ROOT]
      -h, --help        Print help
    ");
    assert_snapshot!(see(&["logs", "--help"]).stdout, @"
    Fetch the logs of a container

    Usage: tiny-docker logs [OPTIONS] <ID>

    Arguments:
      <ID>  The container's id, or a unique prefix of it

    Options:
      -f, --follow      Follow log output
          --root <DIR>  Directory for tiny-docker's state [env: TINY_DOCKER_ROOT]
      -h, --help        Print help
    ");
    assert!(see(&["--version"]).stdout.starts_with("tiny-docker "));
}

#[test]
fn signals_to_the_runtime_reach_the_command() {
    need_namespaces!();
    // All others stop a job, report mistakes or children, or cannot be caught. glibc keeps 32 and 33 for itself.
    let not = [
        4, 5, 6, 7, 8, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 31, 32, 33,
    ];
    let mut signals: Vec<i32> = (1..=64).filter(|signal| !not.contains(signal)).collect();
    let script = format!(
        "for n in {}; do trap \"echo got $n\" $n; done; trap 'echo got 15; kill $!; exit 9' 15
        sleep 300 & echo ready; while kill -0 $!; do wait; done",
        signals.iter().map(|n| format!("{n} ")).collect::<String>()
    );
    signals.push(15);
    let mut running = Running::start(&mut tiny_docker(&["run", "sh", "-c", &script]));
    let output = BufReader::new(running.0.stdout.take().unwrap());
    let mut lines = output.lines().map(|line| line.unwrap());
    assert_eq!(lines.next().unwrap(), "ready");
    for signal in signals {
        running.signal(signal);
        assert_eq!(lines.next(), Some(format!("got {signal}")));
    }
    assert_eq!(running.0.wait().unwrap().code(), Some(9));
}

#[test]
fn a_caller_that_ignores_sigchld_gets_the_exit_code() {
    need_namespaces!();
    let seen = shell("timeout 30 env --ignore-signal=CHLD $TD run sh -c 'exit 7'; echo $?");
    assert_eq!(seen.stdout, "7\n");
}

#[test]
fn an_error_does_not_change_the_terminal() {
    // These clear the screen, name the window, overwrite a line, or write from right to left.
    let seen = see(&["run", "\u{1b}[2J\u{9b}2J\u{1b}]0;no\u{7}\r\u{202e}é"]);
    assert_eq!(seen.code, Some(127));
    let line = seen.stderr.lines().next().unwrap();
    assert_snapshot!(line, @r"tiny-docker: cannot run \u{1b}[2J\u{9b}2J\u{1b}]0;no\u{7}\r\u{202e}é: not found in PATH");
}

#[test]
fn a_closed_stderr_costs_the_message_but_not_the_exit_code() {
    need_namespaces!();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = tiny_docker(&["run", "no-such-command"]);
    let status = command.stderr(File::from(OwnedFd::from(writer))).status();
    assert_eq!(status.unwrap().code(), Some(127));
}
