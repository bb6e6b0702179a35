//! Containers that share namespaces, and whose ids or clocks are not the host's.

use std::fs;

use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::oci::container::{Container, need_root};
use crate::support::skip;

/// Puts a namespace of this `kind` into the list, or another one in its place.
fn namespace(container: &mut Container, kind: &str, path: Option<&str>) {
    let namespaces = container.spec["linux"]["namespaces"]
        .as_array_mut()
        .unwrap();
    namespaces.retain(|namespace| namespace["type"] != kind);
    namespaces.push(match path {
        Some(path) => json!({"type": kind, "path": path}),
        None => json!({"type": kind}),
    });
}

fn pid(container: &Container) -> Value {
    let state = container.runc.see(&["state", &container.id]).stdout;
    serde_json::from_str::<Value>(&state).unwrap()["pid"].clone()
}

/// A configuration for an ordinary user.
fn make_rootless(container: &mut Container) {
    let place = TempDir::new().unwrap();
    let place = place.path();
    let words = ["spec", "--rootless", "--bundle", place.to_str().unwrap()];
    assert_eq!(container.runc.see(&words).code, Some(0));
    let text = fs::read(place.join("config.json")).unwrap();
    container.spec = serde_json::from_slice(&text).unwrap();
    container.spec["process"]["terminal"] = false.into();
    container.spec["root"]["readonly"] = false.into();
}

#[test]
fn two_containers_share_what_one_of_them_names_by_its_path() {
    need_root!();
    let (mut first, mut second) = (Container::new(), Container::new());
    first.start("true");
    let first = pid(&first);
    namespace(
        &mut second,
        "network",
        Some(&format!("/proc/{first}/ns/net")),
    );
    namespace(&mut second, "ipc", Some(&format!("/proc/{first}/ns/ipc")));
    let seen = second.run("readlink /proc/self/ns/net /proc/self/ns/ipc /proc/self/ns/pid");
    let link = |name: &str| fs::read_link(format!("/proc/{first}/ns/{name}")).unwrap();
    let links = ["net", "ipc", "pid"].map(|name| link(name).display().to_string());
    let found: Vec<_> = seen.stdout.lines().collect();
    assert_eq!(found[..2], links[..2], "{}", seen.stderr);
    assert_ne!(found[2], links[2]);
}

/// The second one's network belongs to the user namespace that it joins: it can only be joined from inside.
#[test]
fn a_pod_in_a_user_namespace_has_one_network() {
    need_root!();
    let (mut first, mut second) = (Container::new(), Container::new());
    make_rootless(&mut first);
    namespace(&mut first, "network", None);
    first.start("true");
    make_rootless(&mut second);
    let first = pid(&first);
    for (kind, name) in [("network", "net"), ("user", "user")] {
        namespace(&mut second, kind, Some(&format!("/proc/{first}/ns/{name}")));
    }
    for ids in ["uidMappings", "gidMappings"] {
        second.spec["linux"].as_object_mut().unwrap().remove(ids);
    }
    let seen = second.run("readlink /proc/self/ns/net");
    let link = fs::read_link(format!("/proc/{first}/ns/net")).unwrap();
    let link = format!("{}\n", link.display());
    assert_eq!(seen.stdout, link, "{}", seen.stderr);
}

#[test]
fn the_ids_of_a_new_user_namespace_are_those_of_the_configuration() {
    need_root!();
    let mut container = Container::new();
    make_rootless(&mut container);
    let ids = json!([
        {"containerID": 0, "hostID": 0, "size": 1},
        {"containerID": 1, "hostID": 200_000, "size": 1000},
    ]);
    container.spec["linux"]["uidMappings"] = ids.clone();
    container.spec["linux"]["gidMappings"] = ids;
    let seen = container.run("cat /proc/self/uid_map /proc/self/gid_map");
    let words: Vec<_> = seen.stdout.split_whitespace().collect();
    let map = ["0", "0", "1", "1", "200000", "1000"];
    assert_eq!(words, [map, map].concat(), "{}", seen.stderr);
}

/// A FIFO would keep us waiting.
#[test]
fn a_path_must_lead_to_a_namespace_of_its_kind() {
    need_root!();
    let mut container = Container::new();
    let fifo = container.ground.place("fifo");
    mkfifo(&fifo, Mode::S_IRWXU).unwrap();
    for path in [
        "/proc/self/ns/uts",
        fifo.to_str().unwrap(),
        "/dev/null",
        "/none",
    ] {
        namespace(&mut container, "ipc", Some(path));
        let seen = container.run("true");
        assert_eq!(seen.code, Some(1));
        let named = format!("linux.namespaces: cannot use {path}");
        assert!(seen.stderr.contains(&named), "{}", seen.stderr);
    }
}

#[test]
fn a_clock_can_be_ahead_of_the_hosts() {
    need_root!();
    if !fs::exists("/proc/self/ns/time").unwrap() {
        return skip("time namespaces: a kernel since 5.6");
    }
    let mut container = Container::new();
    namespace(&mut container, "time", None);
    container.spec["linux"]["timeOffsets"] = json!({"boottime": {"secs": 864_000}});
    let seen = container.run("cat /proc/uptime");
    let seconds = |text: &str| text.split('.').next().unwrap().parse::<u64>().unwrap();
    let inside = seconds(&seen.stdout);
    let outside = seconds(&fs::read_to_string("/proc/uptime").unwrap());
    assert!(inside + 60 > outside + 864_000, "{inside} {outside}");
}

#[test]
fn the_files_of_a_mount_can_have_other_owners_than_on_the_disk() {
    need_root!();
    let mut container = Container::new();
    let data = container.ground.place("data");
    fs::create_dir(&data).unwrap();
    fs::write(data.join("file"), "").unwrap();
    let ids = json!([{"containerID": 0, "hostID": 1000, "size": 1}]);
    container.add_mount(json!({
        "destination": "/data", "type": "bind", "source": data, "options": ["bind"],
        "uidMappings": ids, "gidMappings": ids,
    }));
    let seen = container.run("ls -ln /data");
    if seen.stderr.contains("EINVAL") {
        return skip("ID-mapped mounts on the filesystem of /tmp");
    }
    let line = seen.stdout.lines().nth(1).unwrap_or_default();
    let owners: Vec<_> = line.split_whitespace().skip(2).take(2).collect();
    assert_eq!(owners, ["1000", "1000"], "{}{}", seen.stdout, seen.stderr);
}

#[test]
fn a_setting_of_the_hosts_network_is_refused() {
    need_root!();
    let mut container = Container::new();
    namespace(&mut container, "network", Some("/proc/self/ns/net"));
    container.spec["linux"]["sysctl"] = json!({"net.ipv4.ip_default_ttl": "64"});
    let seen = container.run("true");
    assert_eq!(seen.code, Some(1));
    let reason = "net.ipv4.ip_default_ttl needs a network namespace";
    assert!(seen.stderr.contains(reason), "{}", seen.stderr);
}
