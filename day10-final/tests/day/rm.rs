//! `rm`: forgets containers.

use std::fs::{self, File};
use std::io::Read;

use insta::assert_snapshot;

use crate::support::{Detached, groups, processes_with, records, see, state, wait_until};
use crate::{need_cgroups, need_namespaces};

#[test]
fn a_running_one_is_only_removed_by_force() {
    need_namespaces!();
    let script = "trap 'echo asked' TERM; echo ready; sleep 12321 & wait";
    let container = Detached::start(&["--net", "isolated", "sh", "-c", script]);
    // It stays readable once it has no name.
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
fn one_that_removes_itself_is_gone_when_rm_says_so() {
    need_namespaces!();
    // Its run is as fast as rm, or faster.
    for _ in 0..5 {
        let container = Detached::start(&["--rm", "--net", "isolated", "sleep", "1000"]);
        let seen = see(&["rm", "-f", &container.id]);
        assert_eq!((seen.code, seen.stderr.as_str()), (Some(0), ""));
        let left = fs::read_dir(state().join("containers")).unwrap();
        assert_eq!(left.count(), 0);
    }
}

#[test]
fn its_group_is_gone_too() {
    need_cgroups!();
    let container = Detached::start(&["--memory", "64m", "sleep", "1000"]);
    assert!(!groups(&container.id).is_empty());
    assert_eq!(see(&["rm", "-f", &container.id]).code, Some(0));
    assert!(groups(&container.id).is_empty());
}

#[test]
fn each_is_removed_and_each_error_is_told() {
    need_namespaces!();
    see(&["run", "--net", "isolated", "true"]);
    let record = records().remove(0);
    let id = record.file_name().unwrap().to_str().unwrap();
    let seen = see(&["rm", "nope", id, id, ""]);
    assert_eq!(seen.code, Some(1));
    assert_eq!(seen.stdout, format!("{id}\n"));
    assert_snapshot!(seen.stderr.replace(id, "ID"), @"
    tiny-docker: cannot remove nope: no such container
    hint: tiny-docker ps -a
    tiny-docker: cannot remove ID: no such container
    hint: tiny-docker ps -a
    tiny-docker: cannot remove '': the id is empty
    ");
    assert_eq!(see(&["rm"]).code, Some(1));
}
