//! Containers in the background.

use std::fs;
use std::time::Duration;

use insta::assert_snapshot;
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, geteuid};

use crate::need_namespaces;
use crate::support::{
    Detached, Running, leave_to, processes_with, records, see, shell, state, tiny_docker,
    wait_until,
};

#[test]
fn run_d_prints_the_id_and_returns() {
    need_namespaces!();
    let time = format!("1000.{}5", std::process::id());
    // As a user would type it: the shell waits until nobody can print into $( ) any more.
    let seen = shell(&format!(
        "id=$(timeout 30 $TD run -d sleep {time}); echo $?; echo $id; $TD ps"
    ));
    let lines: Vec<_> = seen.stdout.lines().collect();
    assert_eq!(lines[0], "0", "{}", seen.stderr);
    let container = Detached {
        id: lines[1].to_owned(),
    };
    assert!(lines[3].starts_with(&container.id));
    assert!(processes_with(&time).contains(&container.pid()));
}

#[test]
fn a_command_that_cannot_start_says_so_and_leaves_nothing() {
    need_namespaces!();
    for (arguments, code) in [
        (&["/no-such-command"][..], 127),
        (&["/etc/passwd"], 126),
        (&["--rootfs", "/no/such", "true"], 125),
    ] {
        let detached = see(&[&["run", "-d"], arguments].concat());
        let foreground = see(&[&["run"], arguments].concat());
        assert_eq!(detached.code, Some(code));
        assert_eq!(detached.stdout, "");
        assert_eq!(detached.stderr, foreground.stderr);
        assert_ne!(detached.stderr, "");
    }
    assert_eq!(records().len(), 0);
}

#[test]
fn a_caller_that_ignores_sigchld_hears_that_it_cannot_start() {
    need_namespaces!();
    let seen = shell("timeout 30 env --ignore-signal=CHLD $TD run -d /no-such-command; echo $?");
    assert_eq!(seen.stdout, "127\n", "{}", seen.stderr);
}

#[test]
fn its_exit_code_is_kept() {
    need_namespaces!();
    let container = Detached::start(&["sh", "-c", "exit 9"]);
    container.wait_for_its_end();
    assert_eq!(container.listed(), "- exited (9) sh -c exit 9");
}

#[test]
fn it_has_nothing_to_read_and_no_terminal() {
    need_namespaces!();
    let container = Detached::start(&[
        "sh",
        "-c",
        "cat; tty; readlink /proc/self/fd/0; true </dev/tty",
    ]);
    container.wait_for_its_end();
    let log = fs::read_to_string(container.log()).unwrap();
    assert!(log.starts_with("not a tty\n/dev/null\n"), "{log}");
    assert!(log.contains("/dev/tty"), "{log}");
}

#[test]
fn kill_0_inside_stays_inside() {
    need_namespaces!();
    let container = Detached::start(&["sh", "-c", "trap '' TERM; kill -TERM 0; sleep 0.2; exit 6"]);
    container.wait_for_its_end();
    assert_eq!(container.record()["exit_code"], 6);
    // A SIGKILL for its own group spares PID 1, and must spare its supervisor, too.
    let container = Detached::start(&["sh", "-c", "kill -KILL 0; exit 7"]);
    container.wait_for_its_end();
    assert_eq!(container.record()["exit_code"], 7);
}

#[test]
fn the_supervisor_holds_none_of_the_callers_files() {
    need_namespaces!();
    let seen = shell("$TD run -d sleep 1000 </etc/passwd");
    let id = seen.stdout.trim().to_owned();
    let container = Detached { id };
    let directory = format!("/proc/{}/cwd", container.supervisor());
    assert_eq!(fs::read_link(directory).unwrap().to_str(), Some("/"));
    for fd in 0..=2 {
        let link = format!("/proc/{}/fd/{fd}", container.supervisor());
        assert_eq!(fs::read_link(link).unwrap().to_str(), Some("/dev/null"));
    }
}

#[test]
fn a_killed_supervisor_leaves_a_container_that_ps_reports_correctly() {
    need_namespaces!();
    let container = Detached::start(&[
        "sh",
        "-c",
        "echo one; while ! [ -e /tmp/$HOSTNAME ]; do sleep 0.05; done; echo two",
    ]);
    kill(Pid::from_raw(container.supervisor()), Signal::SIGKILL).unwrap();
    wait_until("it an orphan", || {
        container.supervisor() == 1
            || fs::read_to_string(format!("/proc/{}/comm", container.supervisor()))
                .is_ok_and(|name| !name.starts_with("day"))
    });
    assert!(container.is_running());
    wait_until("its line", || {
        see(&["logs", &container.id]).stdout == "one\n"
    });
    kill(Pid::from_raw(container.pid()), Signal::SIGKILL).unwrap();
    wait_until("its end", || !container.is_running());
    assert_eq!(container.listed().split(" sh").next(), Some("- exited"));
    assert_eq!(see(&["logs", "-f", &container.id]).stdout, "one\n");
}

#[test]
fn a_supervisor_killed_at_any_moment_leaves_the_truth() {
    need_namespaces!();
    let time = format!("1000.{}6", std::process::id());
    for pause in 0..30 {
        let mut caller = Running::start(&mut tiny_docker(&["run", "-d", "sleep", &time]));
        std::thread::sleep(Duration::from_micros(200 * pause));
        // The supervisor has its caller's command line.
        for pid in processes_with(&time) {
            let is_ours = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            if pid != caller.pid() && String::from_utf8_lossy(&is_ours).contains("run\0-d") {
                let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
            }
        }
        caller.0.wait().unwrap();
    }
    // Every container that is alive is listed, and every one that is listed is alive.
    let sleeps = || {
        let with_the_time = processes_with(&format!("sleep\0{time}"));
        let is_sleep = |pid: &i32| {
            fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line.starts_with(b"sleep\0"))
        };
        with_the_time
            .into_iter()
            .filter(is_sleep)
            .collect::<Vec<_>>()
    };
    wait_until("the truth", || {
        let (alive, seen) = (sleeps(), see(&["ps", "-q"]));
        assert_eq!(seen.stderr, "");
        let pid = |id: &str| {
            let config = state().join("containers").join(id).join("config.json");
            let record: serde_json::Value =
                serde_json::from_slice(&fs::read(config).unwrap()).unwrap();
            record["pid"].as_i64().unwrap() as i32
        };
        let listed: Vec<_> = seen.stdout.lines().map(pid).collect();
        alive.iter().all(|pid| listed.contains(pid)) && listed.len() == alive.len()
    });
    for pid in sleeps() {
        let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
    }
}

#[test]
fn a_full_disk_does_not_end_the_container() {
    need_namespaces!();
    if !geteuid().is_root() {
        return leave_to("root, to mount a small filesystem");
    }
    let script = r"mkdir $ROOT/small; mount -t tmpfs -o size=256k,mode=700 tmpfs $ROOT/small; export TINY_DOCKER_ROOT=$ROOT/small
        id=$($TD run -d --rootfs $ROOT/rootfs/default sh -c 'cat /dev/zero; echo full >&2; sleep 0.5; exit 3')
        $TD logs -f $id | wc -c; $TD ps | wc -l
        $TD run --rootfs $ROOT/rootfs/default sh -c 'exit 4'; echo $?; $TD ps -a | wc -l";
    std::fs::write(state().join("script"), script).unwrap();
    let seen = shell(&format!(
        "ROOT={0} unshare --mount --propagation private sh {0}/script",
        state().display()
    ));
    let lines: Vec<_> = seen.stdout.lines().collect();
    assert!(
        lines[0].parse::<u32>().unwrap() > 100_000,
        "{}",
        seen.stdout
    );
    assert_eq!(lines[1..], ["1", "125", "2"], "{}", seen.stderr);
    assert_snapshot!(seen.stderr.lines().filter(|line| line.contains("tiny-docker")).count(), @"1");
}

#[test]
fn it_keeps_none_of_the_callers_locks_and_pipes() {
    need_namespaces!();
    let line = "exec 9>$TINY_DOCKER_ROOT/lock; flock 9; $TD run -d sleep 1000; exec 9>&-
        flock -n $TINY_DOCKER_ROOT/lock echo free; { $TD run -d sleep 1000 9>&1; } | timeout 60 cat; echo $?";
    let seen = shell(line);
    let lines: Vec<_> = seen.stdout.lines().collect();
    let _containers = [lines[0], lines[lines.len() - 2]].map(|id| Detached { id: id.to_owned() });
    let last = lines[lines.len() - 1];
    assert_eq!((lines[1], last), ("free", "0"), "{lines:?}");
}
