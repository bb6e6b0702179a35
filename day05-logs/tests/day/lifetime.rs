//! The container and the runtime end together.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::os::fd::AsRawFd;
use std::path::Path;
use std::process::Stdio;
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use crate::need_namespaces;
use crate::support::{
    Running, copy_program, processes_with, see, shell, state, tiny_docker, wait_until,
};

/// A number of seconds by which we find a sleep among all the machine's processes.
fn long_time(test: u32) -> String {
    format!("1000.{}{test}", std::process::id())
}

/// Starts a container in which PID 1 and another process sleep for `time`.
fn start_sleepers(time: &str) -> Running {
    let script = format!("sleep {time} & echo ready; exec sleep {time}");
    let mut running = Running::start(&mut tiny_docker(&["run", "sh", "-c", &script]));
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

/// A copy of a program that does not start as long as this lives: the kernel waits 45 seconds for us to say that it may.
pub struct Leased {
    _directory: TempDir,
    /// What starts it: the arguments of tiny-docker.
    pub run: String,
    file: File,
}

impl Leased {
    pub fn new(program: &str) -> Self {
        let rootfs = state().join("rootfs/default");
        let directory = TempDir::new_in(rootfs.join("tmp")).unwrap();
        shell(&format!("chmod 755 {}", directory.path().display()));
        let copy = directory.path().join(format!("leased-{program}"));
        let found = shell(&format!("command -v {program}")).stdout;
        copy_program(Path::new(found.trim()), &copy);
        let file = File::open(&copy).unwrap();
        let leased = Self {
            run: format!("run /{}", copy.strip_prefix(rootfs).unwrap().display()),
            _directory: directory,
            file,
        };
        // Instead of SIGIO, which would end us, a signal that does nothing.
        const F_SETSIG: i32 = 10;
        leased.control(F_SETSIG, libc::SIGURG);
        leased.control(libc::F_SETLEASE, libc::F_WRLCK);
        leased
    }

    fn control(&self, operation: i32, value: i32) {
        // SAFETY: fcntl(2) takes numbers.
        let done = unsafe { libc::fcntl(self.file.as_raw_fd(), operation, value) };
        Errno::result(done).unwrap();
    }

    /// Now it may start.
    pub fn release(&self) {
        self.control(libc::F_SETLEASE, libc::F_UNLCK);
    }
}

/// Starts that program in a container, until the runtime says what it is waiting for.
fn start_leased(leased: &Leased, argument: &str) -> Running {
    let arguments: Vec<_> = leased.run.split(' ').chain([argument]).collect();
    let mut run = tiny_docker(&arguments);
    let mut running = Running::start(run.stderr(Stdio::piped()));
    let output = BufReader::new(running.0.stderr.take().unwrap());
    // On a busy machine, it may have waited for something else before.
    let mut lines = output.lines().map(|line| line.unwrap());
    assert!(lines.any(|line| line == "tiny-docker: waiting for the command to start"));
    running
}

#[test]
fn a_signal_ends_it_while_the_command_does_not_start() {
    need_namespaces!();
    let leased = Leased::new("sleep");
    for signal in [libc::SIGINT, libc::SIGTERM] {
        let mut running = start_leased(&leased, "1");
        let start = Instant::now();
        running.signal(signal);
        assert_eq!(running.0.wait().unwrap().code(), Some(128 + signal));
        assert!(start.elapsed() < Duration::from_secs(20));
    }
    let program = leased.run.split(' ').next_back().unwrap();
    assert_eq!(processes_with(program), Vec::<i32>::new());
}

#[test]
fn other_signals_wait_until_the_command_has_started() {
    need_namespaces!();
    let leased = Leased::new("sleep");
    let mut running = start_leased(&leased, "0");
    running.signal(libc::SIGUSR1);
    let status = fs::read_to_string(format!("/proc/{}/status", running.pid())).unwrap();
    let pending = status.lines().find(|line| line.starts_with("ShdPnd:"));
    let pending = u64::from_str_radix(&pending.unwrap()[8..], 16).unwrap();
    assert_ne!(pending & 1 << (libc::SIGUSR1 - 1), 0);
    leased.release();
    assert_eq!(running.0.wait().unwrap().code(), Some(0));
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
    let mut pid_1 = None;
    // In the middle of its exec, it has no command line.
    wait_until("PID 1", || {
        pid_1 = processes_with(&time).into_iter().find(is_pid_1);
        pid_1.is_some()
    });
    kill(Pid::from_raw(pid_1.unwrap()), Signal::SIGKILL).unwrap();
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
