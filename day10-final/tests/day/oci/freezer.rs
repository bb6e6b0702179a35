//! `pause` and `resume`, and signals for all processes of a container, in both versions of cgroups.

use std::fs;
use std::thread::sleep;
use std::time::Duration;

use serde_json::{Value, json};

use crate::need_cgroup_v2;
use crate::oci::bundle::Bundle;
use crate::oci::container::{Container, need_root};
use crate::support::{groups, wait_until};

/// Adds a line to /ticks, again and again.
const TICKS: &str = "(while :; do echo tick >>/ticks; sleep 0.02; done) & true";

fn ticks(container: &Container) -> usize {
    let ticks = fs::read_to_string(container.ground.rootfs().join("ticks"));
    ticks.map_or(0, |ticks| ticks.lines().count())
}

fn status(container: &Container) -> String {
    let seen = container.runc.see(&["state", &container.id]);
    let state: Value = serde_json::from_str(&seen.stdout).unwrap();
    state["status"].as_str().unwrap().to_owned()
}

/// For what has to succeed in silence.
fn done(container: &Container, command: &[&str]) {
    let seen = container.runc.see(command);
    let silent = (Some(0), "", "");
    let got = (seen.code, seen.stdout.as_str(), seen.stderr.as_str());
    assert_eq!(got, silent, "{command:?} of {}", container.id);
}

fn share_pids(container: &mut Container) {
    let namespaces = container.spec["linux"]["namespaces"]
        .as_array_mut()
        .unwrap();
    namespaces.retain(|namespace| namespace["type"] != "pid");
}

/// The hosts' pids, as `ps` knows them.
fn processes(container: &Container) -> Vec<i32> {
    let seen = container
        .runc
        .see(&["ps", "--format", "json", &container.id]);
    serde_json::from_str(&seen.stdout).unwrap()
}

#[test]
fn a_paused_container_stands_still_until_it_is_resumed() {
    need_root!();
    let mut container = Container::new();
    container.start(TICKS);
    let id = container.id.clone();
    wait_until("a tick", || ticks(&container) > 0);
    done(&container, &["pause", &id]);
    assert_eq!(status(&container), "paused");
    let listed = container.runc.see(&["list"]).stdout;
    assert!(listed.contains(" paused "), "{listed}");
    let before = ticks(&container);
    sleep(Duration::from_millis(200));
    assert_eq!(ticks(&container), before);
    let seen = container.runc.see(&["pause", &id]);
    assert!(
        seen.stderr
            .contains("cannot pause a container that is paused"),
        "{}",
        seen.stderr
    );
    done(&container, &["resume", &id]);
    assert_eq!(status(&container), "running");
    wait_until("another tick", || ticks(&container) > before);
    let seen = container.runc.see(&["resume", &id]);
    assert!(
        seen.stderr
            .contains("cannot resume a container that is running"),
        "{}",
        seen.stderr
    );
}

#[test]
fn a_command_in_a_paused_container_is_refused() {
    need_root!();
    let mut container = Container::new();
    container.start("true");
    done(&container, &["pause", &container.id]);
    let seen = container.exec(&[], &["true"]);
    assert_ne!(seen.code, Some(0));
    assert!(
        seen.stderr
            .contains("cannot exec in a paused container\nhint: use --ignore-paused"),
        "{}",
        seen.stderr
    );
}

/// In version 1, not even SIGKILL reaches a frozen process: somebody has to thaw it.
#[test]
fn a_paused_container_can_be_killed() {
    need_root!();
    for kill in [&["kill"][..], &["kill", "--all"]] {
        let mut container = Container::new();
        container.start("true");
        let id = container.id.clone();
        done(&container, &["pause", &id]);
        done(&container, &[kill, &[&id, "KILL"]].concat());
        wait_until("its end", || status(&container) == "stopped");
        done(&container, &["delete", &id]);
        assert!(groups(&id).is_empty());
    }
}

#[test]
fn a_paused_container_can_be_deleted() {
    need_root!();
    for own_pids in [true, false] {
        let mut container = Container::new();
        if !own_pids {
            share_pids(&mut container);
        }
        container.start("sleep 1000 & sleep 1000 & true");
        let id = container.id.clone();
        done(&container, &["pause", &id]);
        done(&container, &["delete", "--force", &id]);
        assert!(groups(&id).is_empty());
    }
}

/// Each process of a chain starts the next one, and ends. Whoever sends signals to a list is too late.
#[test]
fn a_chain_of_processes_is_killed_as_a_whole() {
    need_root!();
    let mut container = Container::new();
    share_pids(&mut container);
    let chain = container.ground.rootfs().join("chain");
    fs::write(&chain, "sh /chain &\n").unwrap();
    container.start("for i in 1 2 3 4; do sh /chain & done; true");
    let id = container.id.clone();
    done(&container, &["kill", "--all", &id, "KILL"]);
    wait_until("the end of all", || processes(&container).is_empty());
    sleep(Duration::from_millis(50));
    assert!(processes(&container).is_empty());
    fs::remove_file(chain).unwrap();
    done(&container, &["delete", &id]);
    assert!(groups(&id).is_empty());
}

#[test]
fn a_signal_for_all_reaches_those_who_are_not_the_first() {
    need_root!();
    let mut container = Container::new();
    container
        .start("(trap 'echo heard >>/heard' USR1; while :; do sleep 0.02; done) & trap '' USR1");
    let id = container.id.clone();
    sleep(Duration::from_millis(100));
    done(&container, &["kill", "--all", &id, "USR1"]);
    let heard = container.ground.rootfs().join("heard");
    wait_until("the signal heard", || heard.exists());
    assert_eq!(status(&container), "running");
}

#[test]
fn ps_lists_the_containers_processes_and_no_others() {
    need_root!();
    let mut container = Container::new();
    container.start("sleep 999 & true");
    let ps = |options: &[&str]| {
        let words = [&["ps", &container.id], options].concat();
        container.runc.see(&words).stdout
    };
    wait_until("both", || ps(&[]).contains(" sleep 999"));
    let own = fs::read_to_string(groups(&container.id)[0].join("cgroup.procs")).unwrap();
    let shown = ps(&[]);
    assert!(shown.starts_with("UID "), "{shown}");
    assert_eq!(shown.lines().count(), own.lines().count() + 1, "{shown}");
    let mut pids = processes(&container);
    pids.sort_unstable();
    let mut own: Vec<i32> = own.lines().map(|pid| pid.parse().unwrap()).collect();
    own.sort_unstable();
    assert_eq!(pids, own);
    let shown = ps(&["-e", "-o", "pid,comm"]);
    assert!(shown.contains(" sleep"), "{shown}");
}

#[test]
fn in_version_2_a_paused_container_stands_still_and_can_be_killed() {
    need_cgroup_v2!();
    let bundle = Bundle::new(json!({}));
    bundle.create();
    bundle.done(&["pause"], &[]);
    assert_eq!(bundle.status(), "paused");
    assert_eq!(bundle.call(&["start"], &[]).code, Some(1));
    bundle.done(&["resume"], &[]);
    assert_eq!(bundle.status(), "created");
    bundle.done(&["start"], &[]);
    bundle.done(&["pause"], &[]);
    assert_eq!(bundle.status(), "paused");
    assert_eq!(bundle.file("cgroup.freeze"), "1");
    assert!(bundle.file("cgroup.events").contains("frozen 1"));
    let seen = bundle.call(&["exec"], &["true"]);
    assert!(
        seen.stderr.contains("cannot exec in a paused"),
        "{}",
        seen.stderr
    );
    bundle.done(&["resume"], &[]);
    assert_eq!(bundle.status(), "running");
    bundle.done(&["exec"], &["true"]);
    bundle.done(&["pause"], &[]);
    bundle.done(&["kill"], &["KILL"]);
    wait_until("its end", || bundle.status() == "stopped");
    bundle.done(&["delete"], &[]);
    assert!(!bundle.group().exists());
}

/// Without a PID namespace, the end of the first process is not the end of the others.
#[test]
fn in_version_2_none_is_left_when_a_container_goes() {
    need_cgroup_v2!();
    let bundle = Bundle::new(json!({}));
    bundle.script("sleep 1000 & sleep 1000 & sleep 1000 & exec sleep 1000");
    bundle.change(|spec| {
        let namespaces = spec["linux"]["namespaces"].as_array_mut().unwrap();
        namespaces.retain(|namespace| namespace["type"] != "pid");
    });
    let start = || {
        bundle.start();
        wait_until("four processes", || bundle.processes() == 4);
    };
    start();
    bundle.done(&["kill"], &["KILL"]);
    wait_until("its end", || bundle.status() == "stopped");
    bundle.done(&["delete"], &[]);
    assert!(!bundle.group().exists());
    start();
    bundle.done(&["pause"], &[]);
    bundle.done(&["delete", "-f"], &[]);
    assert!(!bundle.group().exists());
}
