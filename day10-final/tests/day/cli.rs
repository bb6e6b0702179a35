//! Typing `run`, and asking for help.

pub mod completion;
pub mod help;
pub mod instead;
pub mod session;

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::os::fd::OwnedFd;
use std::process::Command;

use crate::need_namespaces;
use crate::support::{
    Detached, Running, Seen, TINY_DOCKER, as_ordinary_user, assert_nothing_is_kept, names, see,
    shell, state, tiny_docker, wait_until,
};
use insta::assert_snapshot;
use tempfile::TempDir;

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
    let default = state().join("rootfs/default");
    let seen = see(&[
        "run",
        "--rootfs",
        default.to_str().unwrap(),
        "no-such-command",
    ]);
    assert_eq!(seen.code, Some(127));
    assert_snapshot!(seen.stderr, @"tiny-docker: cannot run no-such-command: not found in PATH");
    let seen = see(&["run", "/no/such/command"]);
    assert_eq!(seen.code, Some(127));
    assert_snapshot!(seen.stderr, @"tiny-docker: cannot run /no/such/command: ENOENT: No such file or directory");
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
fn wrong_usage_exits_as_in_docker() {
    let seen = see(&["run"]);
    assert_eq!(seen.code, Some(1));
    assert_snapshot!(seen.stderr, @"
    error: the following required arguments were not provided:
      <IMAGE|COMMAND>...

    Usage: tiny-docker run --root <DIR> <IMAGE|COMMAND>...

    For more information, try '--help'.
    ");
    let seen = see(&["run", "--no-such-option", "true"]);
    assert_eq!(seen.code, Some(125));
    assert_snapshot!(seen.stderr, @"
    error: unexpected argument '--no-such-option' found

    Usage: tiny-docker run [OPTIONS] <IMAGE|COMMAND>...

    For more information, try '--help'.
    ");
    assert_eq!(see(&[]).code, Some(1));
}

#[test]
fn help_is_complete() {
    assert_snapshot!(see(&["--help"]).stdout, @"
    A container runtime small enough to read

    Usage: tiny-docker [OPTIONS] <COMMAND>

    Commands:
      run         Run a command in a new container
      exec        Run a command in a running container
      ps          List containers
      inspect     Display detailed information on containers and images, as JSON
      stats       Display a live stream of containers' resource usage
      logs        Fetch the logs of a container
      stop        Stop a container
      rm          Remove containers, and everything they have written
      images      List images
      pull        Download an image from a registry
      tag         Create a tag that refers to an image
      history     Show the history of an image
      load        Load images from a tar archive
      save        Save images to a tar archive
      import      Create an image from a root filesystem in a tar archive
      rmi         Remove one or more images
      export      Export a container's filesystem as a tar archive
      login       Log in to a registry
      logout      Log out from a registry
      image       Manage images
      system      Manage everything that we keep
      kill        Send a signal to running containers
      wait        Block until containers stop, then print their exit codes
      prune       Remove all stopped containers, and everything else that is unused
      info        Show which features this host supports, and how to enable the others
      completion  Print a completion script for your shell
      help        Print this message or the help of the given subcommand(s)

    Options:
          --root <DIR>  Directory for tiny-docker's state [env: TINY_DOCKER_ROOT]
      -h, --help        Print help
      -V, --version     Print version

    Examples:
      tiny-docker run -it --rm sh     # a shell in a throwaway container
      tiny-docker run -d --name web sh -c 'while date; do sleep 1; done'
      tiny-docker logs -f web         # follow its output
      tiny-docker exec -it web sh     # look around inside
      tiny-docker rm -f web

    Run 'tiny-docker COMMAND --help' for more examples, and 'tiny-docker info' to see what this host supports.
    ");
    assert_snapshot!(see(&["run", "--help"]).stdout, @"
    Run a command in a new container

    Usage: tiny-docker run [OPTIONS] <IMAGE|COMMAND>...

    Arguments:
      <IMAGE|COMMAND>...  An image and, if it is not the image's own, the command; or only a command, in the default root filesystem

    Options:
      -d, --detach                        Run the container in the background and print its id
          --root <DIR>                    Directory for tiny-docker's state [env: TINY_DOCKER_ROOT]
          --name <NAME>                   Assign a name to the container [default: a random one]
          --rm                            Automatically remove the container when it exits
          --init                          Run an init inside the container that forwards signals and reaps processes
      -i, --interactive                   Keep stdin open, even in the background
      -t, --tty                           Allocate a pseudo-TTY
      -h, --hostname <NAME>               Hostname inside the container [default: tiny-container]
      -w, --workdir <DIR>                 Working directory inside the container (created if it does not exist)
      -e, --env <NAME[=VALUE]>            Set an environment variable (without a value: copy it from your environment)
          --env-file <FILE>               Read environment variables from a file, one per line
          --net <NET>                     Network mode: bridge, isolated (alias none) or host [default: bridge for root, isolated for others]
          --subnet <NETWORK>              Subnet for --net bridge [env: TINY_DOCKER_SUBNET] [default: 10.10.0.0/24]
      -p, --publish <PORTS>               Publish a container's port on the host (IPv4): [IP:]HOST:CONTAINER[/udp], or CONTAINER for a free host port
          --add-host <NAME:ADDRESS>       Add a custom host-to-IP mapping (host-gateway stands for this host's address)
          --dns <ADDRESS>                 Set a custom DNS server
      -m, --memory <SIZE>                 Memory limit (for example 128m or 1g)
          --cpus <NUMBER>                 Number of CPUs (for example 0.5 or 2)
          --pids-limit <NUMBER>           Maximum number of processes and threads
      -v, --volume <HOST:CONTAINER[:ro]>  Bind mount a host file or directory (append :ro for read-only)
          --tmpfs <PATH[:OPTIONS]>        Mount a tmpfs directory (with options such as size=64m,exec)
          --read-only                     Mount the root filesystem as read-only
      -u, --user <USER[:GROUP]>           Username or UID, and optionally a group name or GID
          --cap-add <CAPABILITY>          Add a Linux capability (for example NET_ADMIN), or ALL
          --cap-drop <CAPABILITY>         Drop a Linux capability, or ALL
          --security-opt <OPTION>         Disable a protection: seccomp=unconfined or no-new-privileges=false
          --rootfs <DIR>                  Directory to use as the root filesystem [default: one built from this machine's programs]
          --pull <WHEN>                   When to pull the image: always, missing (the default) or never
      -q, --quiet                         Suppress the output of the pull
          --entrypoint <COMMAND>          Command to use instead of the image's entry point (an empty one removes it)
          --stop-signal <SIGNAL>          Signal with which to stop the container [default: the image's, or TERM]
          --expose <PORT>                 Expose a port: PORT[-PORT][/udp]
      -P, --publish-all                   Publish each exposed port on a free host port
      -l, --label <NAME[=VALUE]>          Set a label on the container
          --help                          Print help (-h sets the hostname, as in Docker)

    Examples:
      tiny-docker run -it --rm sh
      tiny-docker run --rm -v $PWD:/work:ro -w /work ls
      tiny-docker run --rm --memory 128m --cpus 0.5 --pids-limit 64 -e NAME=value env
      tiny-docker run --rm --net isolated --read-only --tmpfs /tmp --cap-drop ALL id
      tiny-docker run -it --rm alpine
      tiny-docker run -d --name web -p 8080:80 nginx
      tiny-docker run -d --name web -p 8080:80 --rootfs DIR nginx -g 'daemon off;'
    ");
    assert_snapshot!(see(&["ps", "--help"]).stdout, @"
    List containers

    Usage: tiny-docker ps [OPTIONS]

    Options:
      -a, --all              Show all containers (default shows just running)
          --root <DIR>       Directory for tiny-docker's state [env: TINY_DOCKER_ROOT]
      -n, --last <N>         Show the last N created containers (includes all states)
      -l, --latest           Show the latest created container (includes all states)
      -q, --quiet            Only display container ids
          --no-trunc         Don't truncate output
          --format <FORMAT>  Output format: table, or json (one object per line)
      -h, --help             Print help

    Examples:
      tiny-docker ps
      tiny-docker ps -a
      tiny-docker ps --format json | jq -r .Names
      tiny-docker rm -f $(tiny-docker ps -aq)     # remove all containers
    ");
    assert_snapshot!(see(&["logs", "--help"]).stdout, @"
    Fetch the logs of a container

    Usage: tiny-docker logs [OPTIONS] <ID>

    Arguments:
      <ID>  The container's name or id, or a unique prefix of the id

    Options:
      -f, --follow      Follow log output
          --root <DIR>  Directory for tiny-docker's state [env: TINY_DOCKER_ROOT]
      -n, --tail <N>    Number of lines to show from the end of the logs
      -h, --help        Print help

    Examples:
      tiny-docker logs web
      tiny-docker logs -f web | grep :00
      tiny-docker logs -n 5 web       # the last five lines
    ");
    assert_snapshot!(see(&["stop", "--help"]).stdout, @"
    Stop a container

    Usage: tiny-docker stop [OPTIONS] <ID>...

    Arguments:
      <ID>...  The containers' names or ids, or unique prefixes of the ids

    Options:
          --root <DIR>       Directory for tiny-docker's state [env: TINY_DOCKER_ROOT]
      -s, --signal <SIGNAL>  Signal to send [default: the container's, or TERM]
      -t, --time <SECONDS>   Seconds to wait before killing the container (-1: as long as it takes) [default: 10]
      -h, --help             Print help

    Examples:
      tiny-docker stop web
      tiny-docker stop -t 1 web       # wait one second, then send SIGKILL
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
    let seen = see(&["run", "/\u{1b}[2J\u{9b}2J\u{1b}]0;no\u{7}\r\u{202e}é"]);
    assert_eq!(seen.code, Some(127));
    let line = seen.stderr.lines().next().unwrap();
    assert_snapshot!(line, @r"tiny-docker: cannot run /\u{1b}[2J\u{9b}2J\u{1b}]0;no\u{7}\r\u{202e}é: ENOENT: No such file or directory");
}

#[test]
fn a_closed_stderr_costs_the_message_but_not_the_exit_code() {
    need_namespaces!();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = tiny_docker(&["run", "/no-such-command"]);
    let status = command.stderr(File::from(OwnedFd::from(writer))).status();
    assert_eq!(status.unwrap().code(), Some(127));
}

#[test]
fn an_empty_value_is_as_good_as_none() {
    need_namespaces!();
    let what = "pwd; hostname; id -u; ls /sys/class/net";
    let without = see(&["run", "sh", "-c", what]);
    assert_eq!(without.code, Some(0), "{}", without.stderr);
    let empty = "--workdir= --name= --hostname= --user= --network= --net= --subnet= --restart= --entrypoint=";
    let empty: Vec<_> = empty.split(' ').collect();
    let with = see(&[
        &["run", "-w", "", "-h", ""],
        &empty[..],
        &["sh", "-c", what],
    ]
    .concat());
    assert_eq!((with.code, with.stderr.as_str()), (Some(0), ""));
    assert_eq!(with.stdout, without.stdout);
    assert_eq!(names().len(), 2);
    let container = Detached::start(&["-w", "/tmp", "-u", "1", "--net", "default", "sleep", "600"]);
    let exec = [
        "exec",
        "-w",
        "",
        "-u",
        "",
        &container.id,
        "sh",
        "-c",
        "pwd; id -u",
    ];
    assert_eq!(see(&exec).stdout, "/tmp\n1\n");
    for command in ["ps", "stats --no-stream"] {
        let seen = shell(&format!(
            "$TD {command} --format '' | grep -c {}",
            container.id
        ));
        assert_eq!(seen.stdout, "1\n", "{command}");
    }
    let home = TempDir::new().unwrap();
    let mut ps = as_ordinary_user(home.path(), &["--root", "", "ps"]);
    ps.env("HOME", home.path()).env("TINY_DOCKER_SUBNET", "");
    let seen: Seen = ps.env("TINY_DOCKER_ROOT", "").output().unwrap().into();
    assert_eq!((seen.code, seen.stderr.as_str()), (Some(0), ""));
}

/// Commands that print something, or have done something, when it turns out that nobody can be told.
#[test]
fn what_cannot_be_printed_is_an_error() {
    need_namespaces!();
    let container = Detached::start(&["--name", "web", "sh", "-c", "echo hello; sleep 600"]);
    wait_until("its output", || !see(&["logs", "web"]).stdout.is_empty());
    for command in [
        "ps",
        "logs web",
        "logs -f web",
        "inspect web",
        "info",
        "completion bash",
        "completion zsh",
        "--help",
        "run --help",
        "--version",
        "stats --no-stream",
        "stats",
        "kill -s WINCH web",
        "prune -f",
        "prune",
        "exec web true",
        "stop -t 0 web",
        "wait web",
        "rm web",
    ] {
        let seen = shell(&format!("timeout 60 $TD {command} >/dev/full; echo $?"));
        let expected = if command == "exec web true" {
            "0\n"
        } else {
            "1\n"
        };
        assert_eq!(seen.stdout, expected, "{command}: {}", seen.stderr);
        if expected == "1\n" {
            let end = ": No space left on device (os error 28)\n";
            assert!(seen.stderr.ends_with(end), "{command}: {}", seen.stderr);
            assert_eq!(seen.stderr.lines().count(), 1, "{command}: {}", seen.stderr);
        }
    }
    assert_nothing_is_kept();
    drop(container);
}

#[test]
fn a_container_whose_id_cannot_be_printed_goes_on() {
    need_namespaces!();
    let seen = shell("$TD run -d --net isolated sleep 600 >/dev/full; echo $?; $TD ps -q");
    let mut lines = seen.stdout.lines();
    assert_eq!(lines.next(), Some("1"));
    let id = lines.next().unwrap().to_owned();
    let said = seen.stderr.replace(&id, "ID");
    let _container = Detached { id };
    assert_snapshot!(said, @"tiny-docker: cannot print ID: No space left on device (os error 28)");
    // A reader who has gone has read enough.
    let seen = shell("{ sleep 0.3; $TD run -d --net isolated true; echo $? >&2; } | true; sleep 1");
    assert_eq!(seen.stderr, "0\n");
}

#[test]
fn what_the_user_mistypes_does_not_change_the_terminal_either() {
    for words in [
        &["\u{1b}[2J\u{9b}2J\u{202e}"][..],
        &["run", "--\u{1b}[2J\u{9b}2J\u{202e}", "true"],
        &["logs", "-n", "\u{9b}2J\u{202e}", "x"],
    ] {
        let mut command = tiny_docker(words);
        let seen: Seen = command.env("CLICOLOR_FORCE", "1").output().unwrap().into();
        let odd = |c: char| c != '\n' && c.escape_debug().count() > 1 && !"'\"\\".contains(c);
        assert!(seen.stderr.contains(r"\u{9b}2J\u{202e}"), "{}", seen.stderr);
        assert!(!seen.stderr.contains(odd), "{:?}", seen.stderr);
    }
}

#[test]
fn a_path_does_not_change_the_terminal_either() {
    need_namespaces!();
    let odd = state().join("\u{1b}[2J\u{9b}2J\u{202e}");
    let script = "$TD run --net isolated true; $TD run --rootfs $TINY_DOCKER_ROOT/x true
        flock $TINY_DOCKER_ROOT/containers sleep 2 & sleep 0.5; $TD run --net isolated true; $TD info
        echo >$(ls -d $TINY_DOCKER_ROOT/containers/* | head -1)/config.json; $TD ps";
    let mut sh = Command::new("sh");
    sh.args(["-c", script]).env("TD", TINY_DOCKER);
    let output = sh.env("TINY_DOCKER_ROOT", &odd).output().unwrap();
    let [stdout, stderr] = [output.stdout, output.stderr].map(|it| String::from_utf8(it).unwrap());
    for part in ["building", "cannot make", "waiting for", "cannot read"] {
        assert!(stderr.contains(part), "{part}: {stderr}");
    }
    let odd = |c: char| c != '\n' && (c.is_control() || c == '\u{202e}');
    assert!(!stderr.contains(odd), "{stderr:?}");
    assert!(!stdout.contains(odd), "{stdout:?}");
}
