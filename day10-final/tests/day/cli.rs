//! Typing `run`, and asking for help.

pub mod completion;
pub mod help;
pub mod instead;
pub mod session;

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::os::fd::OwnedFd;

use crate::need_namespaces;
use crate::support::{Running, see, shell, state, tiny_docker};
use insta::assert_snapshot;

#[test]
fn run_prints_what_the_command_prints() {
    need_namespaces!();
    let seen = see(&["run", "echo", "hello"]);
    assert_eq!((seen.code, seen.stdout.as_str()), (Some(0), "hello\n"));
    assert_eq!(seen.stderr, "");
}

#[test]
fn options_of_the_command_are_the_commands() {
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
    hint: run takes a command, not an image: tiny-docker run ls /bin lists them, --rootfs DIR provides others
    ");
    let seen = see(&["run", "/no/such/command"]);
    assert_eq!(seen.code, Some(127));
    assert_snapshot!(seen.stderr, @"tiny-docker: cannot run /no/such/command: ENOENT: No such file or directory");
}

#[test]
fn an_image_in_place_of_a_command_is_met_with_a_hint() {
    need_namespaces!();
    let hint = "\nhint: run takes a command, not an image: ";
    for image in [
        "ubuntu",
        "debian:12",
        "ghcr.io/owner/image:tag",
        "a@sha256:b",
    ] {
        let seen = see(&["run", image, "bash"]);
        assert_eq!(seen.code, Some(127), "{image}");
        assert!(seen.stderr.contains(hint), "{}", seen.stderr);
    }
    // In a root filesystem of their own choice, they know that it is none.
    let default = state().join("rootfs/default");
    let seen = see(&["run", "--rootfs", default.to_str().unwrap(), "ubuntu"]);
    assert!(!seen.stderr.contains("hint"), "{}", seen.stderr);
}

#[test]
fn what_is_not_executable_exits_126() {
    need_namespaces!();
    let seen = see(&["run", "/etc/passwd"]);
    assert_eq!(seen.code, Some(126));
    assert_snapshot!(seen.stderr, @"tiny-docker: cannot run /etc/passwd: EACCES: Permission denied");
    let seen = see(&["run", "/etc"]);
    assert_eq!(seen.code, Some(126));
    assert_snapshot!(seen.stderr, @"tiny-docker: cannot run /etc: EACCES: Permission denied");
}

#[test]
fn wrong_usage_exits_as_in_docker() {
    let seen = see(&["run"]);
    assert_eq!(seen.code, Some(1));
    assert_snapshot!(seen.stderr, @"
    error: the following required arguments were not provided:
      <COMMAND>...

    Usage: tiny-docker run --root <DIR> <COMMAND>...

    For more information, try '--help'.
    ");
    let seen = see(&["run", "--no-such-option", "true"]);
    assert_eq!(seen.code, Some(125));
    assert_snapshot!(seen.stderr, @"
    error: unexpected argument '--no-such-option' found

    Usage: tiny-docker run [OPTIONS] <COMMAND>...

    For more information, try '--help'.
    ");
    assert_eq!(see(&[]).code, Some(1));
}

#[test]
fn help_tells_what_there_is() {
    assert_snapshot!(see(&["--help"]).stdout, @"
    A container runtime that is small enough to read

    Usage: tiny-docker [OPTIONS] <COMMAND>

    Commands:
      run         Run a command in a new container
      exec        Run a command more in a container that runs
      ps          List containers
      inspect     Show all that is known about containers, as JSON
      stats       Show what containers use
      logs        Show what a container has printed
      stop        Stop a container
      rm          Remove a container, and what it has written
      kill        Send a signal to a container
      wait        Wait until containers have ended, and print their exit codes
      prune       Remove all containers that have ended, and what else nobody needs
      info        Show what this host lets tiny-docker do, and what to do about the rest
      completion  Print a script by which your shell completes what you type
      help        Print this message or the help of the given subcommand(s)

    Options:
          --root <DIR>  Where tiny-docker keeps its files [env: TINY_DOCKER_ROOT]
      -h, --help        Print help
      -V, --version     Print version

    Examples:
      tiny-docker run -it --rm sh     # a shell in a container, of which nothing stays
      tiny-docker run -d --name web sh -c 'while date; do sleep 1; done'
      tiny-docker logs -f web         # what it prints
      tiny-docker exec -it web sh     # a look around in it
      tiny-docker rm -f web

    COMMAND --help shows more of them, and info what this host allows.
    ");
    assert_snapshot!(see(&["run", "--help"]).stdout, @"
    Run a command in a new container

    Usage: tiny-docker run [OPTIONS] <COMMAND>...

    Arguments:
      <COMMAND>...  The command and its arguments

    Options:
      -d, --detach                        Run in the background, and print the container's id
          --root <DIR>                    Where tiny-docker keeps its files [env: TINY_DOCKER_ROOT]
          --name <NAME>                   What to call it [default: one that is drawn]
          --rm                            Remove it when it has ended
          --init                          Run a small PID 1 that passes signals on to the command, and reaps its orphans
      -i, --interactive                   Keep stdin open, in the background too
      -t, --tty                           Give it a terminal of its own
      -h, --hostname <NAME>               Hostname inside the container [default: tiny-container]
      -w, --workdir <DIR>                 Where in the container the command begins; it is made, if it is not there
      -e, --env <NAME[=VALUE]>            Give its command a variable; without a value, the one that you have
          --env-file <FILE>               The same from a file, with a variable in each line
          --net <NET>                     What it sees of the network: bridge, isolated (also called none) or host [default: bridge for root]
          --subnet <NETWORK>              The addresses for --net bridge [env: TINY_DOCKER_SUBNET] [default: 10.10.0.0/24]
      -p, --publish <PORTS>               Let a port of this host's IPv4 lead to one of its own: [IP:]HOST:CONTAINER[/udp], or CONTAINER for a free one
          --add-host <NAME:ADDRESS>       A line more for its /etc/hosts; host-gateway is the address of this host
          --dns <ADDRESS>                 A DNS server, in place of the host's
      -m, --memory <SIZE>                 How much memory it may use, as 128m or 1g
          --cpus <NUMBER>                 How many CPUs it may keep busy, as 0.5 or 2
          --pids-limit <NUMBER>           How many processes and threads it may have
      -v, --volume <HOST:CONTAINER[:ro]>  Let it see a directory or file of the host's, with :ro only to read
          --tmpfs <PATH[:OPTIONS]>        Mount an empty directory in memory (with options such as size=64m,exec)
          --read-only                     Let it write nowhere else
      -u, --user <USER[:GROUP]>           Run as this user of the container's, by name or number
          --cap-add <CAPABILITY>          Give it a capability more, as NET_ADMIN, or ALL
          --cap-drop <CAPABILITY>         Take a capability away, or ALL
          --security-opt <OPTION>         Switch off a protection: seccomp=unconfined or no-new-privileges=false
          --rootfs <DIR>                  The directory that becomes the container's / [default: made of this machine's programs]
          --help                          Print help: -h is the hostname, as in Docker

    Examples:
      tiny-docker run -it --rm sh
      tiny-docker run --rm -v $PWD:/work:ro -w /work ls
      tiny-docker run --rm --memory 128m --cpus 0.5 --pids-limit 64 -e NAME=value env
      tiny-docker run --rm --net isolated --read-only --tmpfs /tmp --cap-drop ALL id
      mkdir nginx && docker export $(docker create nginx) | tar -x -C nginx
      tiny-docker run -d --name web -p 8080:80 --rootfs nginx nginx -g 'daemon off;'
    ");
    assert_snapshot!(see(&["ps", "--help"]).stdout, @"
    List containers

    Usage: tiny-docker ps [OPTIONS]

    Options:
      -a, --all              Those that have ended, too
          --root <DIR>       Where tiny-docker keeps its files [env: TINY_DOCKER_ROOT]
      -n, --last <N>         The newest N, whether they have ended or not
      -l, --latest           The newest one, whether it has ended or not
      -q, --quiet            Nothing but the ids
          --no-trunc         Do not cut commands short
          --format <FORMAT>  table, or json: an object in each line
      -h, --help             Print help

    Examples:
      tiny-docker ps
      tiny-docker ps -a
      tiny-docker ps --format json | jq -r .Names
      tiny-docker rm -f $(tiny-docker ps -aq)     # all of them
    ");
    assert_snapshot!(see(&["logs", "--help"]).stdout, @"
    Show what a container has printed

    Usage: tiny-docker logs [OPTIONS] <ID>

    Arguments:
      <ID>  The container's name or id, or the beginning of the id

    Options:
      -f, --follow      Go on until the container ends
          --root <DIR>  Where tiny-docker keeps its files [env: TINY_DOCKER_ROOT]
      -n, --tail <N>    Only the last N lines
      -h, --help        Print help

    Examples:
      tiny-docker logs web
      tiny-docker logs -f web | grep :00
      tiny-docker logs -n 5 web       # the last lines
    ");
    assert_snapshot!(see(&["stop", "--help"]).stdout, @"
    Stop a container

    Usage: tiny-docker stop [OPTIONS] <ID>...

    Arguments:
      <ID>...  The containers' names or ids, or the beginnings of the ids

    Options:
          --root <DIR>      Where tiny-docker keeps its files [env: TINY_DOCKER_ROOT]
      -t, --time <SECONDS>  How long to wait before killing it [default: 10]
      -h, --help            Print help

    Examples:
      tiny-docker stop web
      tiny-docker stop -t 1 web       # a second, and then SIGKILL
    ");
    assert!(see(&["--version"]).stdout.starts_with("tiny-docker "));
}

#[test]
fn signals_to_the_runtime_reach_the_command() {
    need_namespaces!();
    // All others stop a job, tell of mistakes or children, or cannot be caught. glibc has 32 and 33 for itself.
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
    // To clear the screen, to name the window, to write over a line, or from right to left.
    let seen = see(&["run", "\u{1b}[2J\u{9b}2J\u{1b}]0;no\u{7}\r\u{202e}é"]);
    assert_eq!(seen.code, Some(127));
    let line = seen.stderr.lines().next().unwrap();
    assert_snapshot!(line, @r"tiny-docker: cannot run \u{1b}[2J\u{9b}2J\u{1b}]0;no\u{7}\r\u{202e}é: not found in PATH");
}

#[test]
fn a_closed_stderr_costs_the_message_and_not_the_exit_code() {
    need_namespaces!();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = tiny_docker(&["run", "no-such-command"]);
    let status = command.stderr(File::from(OwnedFd::from(writer))).status();
    assert_eq!(status.unwrap().code(), Some(127));
}
