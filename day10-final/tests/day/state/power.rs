//! Power loss: all our processes are killed at once, and nobody tidies up. The next command does.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, geteuid};
use tempfile::TempDir;

use crate::need_namespaces;
use crate::network::bridge::{start_over, wait_until_none_is_connected};
use crate::privileges::users::can_be_somebody_else;
use crate::support::{
    Detached, Running, TINY_DOCKER, can_have_cgroups, groups, host, leave_to, names, records, see,
    state, tiny_docker, wait_until, write_program,
};

/// Field 1 of /proc/PID/stat is the state, and field 2 the parent, counted after the program's name.
fn state_and_parent(pid: i32) -> Option<(String, i32)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_whitespace();
    Some((fields.next()?.to_owned(), fields.next()?.parse().ok()?))
}

/// A process that is being killed no longer has a command line, but is still alive.
pub fn is_dead(pid: i32) -> bool {
    state_and_parent(pid).is_none_or(|(state, _)| state == "Z")
}

/// The processes that are alive and have `state` in their environment, and all their descendants.
pub fn ours(state: &Path) -> BTreeSet<i32> {
    let variable = format!("TINY_DOCKER_ROOT={}", state.display());
    let is_ours = |pid: i32| {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        let mut variables = environment.split(|byte| *byte == 0);
        // The environment of a process that has changed its user cannot be read, but its arguments can.
        let arguments = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let path = state.as_os_str().as_encoded_bytes();
        let mut arguments = arguments.split(|byte| *byte == 0);
        variables.any(|other| other == variable.as_bytes())
            || arguments.any(|argument| argument == path)
    };
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let alive = |pid: i32| {
        Some((
            pid,
            state_and_parent(pid).filter(|(state, _)| state != "Z")?.1,
        ))
    };
    let alive: Vec<_> = pids.filter_map(alive).collect();
    let mut ours: BTreeSet<_> = alive
        .iter()
        .map(|(pid, _)| *pid)
        .filter(|pid| is_ours(*pid))
        .collect();
    loop {
        let known = ours.len();
        ours.extend(
            alive
                .iter()
                .filter(|(_, parent)| ours.contains(parent))
                .map(|(pid, _)| *pid)
                .collect::<Vec<_>>(),
        );
        if ours.len() == known {
            return ours;
        }
    }
}

/// Kills them in such a way that none of them sees another one end.
fn cut_the_power() {
    let state = state();
    let (mut stopped, mut unseen) = (BTreeSet::new(), 0);
    // One that is in the middle of an exec, or that we may not look into for a moment, shows up a little later.
    while unseen < 5 {
        let more: Vec<_> = ours(&state).difference(&stopped).copied().collect();
        if more.is_empty() {
            unseen += 1;
            std::thread::sleep(std::time::Duration::from_millis(2));
            continue;
        }
        unseen = 0;
        for pid in more {
            let _ = kill(Pid::from_raw(pid), Signal::SIGSTOP);
            stopped.insert(pid);
        }
        // One that is running, or waiting in the kernel, may be in the middle of a fork. But vfork(2) waits for a child that
        // has not executed anything yet.
        let words = |pid: i32| fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let waits_for_child = |pid: &i32| {
            let mut others = ours(&state).into_iter();
            others.any(|other| {
                let parent = state_and_parent(other).map(|(_, parent)| parent);
                parent == Some(*pid) && words(other) == words(*pid)
            })
        };
        let moves = |pid: &i32| match state_and_parent(*pid) {
            Some((state, _)) => state == "R" || state == "D" && !waits_for_child(pid),
            None => false,
        };
        wait_until("them stop", || !stopped.iter().any(moves));
    }
    // The youngest first: no process must learn that its child has ended, and then go on.
    for pid in stopped.iter().rev() {
        let _ = kill(Pid::from_raw(*pid), Signal::SIGKILL);
    }
    wait_until("the dark", || stopped.iter().all(|pid| is_dead(*pid)));
    assert_eq!(ours(&state), BTreeSet::new());
}

/// A directory for PATH, in which `program` hangs.
fn hanging(program: &str) -> (TempDir, String) {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join(program);
    write_program(&file, "#!/bin/sh\nexec sleep 1000\n");
    let path = format!(
        "{}:{}",
        directory.path().display(),
        std::env::var("PATH").unwrap()
    );
    (directory, path)
}

fn hidden_records() -> Vec<PathBuf> {
    let hidden = |record: &PathBuf| {
        record
            .file_name()
            .unwrap()
            .to_str()
            .unwrap()
            .starts_with('.')
    };
    records().into_iter().filter(hidden).collect()
}

/// A container hangs in the middle of its start: the host's part of it is not done.
fn starting(options: &[&str]) -> Option<(Running, TempDir)> {
    let program = match (geteuid().is_root(), can_be_somebody_else()) {
        (true, _) => "ip",
        (false, true) => "newuidmap",
        (false, false) => return None,
    };
    let (directory, path) = hanging(program);
    let arguments = [&["run", "--name", "starting"], options, &["sleep", "1000"]].concat();
    let run = Running::start(tiny_docker(&arguments).env("PATH", path));
    wait_until("it hanging", || {
        crate::support::processes_with(directory.path().to_str().unwrap()).is_empty()
            && !hidden_records().is_empty()
            && ours(&state()).iter().any(|pid| is_asleep(*pid, run.pid()))
    });
    Some((run, directory))
}

/// Whether `pid` is the sleep that stands in for a program that `parent` has called.
fn is_asleep(pid: i32, parent: i32) -> bool {
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    line == b"sleep\x001000\0" && state_and_parent(pid).is_some_and(|(_, other)| other == parent)
}

/// A container hangs in the middle of its removal.
fn removing() -> (Running, TempDir) {
    let line = "for i in $(seq 40); do mkdir d; cd d; done";
    let ruins = Detached::start(&["--net", "isolated", "sh", "-c", line]);
    ruins.wait_for_its_end();
    // With few open files allowed, it needs rm(1): see idmap.rs.
    let (directory, path) = hanging("rm");
    let mut sh = Command::new("sh");
    sh.args(["-c", "ulimit -n 20; exec $TD rm $RUINS"])
        .env("RUINS", &ruins.id)
        .env("TD", TINY_DOCKER)
        .env("TINY_DOCKER_ROOT", state());
    let rm = Running::start(sh.env("PATH", path));
    wait_until("it hanging", || {
        ours(&state()).iter().any(|pid| is_asleep(*pid, rm.pid()))
    });
    (rm, directory)
}

fn id_of(name: &str) -> String {
    let id = fs::read_link(state().join("names").join(name)).unwrap();
    id.to_str().unwrap().to_owned()
}

#[test]
fn after_a_power_loss_the_next_command_knows_and_tidies_up() {
    need_namespaces!();
    let root = geteuid().is_root();
    let limits: &[&str] = if can_have_cgroups() {
        &["--memory", "64m", "--pids-limit", "50"]
    } else {
        &[]
    };
    let publishes = root && see(&["run", "--help"]).stdout.contains("--publish");
    let published: &[&str] = if publishes {
        &["-p", "127.0.0.1:8080:80"]
    } else {
        &[]
    };
    let rules =
        root.then(|| host("nft list ruleset; iptables-save | grep -v -e '^#' -e '^:' || true"));

    assert_eq!(
        see(&["run", "--name", "ended", "sh", "-c", "exit 3"]).code,
        Some(3)
    );
    let detach = |name: &str, options: &[&str]| {
        Detached::start(
            &[
                &["--name", name],
                options,
                &["sh", "-c", "echo said; echo x >/file; exec sleep 1000"],
            ]
            .concat(),
        )
    };
    let detached = [
        detach("detached", published),
        detach("limited", limits),
        detach("isolated", &["--net", "isolated"]),
        detach("host", &["--net", "host"]),
        detach("terminal", &["-t"]),
        detach("init", &["--init"]),
        detach("removed", &[&["--rm"], limits].concat()),
    ];
    let ids: Vec<_> = detached
        .iter()
        .map(|container| container.id.clone())
        .collect();
    let run = |arguments: &[&str]| Running::start(&mut tiny_docker(arguments));
    let mut others = vec![
        run(&["run", "--name", "foreground", "sleep", "1000"]),
        run(&["run", "--name", "typed", "-t", "sleep", "1000"]),
        run(&[
            "run",
            "--name",
            "foreground-removed",
            "--rm",
            "sleep",
            "1000",
        ]),
        run(&["exec", "isolated", "sleep", "1000"]),
        run(&["logs", "-f", "detached"]),
        run(&["wait", "detached"]),
    ];
    wait_until("all running", || see(&["ps"]).stdout.lines().count() == 11);
    let mut stubs = Vec::new();
    let mut lost = vec![id_of("removed")];
    let (rm, stub) = removing();
    let ruins: BTreeSet<_> = hidden_records().into_iter().collect();
    assert_eq!(ruins.len(), 1);
    others.push(rm);
    stubs.push(stub);
    if let Some((starting, stub)) = starting(limits) {
        others.push(starting);
        stubs.push(stub);
        lost.push(id_of("starting"));
        assert_eq!(hidden_records().len(), 2);
        assert!(limits.is_empty() || !groups(&lost[1]).is_empty());
    }

    cut_the_power();
    for other in &mut others {
        other.0.wait().unwrap();
    }
    assert!(!hidden_records().is_empty() && names().contains(&"removed".to_owned()));
    if root {
        assert!(host("ip link show td0").contains("td0"));
    }

    // The commands that only look change nothing.
    see(&["ps", "-a"]);
    assert!(!hidden_records().is_empty() && names().contains(&"removed".to_owned()));

    assert_eq!(see(&["stop", "ended"]).code, Some(0));
    let seen = see(&["ps", "-a"]);
    assert_eq!((seen.code, seen.stderr.as_str()), (Some(0), ""));
    let kept = [
        "detached",
        "ended",
        "foreground",
        "host",
        "init",
        "isolated",
        "limited",
        "terminal",
        "typed",
    ];
    assert_eq!(
        seen.stdout.lines().count(),
        1 + kept.len(),
        "{}",
        seen.stdout
    );
    for name in kept {
        let id = id_of(name);
        let line = seen
            .stdout
            .lines()
            .find(|line| line.starts_with(&id))
            .unwrap();
        assert!(!line.contains("Up ") && !line.contains("running"), "{line}");
        assert_eq!(line.contains("(3)"), name == "ended", "{line}");
    }
    assert_eq!(names(), kept);
    assert_eq!(records().len(), kept.len(), "{:?}", records());
    assert_eq!(see(&["ps"]).stdout.lines().count(), 1);
    for id in ids.iter().chain(&lost) {
        assert_eq!(groups(id), Vec::<PathBuf>::new());
    }
    let mounts = fs::read_to_string("/proc/thread-self/mountinfo").unwrap();
    assert!(!mounts.contains(state().to_str().unwrap()), "{mounts}");

    // They can be used like any containers that have ended.
    assert_eq!(see(&["logs", "detached"]).stdout, "said\n");
    let seen = see(&["kill", "foreground"]);
    assert_eq!(
        (seen.code, seen.stderr.as_str()),
        (
            Some(1),
            "tiny-docker: cannot kill foreground: it is not running\n"
        )
    );
    assert_eq!(see(&["stop", "limited"]).code, Some(0));
    assert_eq!(see(&["rm", "terminal"]).code, Some(0));
    // The port, too, is free.
    let again = see(&[
        &["run", "--name", "starting", "--rm"],
        published,
        &["echo", "on"],
    ]
    .concat());
    assert_eq!(
        (again.code, again.stdout.as_str(), again.stderr.as_str()),
        (Some(0), "on\n", "")
    );
    if root {
        wait_until_none_is_connected();
    }
    let state = state();
    assert_eq!(see(&["prune", "-f"]).code, Some(0));
    assert!(!state.exists());
    assert_eq!(ours(&state), BTreeSet::new());
    if let Some(rules) = rules {
        let now = "nft list ruleset; iptables-save | grep -v -e '^#' -e '^:' || true";
        assert_eq!(host(now), rules);
    }
}

#[test]
fn at_whatever_moment_the_power_goes() {
    need_namespaces!();
    for pause in 0..20 {
        let line = "run -d --rm --name web sh -c";
        let mut run = tiny_docker(&["--root", state().to_str().unwrap()]);
        run.args(line.split(' ')).arg("exec sleep 1000");
        let mut run = Running::start(&mut run);
        // Right after an exec, a process does not have its environment yet, by which we recognise it.
        wait_until("it begin", || !ours(&state()).is_empty());
        std::thread::sleep(std::time::Duration::from_micros(700 * pause));
        cut_the_power();
        run.0.wait().unwrap();
        // Its name is free, and nothing is in the way.
        let seen = see(&["run", "--rm", "--name", "web", "echo", "on"]);
        assert_eq!(
            (seen.code, seen.stdout.as_str(), seen.stderr.as_str()),
            (Some(0), "on\n", ""),
            "{pause}"
        );
    }
    assert_eq!(see(&["ps", "-a"]).stdout.lines().count(), 1);
    crate::support::assert_nothing_is_kept();
    if geteuid().is_root() {
        wait_until_none_is_connected();
    }
}

#[test]
fn a_half_made_bridge_is_in_nobodys_way() {
    need_namespaces!();
    if !geteuid().is_root() {
        return leave_to("root, to change the host's network");
    }
    let begun = "ip link add td0 address 02:42:0a:0a:00:01 type bridge group_fwd_mask 0x4000";
    for half in [begun, &format!("{begun}; ip addr add 10.10.0.1/24 dev td0")] {
        host(half);
        let line = "ip -4 -oneline address show eth0; cat /sys/class/net/eth0/address";
        let seen = see(&["run", "--rm", "sh", "-c", line]);
        assert_eq!((seen.code, seen.stderr.as_str()), (Some(0), ""));
        assert!(seen.stdout.contains(" 10.10.0.2/24 "), "{}", seen.stdout);
        start_over();
    }
}
