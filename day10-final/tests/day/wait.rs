//! `wait`: waits until containers have ended.

use std::fs;
use std::io::Read;
use std::time::Duration;

use insta::assert_snapshot;
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, geteuid};

use crate::need_namespaces;
use crate::support::{
    Detached, Running, assert_nothing_is_kept, leave_to, see, shell, state, suspend, tiny_docker,
    wait_until,
};

/// A container in the background. When a file appears where `sh` can see it, it ends with `code`.
fn until_usr1(options: &[&str], code: u8) -> Detached {
    let line = format!("trap 'exit {code}' USR1; while :; do sleep 0.05; done");
    let options = [&["--net", "isolated"], options].concat();
    let container = Detached::start(&[&options[..], &["sh", "-c", &line]].concat());
    // By the time it sleeps, the shell has set its trap.
    wait_until("its trap", || {
        std::fs::read_to_string(format!("/proc/{0}/task/{0}/children", container.pid()))
            .is_ok_and(|pids| !pids.is_empty())
    });
    container
}

fn end(container: &Detached) {
    assert_eq!(see(&["kill", "-s", "USR1", &container.id]).code, Some(0));
}

/// `tiny-docker wait ARGUMENTS…`, which has not printed anything yet.
fn wait_for(ids: &[&str]) -> Running {
    let mut wait = Running::start(&mut tiny_docker(&[&["wait"], ids].concat()));
    std::thread::sleep(Duration::from_millis(200));
    assert!(wait.0.try_wait().unwrap().is_none(), "it does not wait");
    wait
}

fn told(mut wait: Running) -> (Option<i32>, String) {
    let mut told = String::new();
    wait.0
        .stdout
        .take()
        .unwrap()
        .read_to_string(&mut told)
        .unwrap();
    (wait.0.wait().unwrap().code(), told)
}

#[test]
fn it_prints_the_exit_code_when_there_is_one() {
    need_namespaces!();
    let container = until_usr1(&[], 7);
    let wait = wait_for(&[&container.id]);
    end(&container);
    assert_eq!(told(wait), (Some(0), "7\n".to_owned()));
    // And again, for one that has ended.
    assert_eq!(see(&["wait", &container.id]).stdout, "7\n");
}

#[test]
fn several_are_reported_in_the_order_they_were_typed() {
    need_namespaces!();
    let (first, second) = (until_usr1(&[], 3), until_usr1(&[], 4));
    let wait = wait_for(&[&first.id, &second.id, &first.id]);
    end(&second);
    second.wait_for_its_end();
    end(&first);
    assert_eq!(told(wait), (Some(0), "3\n4\n3\n".to_owned()));
}

#[test]
fn everybody_who_waits_gets_the_exit_code_even_with_rm() {
    need_namespaces!();
    let container = until_usr1(&["--rm", "--name", "web"], 9);
    let all = [
        wait_for(&["web"]),
        wait_for(&[&container.id]),
        wait_for(&[&container.id[..5]]),
    ];
    end(&container);
    for wait in all {
        assert_eq!(told(wait), (Some(0), "9\n".to_owned()));
    }
    assert_nothing_is_kept();
}

#[test]
fn a_killed_one_ends_with_137() {
    need_namespaces!();
    for options in [&[][..], &["--rm"]] {
        let container = until_usr1(options, 0);
        let wait = wait_for(&[&container.id]);
        see(&["kill", &container.id]);
        assert_eq!(told(wait), (Some(0), "137\n".to_owned()));
        let stopped = until_usr1(options, 0);
        let wait = wait_for(&[&stopped.id]);
        see(&["stop", "-t", "0", &stopped.id]);
        assert_eq!(told(wait), (Some(0), "137\n".to_owned()));
    }
}

#[test]
fn it_waits_for_a_container_in_the_foreground_too() {
    need_namespaces!();
    let arguments = [
        "run",
        "--net",
        "isolated",
        "--name",
        "shell",
        "-i",
        "sh",
        "-c",
        "read word; exit 5",
    ];
    let mut command = tiny_docker(&arguments);
    let mut run = Running::start(command.stdin(std::process::Stdio::piped()));
    wait_until("it running", || see(&["ps"]).stdout.contains("read word"));
    let wait = wait_for(&["shell"]);
    drop(run.0.stdin.take());
    assert_eq!(told(wait), (Some(0), "5\n".to_owned()));
    assert_eq!(run.0.wait().unwrap().code(), Some(5));
}

#[test]
fn an_end_that_nobody_saw_has_no_exit_code() {
    need_namespaces!();
    let (orphan, other) = (until_usr1(&[], 3), until_usr1(&[], 4));
    kill(Pid::from_raw(orphan.supervisor()), Signal::SIGKILL).unwrap();
    // It goes on without its supervisor, and `wait` still waits for it.
    let wait = wait_for(&[&orphan.id]);
    end(&orphan);
    assert_eq!(told(wait), (Some(1), String::new()));
    end(&other);
    let seen = see(&["wait", &orphan.id, "nope", &other.id]);
    assert_eq!((seen.code, seen.stdout.as_str()), (Some(1), "4\n"));
    assert_snapshot!(seen.stderr.replace(&orphan.id, "ID"), @"
    tiny-docker: cannot wait for ID: its exit code is unknown: its supervisor was killed, or could not record it
    tiny-docker: cannot wait for nope: no such container
    hint: tiny-docker ps -a lists all containers
    ");
}

#[test]
fn it_does_not_wait_forever_for_a_suspended_run() {
    need_namespaces!();
    let container = Detached::start(&["--net", "isolated", "sleep", "1000"]);
    let supervisor = Pid::from_raw(container.supervisor());
    suspend(supervisor.as_raw());
    let line = "for command in kill wait 'logs -f'; do (timeout -s KILL 60 $TD $command ID; echo code $?) & done; wait";
    let seen = shell(&line.replace("ID", &container.id));
    assert_eq!(seen.stdout.matches("code ").count(), 3);
    assert!(!seen.stdout.contains("code 137"), "{}", seen.stdout);
    kill(supervisor, Signal::SIGCONT).unwrap();
    container.wait_for_its_end();
}

#[test]
fn a_full_disk_loses_no_exit_code() {
    need_namespaces!();
    if !geteuid().is_root() {
        return leave_to("root, to mount a small filesystem");
    }
    let script = "mkdir $ROOT/small; mount -t tmpfs -o size=512k,mode=700 tmpfs $ROOT/small; export TINY_DOCKER_ROOT=$ROOT/small
        run=\"run -d --net isolated --rootfs $ROOT/rootfs/default -v $ROOT:/w\"
        wait='while ! test -e /w/end; do sleep 0.05; done'
        id=$($TD $run sh -c \"$wait; exit 7\")
        removed=$($TD $run --rm sh -c \"$wait; exit 8\")
        stopped=$($TD $run sleep 1000)
        cat /dev/zero >$ROOT/small/fill 2>/dev/null
        $TD stop -t 0 $stopped >/dev/null; echo $?
        $TD wait $removed & until ls -l /proc/$!/fd | grep -q $removed; do :; done
        touch $ROOT/end; wait; $TD wait $id $stopped";
    fs::write(state().join("script"), script).unwrap();
    let seen = shell(&format!(
        "ROOT={0} unshare --mount --propagation private sh {0}/script",
        state().display()
    ));
    assert_eq!(seen.stdout, "0\n8\n7\n137\n", "{}", seen.stderr);
}
