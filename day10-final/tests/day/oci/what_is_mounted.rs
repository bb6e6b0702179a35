//! The mounts of a configuration.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use serde_json::{Value, json};

use crate::oci::container::{Container, need_root};

/// With a directory `source` beside the bundle, in which there is a file that says `from the host`.
fn container() -> (Container, String) {
    let container = Container::new();
    let source = container.ground.place("source");
    fs::create_dir(&source).unwrap();
    fs::write(source.join("file"), "from the host\n").unwrap();
    (container, source.display().to_string())
}

fn bind(source: &str, destination: &str, options: &[&str]) -> Value {
    let options = [&["bind"], options].concat();
    json!({"destination": destination, "type": "bind", "source": source, "options": options})
}

#[test]
fn a_bind_mount_is_the_hosts_directory_and_may_be_read_only() {
    need_root!();
    let (mut container, source) = container();
    container.add_mount(bind(&source, "/writable", &[]));
    container.add_mount(bind(&source, "/new/read-only", &["ro"]));
    let seen = container.run("cat /new/read-only/file; touch /writable/a /new/read-only/b");
    assert_eq!(seen.stdout, "from the host\n", "{}", seen.stderr);
    assert!(
        seen.stderr.contains("/new/read-only/b") && seen.stderr.contains("Read-only file system"),
        "{}",
        seen.stderr
    );
    let exists = |name| container.ground.place("source").join(name).exists();
    assert_eq!([exists("a"), exists("b")], [true, false]);
}

/// A file is mounted on a file, which need not be there either. The source may be relative to the bundle.
#[test]
fn a_file_can_be_mounted_too() {
    need_root!();
    let (mut container, _) = container();
    container.add_mount(bind("source/file", "/etc/new/file", &["ro"]));
    let seen = container.run("cat /etc/new/file");
    assert_eq!(seen.stdout, "from the host\n", "{}", seen.stderr);
}

#[test]
fn options_are_for_the_mount_or_for_the_filesystem() {
    need_root!();
    let mut container = Container::new();
    container.add_mount(json!({
        "destination": "/box", "type": "tmpfs", "source": "box",
        "options": ["rw", "nosuid", "dev", "nodev", "noexec", "noatime", "size=64k", "mode=1700"],
    }));
    let seen = container.run("grep ' /box ' /proc/mounts; ls -ld /box");
    let line = "box /box tmpfs rw,nosuid,nodev,noexec,noatime,size=64k,mode=1700";
    assert!(
        seen.stdout.starts_with(line),
        "{}{}",
        seen.stdout,
        seen.stderr
    );
    assert!(seen.stdout.contains("\ndrwx-----T"), "{}", seen.stdout);
}

/// A bind mount finds its source on the host, with what is mounted below it only if it is recursive.
#[test]
fn what_is_mounted_below_the_source_comes_along_if_it_should() {
    need_root!();
    let (mut container, source) = container();
    let below = container.ground.place("source").join("below");
    fs::create_dir(&below).unwrap();
    container.add_mount(bind(&source, "/one", &[]));
    container.add_mount(bind(&source, "/all", &["rbind"]));
    container.runs("cat /one/below/there; cat /all/below/there");
    let run = container.command("run", &[]);
    let mut unshare = Command::new("unshare");
    let script = "mount -t tmpfs none \"$0\" && echo here >\"$0/there\" && exec \"$@\"";
    unshare.args(["--mount", "sh", "-c", script]).arg(below);
    unshare.arg(run.get_program()).args(run.get_args());
    let output = unshare.output().unwrap();
    let [stdout, stderr] =
        [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
    assert_eq!(stdout, "here\n", "{stderr}");
    assert!(stderr.contains("/one/below/there"), "{stderr}");
}

/// Each place is found in what the mounts before it have made.
#[test]
fn a_mount_can_be_inside_an_earlier_one() {
    need_root!();
    let (mut container, source) = container();
    container.add_mount(json!({"destination": "/outer", "type": "tmpfs", "source": "outer"}));
    container.add_mount(bind(&source, "/outer/inner", &[]));
    let seen = container.run("ls /outer; cat /outer/inner/file");
    assert_eq!(seen.stdout, "inner\nfrom the host\n", "{}", seen.stderr);
}

#[test]
fn a_mount_that_cannot_be_is_named_and_nothing_stays() {
    need_root!();
    for (mount, named) in [
        (bind("/no/such/source", "/here", &[]), "/no/such/source"),
        (
            json!({"destination": "/here", "type": "tmpfs", "options": ["size=many"]}),
            "/here",
        ),
        (
            json!({"destination": "/here", "type": "nofs", "source": "nofs"}),
            "nofs",
        ),
    ] {
        let mut container = Container::new();
        let number = container.spec["mounts"].as_array().unwrap().len();
        container.add_mount(mount);
        let seen = container.run("true");
        assert_eq!(seen.code, Some(1));
        let start = format!("tiny-runc: mounts[{number}]");
        assert!(seen.stderr.starts_with(&start), "{}", seen.stderr);
        assert!(seen.stderr.contains(named), "{}", seen.stderr);
        assert_eq!(seen.stderr.lines().count(), 1, "{}", seen.stderr);
        assert!(!container.runc.root().join(&container.id).exists());
    }
}

/// /tmp, for example, is for everybody.
#[test]
fn a_tmpfs_has_the_mode_of_what_it_covers() {
    need_root!();
    let mut container = Container::new();
    let covered = container.ground.rootfs().join("covered");
    fs::create_dir(&covered).unwrap();
    fs::set_permissions(&covered, Permissions::from_mode(0o1777)).unwrap();
    container.add_mount(json!({"destination": "/covered", "type": "tmpfs", "source": "tmpfs"}));
    let seen = container.run("ls -ld /covered");
    assert!(
        seen.stdout.starts_with("drwxrwxrwt"),
        "{}{}",
        seen.stdout,
        seen.stderr
    );
}
