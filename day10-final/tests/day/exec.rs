//! `exec`: another command in a running container.

pub mod attacks;
pub mod joining;
pub mod terminal;

use std::fs;
use std::io::{Read, Write};
use std::process::Stdio;

use insta::assert_snapshot;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::privileges::users::can_be_somebody_else;
use crate::support::{
    AT_WORK, Detached, Running, Seen, host, processes_with, see, shell, skip, state, tiny_docker,
    wait_until,
};
use crate::terminal::terminal;
use crate::{need_cgroups, need_namespaces};

/// A container with these `options`, in which nothing happens.
pub fn idle(options: &[&str]) -> Detached {
    Detached::start(&[&["--net", "isolated"], options, &["sleep", "1000"]].concat())
}

/// `exec ARGUMENTS…`, with ID for the container.
pub fn exec(container: &Detached, arguments: &[&str]) -> Seen {
    let id = |argument: &&str| match *argument {
        "ID" => container.id.clone(),
        other => other.to_owned(),
    };
    let arguments: Vec<_> = arguments.iter().map(id).collect();
    let mut all = vec!["exec"];
    all.extend(arguments.iter().map(String::as_str));
    let mut seen = see(&all);
    seen.stderr = seen.stderr.replace(&container.id, "ID");
    seen
}

/// The processes in it, as it sees them.
fn processes(container: &Detached) -> String {
    exec(container, &["ID", "ps", "-eo", "ppid,stat,args"]).stdout
}

#[test]
fn it_prints_and_ends_as_the_command_does() {
    need_namespaces!();
    let container = idle(&["--name", "web-server"]);
    let seen = exec(
        &container,
        &["ID", "sh", "-c", "echo out; echo err >&2; exit 7"],
    );
    assert_eq!(
        (seen.stdout.as_str(), seen.stderr.as_str()),
        ("out\n", "err\n")
    );
    assert_eq!(seen.code, Some(7));
    assert_eq!(
        exec(&container, &["ID", "sh", "-c", "kill -9 $$"]).code,
        Some(137)
    );
    assert_eq!(
        exec(&container, &["web-server", "hostname"]).stdout,
        "tiny-container\n"
    );
    assert_eq!(
        exec(&container, &[&container.id[..6], "true"]).code,
        Some(0)
    );
    // What is between options and command belongs to neither.
    assert_eq!(
        exec(&container, &["ID", "echo", "-t", "-d"]).stdout,
        "-t -d\n"
    );
}

#[test]
fn errors_are_reported_with_or_without_a_terminal() {
    need_namespaces!();
    let container = idle(&[]);
    let mut table = String::new();
    for arguments in [
        &["ID", "no-such-command"][..],
        &["ID", "/etc/passwd"],
        &["ID", "/no/such/command"],
        &["-w", "/nowhere", "ID", "true"],
        &["-w", "/etc/passwd", "ID", "true"],
        &["-u", "nobody-knows", "ID", "true"],
    ] {
        for option in ["-eA=", "-t", "-d"] {
            let seen = exec(&container, &[&[option], arguments].concat());
            assert_eq!(seen.stdout, "", "{arguments:?}");
            let told = format!("{} {}", seen.code.unwrap(), seen.stderr);
            if option == "-eA=" {
                table += &told;
            } else {
                assert!(table.ends_with(&told), "{option} {arguments:?}: {told}");
            }
        }
    }
    assert_snapshot!(table, @r"
    127 tiny-docker: cannot run a command in ID: cannot run no-such-command: not found in PATH
    126 tiny-docker: cannot run a command in ID: cannot run /etc/passwd: EACCES: Permission denied
    127 tiny-docker: cannot run a command in ID: cannot run /no/such/command: ENOENT: No such file or directory
    126 tiny-docker: cannot run a command in ID: cannot use the working directory /nowhere: ENOENT: No such file or directory
    126 tiny-docker: cannot run a command in ID: cannot use the working directory /etc/passwd: ENOTDIR: Not a directory
    125 tiny-docker: cannot run a command in ID: no user nobody-knows in the container's /etc/passwd
    ");
    assert_eq!(processes(&container).lines().count(), 3);
}

#[test]
fn the_container_must_be_running() {
    need_namespaces!();
    let container = idle(&[]);
    see(&["stop", "-t", "0", &container.id]);
    for option in ["-i", "-t", "-d"] {
        let seen = exec(&container, &[option, "ID", "true"]);
        assert_eq!(seen.code, Some(1), "{option}");
        assert_eq!(
            seen.stderr,
            "tiny-docker: cannot run a command in ID: it is not running\n"
        );
        let seen = exec(&container, &[option, "nothing", "true"]);
        assert_eq!(seen.code, Some(1), "{option}");
        let told = "tiny-docker: cannot run a command in nothing: no such container\nhint: tiny-docker ps -a lists all containers\n";
        assert_eq!(seen.stderr, told);
    }
}

#[test]
fn it_reads_stdin_only_with_i() {
    need_namespaces!();
    let container = idle(&[]);
    for (option, expected) in [("-i", "typed\n"), ("-eA=", ""), ("-d", "")] {
        let line = format!(
            "echo typed | timeout 20 $TD exec {option} {} cat",
            container.id
        );
        let seen = shell(&line);
        assert_eq!(
            (seen.stdout.as_str(), seen.code),
            (expected, Some(0)),
            "{option}"
        );
    }
    let seen = exec(&container, &["-it", "ID", "true"]);
    assert_eq!(seen.code, Some(1));
    assert!(seen.stderr.contains("is not a TTY"), "{}", seen.stderr);
}

#[test]
fn its_environment_is_the_containers_plus_what_is_added() {
    need_namespaces!();
    let container = idle(&["-e", "A=1", "-e", "B=2", "-w", "/srv/new"]);
    let seen = exec(
        &container,
        &[
            "-e",
            "B=3",
            "-e",
            "C=4",
            "ID",
            "sh",
            "-c",
            "env | sort; pwd",
        ],
    );
    assert_eq!(seen.stderr, "");
    let seen: Vec<_> = seen
        .stdout
        .lines()
        .filter(|line| !line.starts_with("_="))
        .collect();
    assert_snapshot!(seen.join("\n"), @r"
    A=1
    B=3
    C=4
    HOME=/root
    HOSTNAME=tiny-container
    PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
    PWD=/srv/new
    TERM=xterm
    /srv/new
    ");
    assert_eq!(
        exec(&container, &["-w", "/tmp", "ID", "pwd"]).stdout,
        "/tmp\n"
    );
}

#[test]
fn the_callers_umask_does_not_matter() {
    need_namespaces!();
    let container = idle(&[]);
    let seen = shell(&format!("umask 077; $TD exec {} sh -c umask", container.id));
    assert_eq!(seen.stdout, "0022\n");
}

#[test]
fn it_is_in_the_same_namespaces_and_groups_as_pid_1() {
    need_namespaces!();
    let script = "for n in /proc/self/ns/*; do \
        test \"$(readlink $n)\" = \"$(readlink /proc/1/ns/${n##*/})\" || echo $n; done; \
        test \"$(cat /proc/self/cgroup)\" = \"$(cat /proc/1/cgroup)\" && echo done";
    for net in ["isolated", "host"] {
        let container = Detached::start(&["--net", net, "sleep", "1000"]);
        let seen = exec(&container, &["ID", "sh", "-c", script]);
        assert_eq!(
            (seen.stdout.as_str(), seen.stderr.as_str()),
            ("done\n", ""),
            "{net}"
        );
    }
}

#[test]
fn it_may_do_what_the_containers_command_may() {
    need_namespaces!();
    let script = "grep -E '^(Cap(Inh|Prm|Eff|Bnd|Amb)|NoNewPrivs|Seccomp):' /proc/PID/status";
    for options in [
        &[][..],
        &["--cap-drop", "ALL"],
        &["--cap-add", "NET_ADMIN"],
        &["--security-opt", "seccomp=unconfined"],
        &["--security-opt", "no-new-privileges=false"],
    ] {
        let container = idle(options);
        let first = exec(&container, &["ID", "sh", "-c", &script.replace("PID", "1")]).stdout;
        let own = exec(
            &container,
            &["ID", "sh", "-c", &script.replace("PID", "self")],
        )
        .stdout;
        assert_eq!(own, first, "{options:?}");
        if options.is_empty() {
            assert!(own.contains("CapBnd:\t00000000a80425fb\nCapAmb:\t0000000000000000\n"));
            assert!(own.contains("NoNewPrivs:\t1\nSeccomp:\t2\n"), "{own}");
        }
    }
}

#[test]
fn it_may_be_another_user() {
    need_namespaces!();
    if !can_be_somebody_else() {
        return skip(
            "newuidmap, and a range of ids for this user in /etc/subuid: sudo apt install uidmap",
        );
    }
    let container = idle(&["-u", "1234:5"]);
    let script = "echo $(id -u) $(id -g) $HOME $(grep CapEff /proc/self/status)";
    let id = |options: &[&str]| {
        exec(&container, &[options, &["ID", "sh", "-c", script]].concat()).stdout
    };
    assert_eq!(id(&[]), "1234 5 / CapEff: 0000000000000000\n");
    assert_eq!(id(&["-u", "77"]), "77 0 / CapEff: 0000000000000000\n");
    assert_eq!(id(&["-u", "root"]), "0 0 /root CapEff: 00000000a80425fb\n");
    assert!(id(&["-u", "nobody", "-t"]).starts_with("65534 "));
}

#[test]
fn in_the_background_it_goes_on_and_leaves_no_zombie() {
    need_namespaces!();
    let container = idle(&[]);
    let script = "echo lost; echo $$ >/tmp/pid; exec sleep 1234";
    let seen = exec(&container, &["-d", "ID", "sh", "-c", script]);
    assert_eq!(
        (seen.stdout.as_str(), seen.stderr.as_str(), seen.code),
        ("", "", Some(0))
    );
    wait_until("sleep", || processes(&container).contains("sleep 1234"));
    assert_eq!(see(&["logs", &container.id]).stdout, "");
    exec(&container, &["ID", "sh", "-c", "kill $(cat /tmp/pid)"]);
    wait_until("its end", || !processes(&container).contains("1234"));
    assert!(
        !processes(&container).contains('Z'),
        "{}",
        processes(&container)
    );
    // If nobody else waits for it, the container can end.
    exec(&container, &["-d", "ID", "sleep", "1234"]);
    assert_eq!(see(&["rm", "-f", &container.id]).code, Some(0));
    wait_until("nobody left", || processes_with(&container.id).is_empty());
}

#[test]
fn in_the_background_it_keeps_none_of_the_callers_locks() {
    need_namespaces!();
    let container = idle(&[]);
    let line = "exec 9>$TINY_DOCKER_ROOT/lock; flock 9; $TD exec -d ID sleep 1000; exec 9>&-
        flock -n $TINY_DOCKER_ROOT/lock echo free";
    let seen = shell(&line.replace("ID", &container.id));
    assert_eq!(seen.stdout, "free\n", "{}", seen.stderr);
}

#[test]
fn it_ends_with_the_container() {
    need_namespaces!();
    for options in [&[][..], &["-t"]] {
        let container = idle(&[]);
        let arguments = [
            &["exec"],
            options,
            &[&container.id, "sh", "-c", "echo ready; exec sleep 1000"],
        ];
        let mut exec = Running::start(&mut tiny_docker(&arguments.concat()));
        exec.0
            .stdout
            .as_mut()
            .unwrap()
            .read_exact(&mut [0; 5])
            .unwrap();
        assert_eq!(see(&["stop", "-t", "0", &container.id]).code, Some(0));
        assert_eq!(exec.0.wait().unwrap().code(), Some(137), "{options:?}");
        container.wait_for_its_end();
    }
}

#[test]
fn signals_are_passed_on_and_a_killed_runtime_leaves_nothing() {
    need_namespaces!();
    let container = idle(&[]);
    for signal in [Signal::SIGTERM, Signal::SIGHUP, Signal::SIGKILL] {
        let script = "trap 'exit 9' TERM HUP; echo ready; while :; do sleep 0.05; done";
        let mut exec = Running::start(&mut tiny_docker(&[
            "exec",
            &container.id,
            "sh",
            "-c",
            script,
        ]));
        exec.0
            .stdout
            .as_mut()
            .unwrap()
            .read_exact(&mut [0; 5])
            .unwrap();
        kill(Pid::from_raw(exec.pid()), signal).unwrap();
        let expected = (signal != Signal::SIGKILL).then_some(9);
        assert_eq!(exec.0.wait().unwrap().code(), expected, "{signal}");
        wait_until("its end", || !processes(&container).contains("trap"));
    }
}

#[test]
fn ctrl_c_reaches_all_of_it() {
    need_namespaces!();
    for options in ["", "-i", "-t", "-it"] {
        let container = idle(&[]);
        let script = match options {
            // Here it comes as a signal, not as a key, and goes to the command.
            "-t" => AT_WORK.to_owned(),
            // bash waits until its foreground job has ended, too.
            _ => format!("{AT_WORK}; echo not killed"),
        };
        let mut user = terminal(&format!(
            "trap : INT; $TD exec {options} {} bash -c '{script}'; echo code $?",
            container.id
        ));
        user.exp_string("tail").unwrap();
        user.send_control('c').unwrap();
        user.exp_string("code 130").unwrap();
        assert_eq!(processes(&container).lines().count(), 3, "{options}");
    }
}

#[test]
fn it_has_a_terminal_of_its_own() {
    need_namespaces!();
    let container = idle(&[]);
    let script =
        "tty; stty size; test -t 0 && test -t 1 && test -t 2; read word; echo $word; exit 5";
    let mut user = terminal(&format!(
        "stty rows 33 cols 77; $TD exec -it {} sh -c '{script}'; echo code $?",
        container.id
    ));
    user.exp_string("/dev/pts/0\r\n33 77\r\n").unwrap();
    user.send_line("hello").unwrap();
    user.exp_string("hello\r\nhello\r\ncode 5").unwrap();
    let mut user = terminal(&format!(
        "$TD exec -it {} bash --norc; echo code $?",
        container.id
    ));
    user.exp_string("# ").unwrap();
    user.send_line("echo $((20 + 22)); exit 3").unwrap();
    let said = user.exp_string("code 3").unwrap();
    assert!(
        said.contains("42") && !said.contains("job control"),
        "{said}"
    );
}

#[test]
fn many_at_once_do_not_disturb_each_other() {
    need_namespaces!();
    let container = idle(&[]);
    let mut all: Vec<_> = (0..6)
        .map(|n| {
            let mut exec =
                tiny_docker(&["exec", "-i", &container.id, "sh", "-c", "read n; exit $n"]);
            (n, exec.stdin(Stdio::piped()).spawn().unwrap())
        })
        .collect();
    for (n, exec) in all.iter_mut().rev() {
        writeln!(exec.stdin.take().unwrap(), "{n}").unwrap();
        assert_eq!(exec.wait().unwrap().code(), Some(*n));
    }
}

#[test]
fn it_is_within_the_containers_limits() {
    need_cgroups!();
    let container = idle(&["--memory", "64m", "--pids-limit", "12"]);
    let script = "for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14; do sleep 5 & done; wait";
    let seen = exec(&container, &["ID", "bash", "-c", script]);
    assert!(
        seen.stderr.contains("Resource temporarily unavailable"),
        "{}",
        seen.stderr
    );
    let seen = exec(
        &container,
        &["ID", "sh", "-c", "head -c 200M /dev/zero | tail | wc -c"],
    );
    assert_ne!(seen.stdout, "209715200\n");
    // The joiner counts only until the command starts.
    let container = idle(&["--pids-limit", "3"]);
    assert_eq!(
        exec(&container, &["ID", "sh", "-c", "sleep 0; echo $?"]).stdout,
        "0\n"
    );
}

#[test]
fn it_waits_for_a_container_that_is_starting() {
    need_namespaces!();
    let mut run = tiny_docker(&[
        "run", "--net", "isolated", "--name", "just-now", "sleep", "1000",
    ]);
    let mut run = run.spawn().unwrap();
    wait_until("its record", || {
        let seen = see(&["exec", "just-now", "sh", "-c", "readlink /proc/1/exe; ls /"]);
        assert!(!seen.stdout.contains("old_root"), "{}", seen.stdout);
        seen.code == Some(0) && seen.stdout.contains("sleep\n")
    });
    assert_eq!(see(&["rm", "-f", "just-now"]).code, Some(0));
    run.wait().unwrap();
    assert!(
        fs::read_dir(state().join("containers"))
            .unwrap()
            .next()
            .is_none()
    );
}

#[test]
fn a_container_may_end_while_exec_is_on_its_way() {
    need_namespaces!();
    let container = idle(&[]);
    let fifo = state().join("fifo");
    host(&format!("mkfifo {}", fifo.display()));
    // It has been found running when its variables are read.
    let line =
        "$TD exec --env-file FIFO ID true & exec 3>FIFO; $TD stop -t 0 ID; exec 3>&-; wait $!";
    let line = line.replace("FIFO", fifo.to_str().unwrap());
    let seen = shell(&line.replace("ID", &container.id));
    let stderr = seen.stderr.replace(&container.id, "ID");
    assert_eq!(
        stderr,
        "tiny-docker: cannot run a command in ID: it is not running\n"
    );
    assert_eq!(seen.code, Some(1));
}
