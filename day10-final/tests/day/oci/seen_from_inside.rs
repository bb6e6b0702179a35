//! What a container sees of its cgroups, and where `exec` puts a process.

use std::fs;
use std::path::PathBuf;

use serde_json::json;

use crate::need_cgroup_v2;
use crate::oci::bundle::Bundle;
use crate::oci::container::{Container, need_root};
use crate::support::{groups, has_cgroup_v2, wait_until};

/// With or without a cgroup namespace. `spec` asks for one only where there is version 2 alone.
fn container(with_namespace: bool) -> Container {
    let mut container = Container::new();
    let namespaces = container.spec["linux"]["namespaces"]
        .as_array_mut()
        .unwrap();
    namespaces.retain(|namespace| namespace["type"] != "cgroup");
    if with_namespace {
        namespaces.push(json!({"type": "cgroup"}));
    }
    container
}

/// Lets it change its cgroups.
fn make_writable(container: &mut Container) {
    for mount in container.spec["mounts"].as_array_mut().unwrap() {
        if mount["type"] == "cgroup" {
            let options = mount["options"].as_array_mut().unwrap();
            options.retain(|option| option != "ro");
        }
    }
}

/// One of its groups, and the prefix that names it for `exec --cgroup`.
fn group(container: &Container) -> (PathBuf, &'static str) {
    let groups = groups(&container.id);
    let of_pids = |group: &&PathBuf| group.starts_with("/sys/fs/cgroup/pids");
    match groups.iter().find(of_pids) {
        Some(group) => (group.clone(), "pids:"),
        None => (groups[0].clone(), ""),
    }
}

#[test]
fn in_a_namespace_its_group_is_the_root() {
    need_root!();
    let seen = container(true).run("sed s/.*:// /proc/self/cgroup | sort -u");
    assert_eq!(seen.stdout, "/\n", "{}", seen.stderr);
}

#[test]
fn without_a_namespace_the_names_are_the_hosts() {
    need_root!();
    let mut container = container(false);
    let seen = container.run("sed s/.*:// /proc/self/cgroup");
    let own = format!("/{}", container.id);
    assert!(!seen.stdout.is_empty(), "{}", seen.stderr);
    assert!(
        seen.stdout.lines().all(|path| path.ends_with(&own)),
        "{}",
        seen.stdout
    );
}

/// It finds its own processes, and neither the host's groups nor the file that the host's root obeys.
#[test]
fn its_groups_are_all_that_it_finds() {
    need_root!();
    for with_namespace in [true, false] {
        if !with_namespace && has_cgroup_v2() {
            continue; // As with runc, it sees all of the hierarchy.
        }
        let look = "find /sys/fs/cgroup -name cgroup.procs -o -name release_agent | wc -l; \
                    ls /sys/fs/cgroup/*/cgroup.procs /sys/fs/cgroup/cgroup.procs 2>/dev/null | wc -l; \
                    cat $(find /sys/fs/cgroup -name cgroup.procs) | grep -vc '^[0-9]$'";
        let seen = container(with_namespace).run(look);
        let mut lines = seen.stdout.lines();
        let found = lines.next().unwrap();
        assert_ne!(found, "0", "{}", seen.stderr);
        assert_eq!(Some(found), lines.next(), "{}", seen.stdout);
        // Small pids: those of its own namespace.
        assert_eq!(lines.next(), Some("0"), "{}", seen.stdout);
    }
}

#[test]
fn it_cannot_change_what_is_read_only() {
    need_root!();
    for with_namespace in [true, false] {
        let mut container = container(with_namespace);
        let seen =
            container.run("mkdir $(find /sys/fs/cgroup -name cgroup.procs -printf '%h/mine\\n')");
        let refused = seen.stderr.matches("Read-only file system").count();
        assert!(
            refused > 0 && refused == seen.stderr.lines().count(),
            "{}",
            seen.stderr
        );
        let seen = container.run("mkdir /sys/fs/cgroup/mine");
        assert!(
            seen.stderr.contains("Read-only file system"),
            "{}",
            seen.stderr
        );
    }
}

#[test]
fn without_ro_it_has_cgroups_of_its_own() {
    need_root!();
    let mut container = container(true);
    make_writable(&mut container);
    let pids = "d=/sys/fs/cgroup; [ -d $d/pids ] && d=$d/pids; mkdir $d/web";
    let seen = container.run(&format!(
        "{pids} && echo 0 >$d/web/cgroup.procs && grep -c :/web$ /proc/self/cgroup"
    ));
    assert_eq!(seen.stdout, "1\n", "{}", seen.stderr);
    assert!(groups(&container.id).is_empty());
}

#[test]
fn exec_goes_where_it_is_told_but_not_outside() {
    need_root!();
    let mut container = container(true);
    container.start("true");
    let (group, prefix) = group(&container);
    fs::create_dir(group.join("web")).unwrap();
    let look = ["grep", "-c", ":/web$", "/proc/self/cgroup"];
    let exec = |below: &str| container.exec(&["--cgroup", &format!("{prefix}{below}")], &look);
    assert_eq!(exec("web").stdout, "1\n");
    assert_eq!(exec("/web").stdout, "1\n");
    assert_eq!(container.exec(&[], &look).stdout, "0\n");
    for bad in ["..", "../web", "web/../web", "other"] {
        let seen = exec(bad);
        assert_ne!(seen.code, Some(0), "{bad}");
        assert_eq!(seen.stdout, "", "{bad}");
    }
    let seen = container.exec(&["--cgroup", "nonsense:web"], &look);
    assert!(seen.stderr.contains("nonsense"), "{}", seen.stderr);
}

/// It may write there, and has moved its first process below: from then on, the kernel takes nobody in its own cgroup.
#[test]
fn exec_follows_a_container_that_has_cgroups_of_its_own() {
    need_cgroup_v2!();
    let bundle = Bundle::new(json!({}));
    bundle.change(|spec| {
        for mount in spec["mounts"].as_array_mut().unwrap() {
            if mount["type"] == "cgroup" {
                mount["options"]
                    .as_array_mut()
                    .unwrap()
                    .retain(|option| option != "ro");
            }
        }
    });
    let divide = "mkdir a b; echo 0 >a/cgroup.procs; echo +pids >cgroup.subtree_control";
    bundle.script(&format!("cd /sys/fs/cgroup; {divide}; exec sleep 1000"));
    bundle.start();
    wait_until("its cgroups", || {
        bundle.file("cgroup.subtree_control") == "pids"
    });
    let exec = |options: &[&str]| {
        let words = [&["exec"], options].concat();
        bundle.call(&words, &["cat", "/proc/self/cgroup"])
    };
    assert_eq!(exec(&[]).stdout, "0::/a\n");
    assert_eq!(exec(&["--cgroup", "b"]).stdout, "0::/b\n");
    for bad in ["../b", "nonsense", "/"] {
        assert_ne!(exec(&["--cgroup", bad]).code, Some(0), "{bad}");
    }
    bundle.done(&["pause"], &[]);
    assert!(
        fs::read_to_string(bundle.group().join("a/cgroup.events"))
            .unwrap()
            .contains("frozen 1")
    );
    bundle.done(&["delete", "-f"], &[]);
    assert!(!bundle.group().exists());
}
