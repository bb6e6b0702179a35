//! Container and runtime end together.

use std::io::{BufRead, BufReader};
use std::thread::sleep;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::need_namespaces;
use crate::privileges::users::can_be_somebody_else;
use crate::support::{Running, leave_to, processes_with, see, tiny_docker, wait_until};

/// A number of seconds that finds a sleep again among all the machine's processes.
fn long_time(test: u32) -> String {
    format!("1000.{}{test}", std::process::id())
}

/// Starts a container in which PID 1 and another process sleep for `time`.
fn start_sleepers(time: &str) -> Running {
    start_sleepers_with(time, "")
}

/// The same with more `options` of `run`.
fn start_sleepers_with(time: &str, options: &str) -> Running {
    let script = format!("sleep {time} & echo ready; exec sleep {time}");
    let options: Vec<_> = options.split_whitespace().collect();
    let arguments = [&["run"], &options[..], &["sh", "-c", &script]].concat();
    let mut running = Running::start(&mut tiny_docker(&arguments));
    let mut line = String::new();
    let mut output = BufReader::new(running.0.stdout.take().unwrap());
    output.read_line(&mut line).unwrap();
    assert_eq!(line, "ready\n");
    running
}

#[test]
fn killing_the_runtime_kills_the_container() {
    need_namespaces!();
    let time = long_time(1);
    let running = start_sleepers(&time);
    kill(Pid::from_raw(running.pid()), Signal::SIGKILL).unwrap();
    wait_until("the container die", || processes_with(&time).is_empty());
}

#[test]
fn killing_the_runtime_kills_the_container_of_another_user_too() {
    need_namespaces!();
    // A change of user or capabilities lets the kernel forget who else dies with the runtime.
    for (n, options) in ["-u 0:1", "-u nobody", "-u nobody --init", "--cap-drop ALL"]
        .iter()
        .enumerate()
    {
        if options.contains("-u") && !can_be_somebody_else() {
            leave_to("an ordinary user with a range in /etc/subuid, or root");
            continue;
        }
        let time = long_time(10 + n as u32);
        let running = start_sleepers_with(&time, options);
        kill(Pid::from_raw(running.pid()), Signal::SIGKILL).unwrap();
        wait_until("the container die", || processes_with(&time).is_empty());
    }
}

#[test]
fn killing_the_runtime_while_it_starts_leaves_nothing() {
    need_namespaces!();
    let time = long_time(2);
    for pause in 0..40 {
        let mut running = Running::start(&mut tiny_docker(&["run", "sleep", &time]));
        sleep(Duration::from_micros(100 * pause));
        running.0.kill().unwrap();
    }
    wait_until("all die", || processes_with(&time).is_empty());
}

#[test]
fn when_pid_1_ends_so_does_the_rest() {
    need_namespaces!();
    let time = long_time(3);
    let script = format!("sleep {time} & exit 5");
    assert_eq!(see(&["run", "sh", "-c", &script]).code, Some(5));
    assert_eq!(processes_with(&time), Vec::<i32>::new());
}

#[test]
fn a_container_killed_by_signal_n_exits_128_plus_n() {
    need_namespaces!();
    let time = long_time(4);
    let mut running = start_sleepers(&time);
    // NSpid ends with the PID in the process's own namespace (proc_pid_status(5)).
    let is_pid_1 = |pid: &i32| {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let pids = status.lines().find(|line| line.starts_with("NSpid:"));
        pids.unwrap().ends_with("\t1")
    };
    let pid_1 = processes_with(&time).into_iter().find(is_pid_1).unwrap();
    kill(Pid::from_raw(pid_1), Signal::SIGKILL).unwrap();
    assert_eq!(running.0.wait().unwrap().code(), Some(128 + 9));
    assert_eq!(processes_with(&time), Vec::<i32>::new());
}

#[test]
fn fifty_containers_can_start_at_once() {
    need_namespaces!();
    let start =
        |n: usize| Running::start(&mut tiny_docker(&["run", "sh", "-c", &format!("exit {n}")]));
    let containers: Vec<_> = (0..50).map(start).collect();
    for (n, mut container) in containers.into_iter().enumerate() {
        assert_eq!(container.0.wait().unwrap().code(), Some(n as i32));
    }
}
