//! `rm`: removes containers.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use insta::assert_snapshot;
use nix::unistd::geteuid;
use tempfile::TempDir;

use crate::support::{
    Detached, Running, TINY_DOCKER, assert_nothing_is_kept, can_have_cgroups, copy_rootfs, groups,
    only_record, processes_with, records, see, shell, skip, state, tiny_docker, wait_until,
};
use crate::{need_cgroups, need_namespaces};

/// For a sleep(1) that no other test has, not even on the same machine.
fn time(number: u32) -> String {
    format!("1000.{}8{number}", std::process::id())
}

#[test]
fn a_running_container_is_removed_only_by_force() {
    need_namespaces!();
    let time = time(1);
    let script = format!("trap 'echo asked' TERM; echo ready; sleep {time} & wait");
    let container = Detached::start(&["--net", "isolated", "sh", "-c", &script]);
    // It stays readable without a name.
    let mut log = File::open(container.log()).unwrap();
    let mut said = String::new();
    wait_until("it ready", || {
        log.read_to_string(&mut said).unwrap();
        said == "ready\n"
    });
    let seen = see(&["rm", &container.id]);
    assert_eq!(seen.code, Some(1));
    assert_snapshot!(seen.stderr.replace(&container.id, "ID"), @"
    tiny-docker: cannot remove ID: it is running
    hint: tiny-docker rm -f ID
    ");
    assert!(container.is_running());
    let seen = see(&["rm", "-f", &container.id]);
    assert_eq!((seen.code, seen.stderr.as_str()), (Some(0), ""));
    assert_eq!(seen.stdout, format!("{}\n", container.id));
    log.read_to_string(&mut said).unwrap();
    assert_eq!(said, "ready\n", "it has not been asked, but killed");
    // Its supervisor, whose command line has the time too, may still be ending.
    assert!(processes_with(&format!("sleep\0{time}")).is_empty());
    assert_eq!(records().len(), 0);
}

#[test]
fn its_supervisor_is_gone_too() {
    need_namespaces!();
    let container = Detached::start(&["--net", "isolated", "sleep", "1000"]);
    let supervisor = container.supervisor();
    assert_eq!(see(&["rm", "--force", &container.id]).code, Some(0));
    crate::support::wait_until("the end of the supervisor", || {
        !std::path::Path::new(&format!("/proc/{supervisor}")).exists()
    });
}

#[test]
fn a_container_that_removes_itself_is_gone_when_rm_says_so() {
    need_namespaces!();
    // Its `run` is as fast as `rm`, or faster.
    for _ in 0..5 {
        let container = Detached::start(&["--rm", "--net", "isolated", "sleep", "1000"]);
        let seen = see(&["rm", "-f", &container.id]);
        assert_eq!((seen.code, seen.stderr.as_str()), (Some(0), ""));
        let left = fs::read_dir(state().join("containers")).unwrap();
        assert_eq!(left.count(), 0);
    }
}

#[test]
fn its_cgroup_is_gone_too() {
    need_cgroups!();
    let container = Detached::start(&["--memory", "64m", "sleep", "1000"]);
    assert!(!groups(&container.id).is_empty());
    assert_eq!(see(&["rm", "-f", &container.id]).code, Some(0));
    assert!(groups(&container.id).is_empty());
}

#[test]
fn each_is_removed_and_each_error_is_reported() {
    need_namespaces!();
    see(&["run", "--net", "isolated", "true"]);
    let record = records().remove(0);
    let id = record.file_name().unwrap().to_str().unwrap();
    let seen = see(&["rm", "nope", id, id, ""]);
    assert_eq!(seen.code, Some(1));
    assert_eq!(seen.stdout, format!("{id}\n"));
    assert_snapshot!(seen.stderr.replace(id, "ID"), @"
    tiny-docker: cannot remove nope: no such container
    hint: tiny-docker ps -a lists all containers
    tiny-docker: cannot remove ID: no such container
    hint: tiny-docker ps -a lists all containers
    tiny-docker: cannot remove '': the id is empty
    ");
    assert_eq!(see(&["rm"]).code, Some(1));
}

#[test]
fn force_removes_whatever_is_left_of_a_record() {
    need_namespaces!();
    let damages = [
        "rm config.json",
        "echo { >config.json",
        "rm lock config.json container.log",
        "rm -r etc layer; mkfifo lock.new; mv lock.new lock",
        "ln -sf ../../victim config.json",
        "ln -sf ../../victim lock",
        "mkfifo config.new; mv config.new config.json",
        "mkdir -p layer/upper/closed/closed; chmod 0 layer/upper/closed/closed layer/upper/closed; rm config.json",
        "mkdir ../.$ID; touch ../.$ID/half; rm config.json",
        "chmod 0 .",
        "chmod 777 .",
        "cd ..; rm -r $ID; ln -s ../victims $ID",
        "cd ..; rm -r $ID; mkfifo $ID",
        "cd ..; mv $ID .$ID",
    ];
    fs::create_dir(state().join("victims")).unwrap();
    let victims = ["victim", "victims/config.json"].map(|file| state().join(file));
    for damage in damages {
        let container = Detached::start(&["--net", "isolated", "--name", "web", "true"]);
        container.wait_for_its_end();
        for victim in &victims {
            fs::write(victim, "kept").unwrap();
        }
        let record = container.log().with_file_name("");
        let line = format!("ID={} && cd {} && {damage}", container.id, record.display());
        assert_eq!(shell(&line).code, Some(0), "{damage}");
        let seen = see(&["rm", "-f", &container.id]);
        assert_eq!(seen.code, Some(0), "{damage}: {}", seen.stderr);
        assert_nothing_is_kept();
        for victim in &victims {
            assert_eq!(fs::read_to_string(victim).unwrap(), "kept", "{damage}");
        }
    }
}

#[test]
fn a_damaged_record_gets_a_hint_how_to_remove_it() {
    need_namespaces!();
    let container = Detached::start(&["--net", "isolated", "true"]);
    container.wait_for_its_end();
    fs::write(container.log().with_file_name("config.json"), "{").unwrap();
    let seen = see(&["rm", &container.id]);
    assert_eq!(seen.code, Some(1));
    let said = seen
        .stderr
        .replace(&container.id, "ID")
        .replace(state().to_str().unwrap(), "STATE");
    assert_snapshot!(said, @"
    tiny-docker: cannot remove ID: cannot read STATE/containers/ID/config.json: EOF while parsing an object at line 1 column 1
    hint: tiny-docker rm -f ID
    ");
}

/// Damages the record of `container`: from now on, its config.json is `text`.
fn damage(container: &Detached, text: &str) {
    fs::write(container.log().with_file_name("config.json"), text).unwrap();
}

#[test]
fn a_running_container_with_a_damaged_record_is_removed_by_force() {
    need_namespaces!();
    let time = time(2);
    for option in ["-d", "-dt", "--rm", "--init", "--memory=64m"] {
        if option == "--memory=64m" && !can_have_cgroups() {
            skip("cgroups that this user may change");
            continue;
        }
        let container = Detached::start(&[option, "--net", "isolated", "sleep", &time]);
        let (pid, supervisor) = (container.pid(), container.supervisor());
        damage(&container, "{");
        let start = Instant::now();
        let seen = see(&["rm", "-f", &container.id]);
        let said = (seen.code, seen.stdout, seen.stderr.as_str());
        let id = format!("{}\n", container.id);
        assert_eq!(said, (Some(0), id, ""), "{option}");
        // Less than the ten seconds for which it waits for a lock, even on a slow machine.
        assert!(start.elapsed().as_secs() < 9, "{option}");
        for pid in [pid, supervisor] {
            wait_until("its end", || !Path::new(&format!("/proc/{pid}")).exists());
        }
        assert!(processes_with(&time).is_empty(), "{option}");
        assert_nothing_is_kept();
        assert!(groups(&container.id).is_empty(), "{option}");
    }
}

#[test]
fn in_the_foreground_too_and_its_run_says_how_it_ended() {
    need_namespaces!();
    let run = ["run", "--net", "isolated", "sleep", "1000"];
    let mut running = Running::start(&mut tiny_docker(&run));
    wait_until("it running", || see(&["ps"]).stdout.lines().count() == 2);
    fs::write(only_record().join("config.json"), "").unwrap();
    let id = only_record().file_name().unwrap().to_owned();
    let seen = see(&["rm", "-f", id.to_str().unwrap()]);
    assert_eq!((seen.code, seen.stderr.as_str()), (Some(0), ""));
    assert_eq!(running.0.wait().unwrap().code(), Some(137));
    assert_nothing_is_kept();
}

#[test]
fn a_damaged_record_cannot_have_another_container_killed() {
    need_namespaces!();
    let [victim, hostile] =
        [(); 2].map(|()| Detached::start(&["--net", "isolated", "sleep", "1000"]));
    // It claims to be the other one, or to be run by it.
    let own = victim.record().to_string();
    damage(&hostile, &own);
    let seen = see(&["rm", "-f", &hostile.id]);
    assert_eq!((seen.code, seen.stderr.as_str()), (Some(0), ""));
    assert_eq!(records().len(), 1);
    assert!(victim.is_running());
}

#[test]
fn a_second_name_for_the_lock_of_another_record_gets_nobody_killed() {
    need_namespaces!();
    let [victim, hostile] =
        [(); 2].map(|()| Detached::start(&["--net", "isolated", "sleep", "1000"]));
    let lock = |container: &Detached| container.log().with_file_name("lock");
    fs::remove_file(lock(&hostile)).unwrap();
    fs::hard_link(lock(&victim), lock(&hostile)).unwrap();
    damage(&hostile, "");
    // It finds the lock held by one of our supervisors, that of the victim, and gives up after a while.
    assert_eq!(see(&["rm", "-f", &hostile.id]).code, Some(1));
    assert!(victim.is_running());
}

#[test]
fn another_program_that_holds_the_lock_of_a_damaged_record_is_named_and_not_killed() {
    need_namespaces!();
    let time = time(3);
    see(&["run", "--net", "isolated", "true"]);
    fs::write(only_record().join("config.json"), "").unwrap();
    let lock = only_record().join("lock");
    let id = only_record().file_name().unwrap().to_owned();
    // With a PID 1 as its child, as a supervisor has.
    let mut flock = Command::new("flock");
    flock.arg("--no-fork").arg(&lock).args(["unshare", "--pid"]);
    if !geteuid().is_root() {
        flock.args(["--user", "--map-root-user"]);
    }
    let mut holder = Running::start(flock.args(["--fork", "--kill-child", "sleep", &time]));
    wait_until("its child", || processes_with(&time).len() > 1);
    let seen = see(&["rm", "-f", id.to_str().unwrap()]);
    assert_eq!(seen.code, Some(1));
    let said = seen.stderr.replace(id.to_str().unwrap(), "ID");
    let said = said.replace(state().to_str().unwrap(), "STATE");
    let said = said.replace(&holder.pid().to_string(), "PID");
    assert_snapshot!(said, @"tiny-docker: cannot remove ID: cannot lock STATE/containers/ID/lock: process PID holds the lock");
    assert!(holder.0.try_wait().unwrap().is_none());
    assert_eq!(processes_with(&time).len(), 2);
}

#[test]
fn our_own_program_in_a_container_is_not_taken_for_a_supervisor() {
    need_namespaces!();
    let time = time(4);
    see(&["run", "--net", "isolated", "true"]);
    fs::write(only_record().join("config.json"), "").unwrap();
    let lock = only_record().join("lock");
    let id = only_record().file_name().unwrap().to_owned();
    // As if a container had the state directory as a volume.
    let mut inside = Command::new("unshare");
    if !geteuid().is_root() {
        inside.args(["--user", "--map-root-user"]);
    }
    inside.args(["--pid", "--fork", "--kill-child", "--mount-proc"]);
    inside.args(["flock", "--no-fork"]).arg(&lock);
    inside.args([TINY_DOCKER, "run", "--net", "isolated", "sleep", &time]);
    let other = TempDir::new().unwrap();
    copy_rootfs(other.path());
    inside.env("TINY_DOCKER_ROOT", other.path());
    let _inside = Running::start(inside.stdin(Stdio::null()));
    // unshare's words, those of flock, which has become our program, and those of the command.
    let running = || processes_with(&time).len() == 3;
    wait_until("its command", running);
    let seen = see(&["rm", "-f", id.to_str().unwrap()]);
    assert_eq!(seen.code, Some(1), "{}", seen.stdout);
    assert!(seen.stderr.contains(" holds the lock"), "{}", seen.stderr);
    assert!(running());
}
