//! When a command gets processors, disks and memory, and which.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::oci::container::{Container, need_root};
use crate::support::{Seen, skip};

/// sched(7): the policy of a process and its nice value, which commands inherit. proc_pid_stat(5).
const POLICY: &str = "read -r _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ nice _ _ _ _ _ _ _ _ _ _ _ \
    _ _ _ _ _ _ _ _ _ priority policy _ </proc/self/stat; echo $policy $priority $nice";

/// The pid of its first process on the host.
fn pid(container: &Container) -> i64 {
    let state = container.runc.see(&["state", &container.id]).stdout;
    let state: Value = serde_json::from_str(&state).unwrap();
    state["pid"].as_i64().unwrap()
}

#[test]
fn the_scheduler_is_that_of_the_configuration() {
    need_root!();
    let mut container = Container::new();
    for (scheduler, seen) in [
        (json!({"policy": "SCHED_BATCH", "nice": 5}), "3 0 5\n"),
        (json!({"policy": "SCHED_IDLE"}), "5 0 "),
        (json!({"policy": "SCHED_OTHER", "nice": -3}), "0 0 -3\n"),
        (json!({"policy": "SCHED_FIFO", "priority": 2}), "1 2 "),
        (
            json!({"policy": "SCHED_RR", "priority": 1, "flags": ["SCHED_FLAG_RESET_ON_FORK"]}),
            "2 1 ",
        ),
    ] {
        container.spec["process"]["scheduler"] = scheduler;
        let run = container.run(POLICY);
        if run.stderr.contains("Operation not permitted") {
            return skip("processor time for real-time processes in this cgroup");
        }
        let text = run.stdout;
        assert!(text.starts_with(seen), "{text}{}", run.stderr);
    }
}

/// They are for `exec`, which would be late to say so.
#[test]
fn processors_that_cannot_be_are_refused_before_a_container_runs() {
    need_root!();
    let mut container = Container::new();
    for list in ["3-1", "a", "0-", "99999"] {
        container.spec["process"]["execCPUAffinity"] = json!({"initial": "0", "final": list});
        let seen = container.run("true");
        assert_eq!(seen.code, Some(1));
        let problem = "process.execCPUAffinity.final: cannot use ";
        assert!(seen.stderr.contains(problem), "{}", seen.stderr);
    }
}

/// The kernel says EINVAL for all of these.
#[test]
fn what_is_wrong_with_a_scheduler_is_said_by_name() {
    need_root!();
    let mut container = Container::new();
    let deadline = |more: Value| {
        let mut scheduler = json!({"policy": "SCHED_DEADLINE"});
        scheduler
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        scheduler
    };
    for (scheduler, problem) in [
        (
            json!({"policy": "SCHED_OTHER", "nice": 20}),
            "nice: 20 is not -20 to 19",
        ),
        (
            json!({"policy": "SCHED_FIFO", "priority": -1}),
            "priority: -1 is negative",
        ),
        (
            deadline(json!({"deadline": 10_000_000})),
            "runtime: SCHED_DEADLINE needs 1024 to",
        ),
        (
            deadline(json!({"runtime": 5000, "deadline": 4000})),
            "deadline: SCHED_DEADLINE needs at least the runtime, 5000 ns",
        ),
        (
            deadline(json!({"runtime": 5000, "deadline": 6000, "period": 5500})),
            "period: SCHED_DEADLINE needs at least the deadline, 6000 ns",
        ),
    ] {
        container.spec["process"]["scheduler"] = scheduler;
        let seen = container.run("true");
        assert_eq!(seen.code, Some(1));
        let problem = format!("process.scheduler.{problem}");
        assert!(seen.stderr.contains(&problem), "{}", seen.stderr);
    }
}

#[test]
fn the_disk_comes_when_the_configuration_says() {
    need_root!();
    let mut container = Container::new();
    for (class, number) in [("BE", 2), ("IDLE", 3)] {
        container.spec["process"]["ioPriority"] =
            json!({"class": format!("IOPRIO_CLASS_{class}"), "priority": 4});
        container.start("true");
        // SAFETY: ioprio_get(2) takes two numbers; 1 means a process.
        let priority = unsafe { libc::syscall(libc::SYS_ioprio_get, 1, pid(&container) as i32) };
        assert_eq!((priority >> 13, priority & 7), (number, 4));
        container.runc.see(&["delete", "--force", &container.id]);
        fs::remove_file(container.ground.rootfs().join("ready")).unwrap();
    }
    container.spec["process"]["ioPriority"]["priority"] = 8.into();
    let seen = container.run("true");
    let problem = "process.ioPriority.priority: 8 is not 0 to 7";
    assert!(seen.stderr.contains(problem), "{}", seen.stderr);
}

/// Its caller may be bound to one, as an engine is on some machines.
#[test]
fn a_container_may_use_all_processors() {
    need_root!();
    let mut container = Container::new();
    container.runs("grep Cpus_allowed_list /proc/self/status");
    let run = container.command("run", &[]);
    let allowed = || {
        let status = fs::read_to_string("/proc/self/status").unwrap();
        let mut lines = status.lines().map(str::to_owned);
        lines.find(|line| line.starts_with("Cpus_allowed_list"))
    };
    let all = allowed().unwrap();
    let list = all.split_whitespace().last().unwrap();
    let first = list.split(['-', ',']).next().unwrap();
    let mut taskset = Command::new("taskset");
    taskset.args(["-c", first]).arg(run.get_program());
    taskset.args(run.get_args()).stdin(Stdio::null());
    let Ok(output) = taskset.output() else {
        return skip("taskset: sudo apt install util-linux");
    };
    let seen = Seen::from(output);
    assert_eq!(seen.stdout.trim_end(), all, "{}", seen.stderr);
}

#[test]
fn memory_comes_from_the_nodes_of_the_configuration() {
    need_root!();
    if !Path::new("/proc/self/numa_maps").exists() {
        return skip("a kernel with CONFIG_NUMA");
    }
    let mut container = Container::new();
    container.spec["linux"]["memoryPolicy"] = json!({"mode": "MPOL_BIND", "nodes": "0"});
    let seen = container.run("grep -c ' bind:0 ' /proc/self/numa_maps >/dev/null && echo bound");
    assert_eq!(seen.stdout, "bound\n", "{}", seen.stderr);
    for (policy, problem) in [
        (
            json!({"mode": "MPOL_BIN"}),
            ".mode: invalid memory policy mode \"MPOL_BIN\"",
        ),
        (
            json!({"mode": "MPOL_LOCAL", "nodes": "0"}),
            ": mode requires 0 nodes but got 1",
        ),
        (
            json!({"mode": "MPOL_BIND", "nodes": "1-0"}),
            ".nodes: invalid memory policy node",
        ),
    ] {
        container.spec["linux"]["memoryPolicy"] = policy;
        let seen = container.run("true");
        assert_eq!(seen.code, Some(1));
        let problem = format!("linux.memoryPolicy{problem}");
        assert!(seen.stderr.contains(&problem), "{}", seen.stderr);
    }
}

#[test]
fn a_command_may_believe_in_a_smaller_machine() {
    need_root!();
    let mut container = Container::new();
    container.spec["linux"]["personality"] = json!({"domain": "LINUX32"});
    let seen = container.run("cat /proc/self/personality");
    assert_eq!(seen.stdout, "00000008\n", "{}", seen.stderr);
}
