//! Many containers at once, and others looking at them all the time.

use std::io::Read;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::need_namespaces;
use crate::support::{Detached, Running, processes_with, see, state, tiny_docker, wait_until};

const CONTAINERS: usize = 100;

#[test]
fn a_hundred_come_and_go() {
    need_namespaces!();
    let root = format!("--root={}", state().display());
    let over = AtomicBool::new(false);
    // This is in the command lines of the containers and their supervisors.
    let mark = format!("stress-{}", std::process::id());
    thread::scope(|scope| {
        // All the time: ps never fails, and never sees anything that it cannot read.
        let looking = scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                let seen = see(&[&root, "ps", "-a"]);
                assert_eq!((seen.code, seen.stderr.as_str()), (Some(0), ""));
            }
        });
        let script = |n: usize| {
            format!(
                ": {mark}; trap 'echo bye {n}; exit {n}' TERM; echo hello {n}; while :; do sleep 0.1; done"
            )
        };
        let start =
            |n: usize| Running::start(&mut tiny_docker(&["run", "-d", "sh", "-c", &script(n)]));
        let starting: Vec<_> = (0..CONTAINERS).map(start).collect();
        let mut containers = Vec::new();
        for mut caller in starting {
            let mut id = String::new();
            caller
                .0
                .stdout
                .take()
                .unwrap()
                .read_to_string(&mut id)
                .unwrap();
            assert_eq!(caller.0.wait().unwrap().code(), Some(0));
            containers.push(Detached {
                id: id.trim().to_owned(),
            });
        }
        let listed = see(&["ps"]).stdout;
        for container in &containers {
            assert!(listed.contains(&format!("{} ", container.id)), "{listed}");
        }
        assert_eq!(listed.lines().count(), CONTAINERS + 1);
        for (n, container) in containers.iter().enumerate() {
            let hello = format!("hello {n}\n");
            wait_until("it ready", || see(&["logs", &container.id]).stdout == hello);
        }

        let follow =
            |container: &Detached| Running::start(&mut tiny_docker(&["logs", "-f", &container.id]));
        let followers: Vec<_> = containers.iter().take(20).map(follow).collect();
        let mut arguments = vec!["stop", "-t", "60"];
        arguments.extend(containers.iter().map(|container| container.id.as_str()));
        let seen = see(&arguments);
        assert_eq!((seen.code, seen.stderr.as_str()), (Some(0), ""));
        assert_eq!(see(&["ps"]).stdout.lines().count(), 1);
        for (n, container) in containers.iter().enumerate() {
            assert_eq!(container.record()["status"], "stopped");
            assert_eq!(container.record()["exit_code"], n);
        }
        for (n, mut follower) in followers.into_iter().enumerate() {
            let mut log = String::new();
            follower
                .0
                .stdout
                .take()
                .unwrap()
                .read_to_string(&mut log)
                .unwrap();
            assert_eq!(log, format!("hello {n}\nbye {n}\n"));
            assert_eq!(follower.0.wait().unwrap().code(), Some(0));
        }
        wait_until("nothing left", || processes_with(&mark).is_empty());
        over.store(true, Ordering::Relaxed);
        looking.join().unwrap();
    });
}
