//! Mounts that spread, copy or cover; and those that are refused.

use std::fs;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::oci::container::{Container, need_root};
use crate::support::Seen;

/// Runs it where mounts on the host are shared, as systemd makes them. `script` can start it as "$@".
fn run_where_mounts_are_shared(container: &Container, script: &str) -> Seen {
    let run = container.command("run", &[]);
    let mut unshare = Command::new("unshare");
    unshare.args(["--mount", "--propagation", "shared", "sh", "-c", script]);
    unshare.arg(container.ground.place("source"));
    unshare.arg(run.get_program()).args(run.get_args());
    unshare.stdin(Stdio::null()).output().unwrap().into()
}

/// The masks would be at another place.
#[test]
fn proc_is_not_mounted_behind_a_link() {
    need_root!();
    for name in ["proc", "sys"] {
        let mut container = Container::new();
        container.ground.link(name, "/tmp");
        let seen = container.run("true");
        assert_eq!(seen.code, Some(1));
        let shown = format!("/{name} must be mounted on ordinary directory");
        assert!(seen.stderr.contains(&shown), "{}", seen.stderr);
    }
}

#[test]
fn in_proc_only_what_lxcfs_needs_can_be_replaced() {
    need_root!();
    let with = |mount: Value| {
        let mut container = Container::new();
        let file = container.ground.place("file");
        fs::write(&file, "ours\n").unwrap();
        let mut mount = mount;
        if mount["type"] == "bind" {
            mount["source"] = json!(file);
            mount["options"] = json!(["bind"]);
        }
        container.add_mount(mount);
        container.run("cat /proc/uptime")
    };
    let seen = with(json!({"destination": "/proc/uptime", "type": "bind"}));
    assert_eq!(seen.stdout, "ours\n", "{}", seen.stderr);
    for (destination, kind, shown) in [
        (
            "/proc/self/attr",
            "tmpfs",
            "/proc/self/attr is inside /proc",
        ),
        ("/proc/sys/kernel/core_pattern", "bind", "is inside /proc"),
        ("/tmp/../proc/./version", "bind", "is inside /proc"),
        (
            "/proc",
            "tmpfs",
            "only a proc filesystem can be mounted at /proc",
        ),
    ] {
        let seen = with(json!({"destination": destination, "type": kind}));
        assert_eq!(
            (seen.code, seen.stdout.as_str()),
            (Some(1), ""),
            "{destination}"
        );
        assert!(seen.stderr.contains(shown), "{}", seen.stderr);
    }
}

/// A link in the image is no way around that.
#[test]
fn nor_behind_a_link() {
    need_root!();
    let mut container = Container::new();
    container.ground.link("status", "/proc/self/status");
    container.add_mount(json!({
        "destination": "/status", "type": "bind", "source": container.ground.host().join("secret"),
        "options": ["bind"],
    }));
    let seen = container.run("true");
    assert_eq!(seen.code, Some(1));
    assert!(seen.stderr.contains("is inside /proc"), "{}", seen.stderr);
}

/// It changes what is there, and does not bring the host's.
#[test]
fn a_remount_has_no_source() {
    need_root!();
    let mut container = Container::new();
    container.add_mount(json!({
        "destination": "/proc", "source": "/proc", "options": ["remount", "bind", "ro"],
    }));
    let seen = container.run("ls -d /proc/[0-9]* | wc -l; grep -c ' /proc proc ro,' /proc/mounts");
    let lines: Vec<_> = seen.stdout.lines().collect();
    assert!(
        lines[0].trim().parse::<u32>().unwrap() < 10,
        "{}",
        seen.stdout
    );
    assert_eq!(lines[1], "1");
}

/// What the host mounts below a bind mount appears in the container by default, and nothing the other way round.
#[test]
fn mounts_spread_as_the_configuration_says() {
    need_root!();
    // A mount of its own: that of the root filesystem becomes private.
    let script = "mount --bind \"$0\" \"$0\"; \"$@\" & container=$!
        until [ -e \"$0/ready\" ] || [ $((i+=1)) -gt 3000 ]; do sleep 0.01; done
        mount -t tmpfs none \"$0/below\" && touch \"$0/below/there\"
        touch \"$0/go\"; wait $container; ls \"$0/back\"";
    for (spread, expected) in [
        (None, "there\n"),
        (Some("slave"), "there\n"),
        (Some("private"), ""),
        (Some("shared"), "there\n"),
    ] {
        let mut container = Container::new();
        let source = container.ground.place("source");
        for name in ["below", "back"] {
            fs::create_dir_all(source.join(name)).unwrap();
        }
        if let Some(spread) = spread {
            container.spec["linux"]["rootfsPropagation"] = spread.into();
        }
        container.add_mount(json!({
            "destination": "/source", "type": "bind", "source": source, "options": ["rbind"],
        }));
        container.runs(
            "touch /source/ready
            until [ -e /source/go ] || [ $((i+=1)) -gt 3000 ]; do sleep 0.01; done
            ls /source/below",
        );
        let seen = run_where_mounts_are_shared(&container, script);
        assert_eq!(seen.stdout, expected, "{spread:?}: {}", seen.stderr);
    }
    let mut container = Container::new();
    container.spec["linux"]["rootfsPropagation"] = "sideways".into();
    let seen = container.run("true");
    assert_eq!(seen.code, Some(1));
    let shown = "linux.rootfsPropagation: unknown value \"sideways\"";
    assert!(seen.stderr.contains(shown), "{}", seen.stderr);
}

/// pivot_root(2) refuses a root whose parent mount is shared.
#[test]
fn a_root_in_a_shared_mount_is_found_whatever_its_name() {
    need_root!();
    let mut container = Container::new();
    container.spec["linux"]["rootfsPropagation"] = "shared".into();
    let place = container.ground.place("source").join("a mount");
    fs::create_dir_all(&place).unwrap();
    container.spec["root"]["path"] = place.join("rootfs").to_str().unwrap().into();
    container.runs("echo started");
    let above = container.ground.place("");
    let script = format!("mount --bind {} \"$0/a mount\" && \"$@\"", above.display());
    let seen = run_where_mounts_are_shared(&container, &script);
    assert_eq!(seen.stdout, "started\n", "{}", seen.stderr);
}

/// Some flags are for a mount alone. These are for all below it.
#[test]
fn rro_is_for_the_mounts_below_as_well() {
    need_root!();
    let script = "mount -t tmpfs none \"$0/below\" && exec \"$@\"";
    for (option, count) in [("ro", 1), ("rro", 2)] {
        let mut container = Container::new();
        let source = container.ground.place("source");
        fs::create_dir_all(source.join("below")).unwrap();
        container.add_mount(json!({
            "destination": "/source", "type": "bind", "source": source,
            "options": ["rbind", option],
        }));
        container.runs("touch /source/a; touch /source/below/b");
        let seen = run_where_mounts_are_shared(&container, script);
        let refused = seen.stderr.matches("Read-only file system").count();
        assert_eq!(refused, count, "{option}: {}", seen.stderr);
    }
}

#[test]
fn tmpcopyup_begins_with_what_is_there() {
    need_root!();
    let mut container = Container::new();
    let place = container.ground.rootfs().join("data");
    fs::create_dir_all(place.join("deep")).unwrap();
    fs::write(place.join("deep/file"), "the image's\n").unwrap();
    container.ground.link("data/link", "deep/file");
    container.add_mount(json!({
        "destination": "/data", "type": "tmpfs", "source": "tmpfs", "options": ["tmpcopyup"],
    }));
    let seen = container.run("cat /data/link; echo changed >/data/deep/file; cat /data/link");
    assert_eq!(seen.stdout, "the image's\nchanged\n", "{}", seen.stderr);
    let kept = fs::read_to_string(place.join("deep/file")).unwrap();
    assert_eq!(kept, "the image's\n");
}

/// Its directories are on the host, although everything else happens inside.
#[test]
fn an_overlay_finds_its_directories_on_the_host() {
    need_root!();
    let mut container = Container::new();
    let [lower, upper, work] = ["lower", "upper", "work"].map(|name| {
        let directory = container.ground.place(name);
        fs::create_dir(&directory).unwrap();
        directory
    });
    fs::write(lower.join("file"), "lower\n").unwrap();
    container.add_mount(json!({
        "destination": "/overlay", "type": "overlay", "source": "overlay",
        "options": [
            format!("lowerdir={}", lower.display()), format!("upperdir={}", upper.display()),
            format!("workdir={}", work.display()),
        ],
    }));
    let seen = container.run("cat /overlay/file; echo new >/overlay/file");
    assert_eq!(seen.stdout, "lower\n", "{}", seen.stderr);
    assert_eq!(fs::read_to_string(upper.join("file")).unwrap(), "new\n");
    assert_eq!(fs::read_to_string(lower.join("file")).unwrap(), "lower\n");
}
