//! In which cgroups a container is.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::oci::container::{Container, need_root};
use crate::support::Seen;

/// The directories of a container, as its state file has them.
fn directories(container: &Container) -> BTreeSet<PathBuf> {
    let file = container.runc.root().join(&container.id).join("state.json");
    let state: Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
    let paths = state["groups"]["paths"].as_object().unwrap().values();
    paths.map(|path| path.as_str().unwrap().into()).collect()
}

fn pid(container: &Container) -> String {
    let state = container.runc.see(&["state", &container.id]).stdout;
    serde_json::from_str::<Value>(&state).unwrap()["pid"].to_string()
}

/// Removes the cgroups above the container's, which stay.
struct Above(String);

impl Drop for Above {
    fn drop(&mut self) {
        for top in ["/sys/fs/cgroup".into()].into_iter().chain(tops()) {
            let _ = fs::remove_dir(top.join(&self.0));
        }
    }
}

fn tops() -> impl Iterator<Item = PathBuf> {
    let found = fs::read_dir("/sys/fs/cgroup").unwrap().flatten();
    found.map(|entry| entry.path())
}

#[test]
fn an_absolute_path_starts_at_each_mount() {
    need_root!();
    let mut container = Container::new();
    let above = Above(format!("above-{}", container.id));
    container.spec["linux"]["cgroupsPath"] = format!("/{}/box", above.0).into();
    container.start("true");
    let pid = pid(&container);
    let directories = directories(&container);
    assert!(!directories.is_empty());
    for directory in &directories {
        let text = directory.display().to_string();
        assert!(text.ends_with(&format!("/{}/box", above.0)), "{text}");
        let inside = fs::read_to_string(directory.join("cgroup.procs")).unwrap();
        assert!(inside.lines().any(|line| line == pid), "{text}: {inside}");
    }
    container.runc.see(&["delete", "--force", &container.id]);
    assert!(directories.iter().all(|directory| !directory.exists()));
    drop(above);
}

/// Whatever the text says, it is below the mount.
#[test]
fn no_path_leads_out() {
    need_root!();
    let mut container = Container::new();
    let path = "/../../{id}/x/../../../../{id}";
    container.spec["linux"]["cgroupsPath"] = path.into();
    container.start("true");
    for directory in directories(&container) {
        let text = directory.display().to_string();
        assert!(text.starts_with("/sys/fs/cgroup/"), "{text}");
        assert!(text.ends_with(&format!("/{}", container.id)), "{text}");
        assert!(!text.contains(".."), "{text}");
    }
}

#[test]
fn exec_is_where_the_container_is() {
    need_root!();
    let mut container = Container::new();
    container.start("true");
    let file = container.ground.place("pid");
    let words = ["exec", "-d", "--pid-file", file.to_str().unwrap()];
    let words = [&words[..], &[container.id.as_str(), "sleep", "1000"]].concat();
    let seen = container.runc.see_apart(&words);
    assert_eq!((seen.code, seen.stderr.as_str()), (Some(0), ""));
    let groups = |pid: &str| fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
    let second = groups(&fs::read_to_string(file).unwrap());
    assert_eq!(second, groups(&pid(&container)));
    assert!(second.contains(&container.id), "{second}");
}

#[test]
fn a_path_for_systemd_is_refused() {
    need_root!();
    let mut container = Container::new();
    container.spec["linux"]["cgroupsPath"] = "system.slice:runc:box".into();
    let seen = container.run("true");
    assert_eq!(seen.code, Some(1));
    assert!(seen.stderr.contains("cgroupfs"), "{}", seen.stderr);
}

#[test]
fn a_container_that_cannot_start_leaves_no_cgroup() {
    need_root!();
    let mut container = Container::new();
    container.spec["process"]["args"] = json!(["/none"]);
    let id = container.id.clone();
    let seen: Seen = container.command("run", &[]).output().unwrap().into();
    assert_ne!(seen.code, Some(0));
    assert!(seen.stderr.contains("/none"), "{}", seen.stderr);
    let left = tops().map(|top| top.join(&id));
    let left: Vec<_> = left.filter(|group| group.exists()).collect();
    assert!(left.is_empty(), "{left:?}");
}
