//! `rm`: removes containers.

use std::fs::{self, File};
use std::io::Read;

use insta::assert_snapshot;

use crate::support::{
    Detached, assert_nothing_is_kept, groups, processes_with, records, see, shell, state,
    wait_until,
};
use crate::{need_cgroups, need_namespaces};

#[test]
fn a_running_container_is_removed_only_by_force() {
    need_namespaces!();
    let script = "trap 'echo asked' TERM; echo ready; sleep 12321 & wait";
    let container = Detached::start(&["--net", "isolated", "sh", "-c", script]);
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
    assert!(processes_with("sleep\x0012321").is_empty());
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
