//! Attacks: root filesystems whose links lead out, or round in circles, to whatever the runtime does with them as root.
//!
//! The naive way stands in for an earlier day: since day 3, such a link is followed where the container's root is /.
//! The links to /.. are for a way in which this day could be different: pivot_root(2), with the host's / still on top.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use crate::ground::{Ground, listing};
use crate::need_namespaces;
use crate::support::{Seen, host, own_network, see, state, tiny_docker};

/// Runs in it, with a time limit and `options`; afterwards, the host is as it was.
fn survive(ground: &Ground, options: &str, command: &[&str]) -> Seen {
    own_network();
    let rootfs = ground.rootfs();
    let before = listing(&ground.host());
    let mut arguments = vec!["run", "--rootfs", rootfs.to_str().unwrap()];
    arguments.extend(options.split_whitespace());
    arguments.extend(command);
    let mut run = Command::new("timeout");
    let tiny_docker = tiny_docker(&arguments);
    run.args(["-s", "KILL", "20"])
        .arg(tiny_docker.get_program());
    run.args(tiny_docker.get_args());
    run.env("TINY_DOCKER_ROOT", state());
    let seen: Seen = run.output().unwrap().into();
    assert_eq!(
        listing(&ground.host()),
        before,
        "{options}: {}",
        seen.stderr
    );
    // It works, or says in one line why not.
    let lines = seen.stderr.lines().count();
    let fine = seen.code == Some(0) || seen.code == Some(125) && lines == 1;
    assert!(fine, "{options}: {:?} {}", seen.code, seen.stderr);
    seen
}

#[test]
fn files_for_its_etc_go_nowhere_else() {
    need_namespaces!();
    let ground = Ground::new();
    let (outside, new) = (ground.host().join("secret"), ground.host().join("new"));
    // The naive way.
    ground.link("etc/resolv.conf", &outside);
    let naive = ground.rootfs().join("etc/resolv.conf");
    host(&format!("echo nameserver >{}", naive.display()));
    assert_eq!(fs::read_to_string(&outside).unwrap(), "nameserver\n");

    let above = |path: &Path| format!("/..{}", path.display());
    let far_above = format!("../../../../../..{}", new.display());
    for target in [
        outside.to_str().unwrap(),
        new.to_str().unwrap(),
        &above(&new),
        &far_above,
        "/proc/self/fd/3",
        "/dev/null",
        "resolv.conf",
        "/etc",
    ] {
        ground.link("etc/resolv.conf", target);
        survive(&ground, "--net host", &["true"]);
    }
    ground.remove("etc/resolv.conf");
    for target in [above(&ground.host()), "/dev".to_owned(), "/sys".to_owned()] {
        ground.link("etc", target);
        survive(&ground, "--net host", &["true"]);
    }
}

#[test]
fn what_it_has_for_dev_proc_and_sys_has_to_be_its_own() {
    need_namespaces!();
    for name in ["dev", "proc", "sys"] {
        let ground = Ground::new();
        for target in [ground.host().to_str().unwrap(), "/etc", name] {
            ground.link(name, target);
            let seen = survive(&ground, "--net isolated", &["true"]);
            let place = ground.rootfs().join(name);
            let reason = format!(
                "tiny-docker: cannot mount /{name}: {} is a symbolic link\n",
                place.display()
            );
            assert_eq!(seen.stderr, reason);
        }
        let place = ground.remove(name);
        fs::write(&place, "").unwrap();
        let seen = survive(&ground, "--net isolated", &["true"]);
        assert!(
            seen.stderr.ends_with(" is not a directory\n"),
            "{}",
            seen.stderr
        );
    }
}

#[test]
fn no_file_of_it_is_waited_for_or_read_for_ever() {
    need_namespaces!();
    let ground = Ground::new();
    for name in ["etc/passwd", "etc/group", "etc/hosts"] {
        let place = ground.remove(name);
        host(&format!("mkfifo {}", place.display()));
        survive(&ground, "--net host -u 0:0", &["true"]);
        for target in ["/dev/zero", "/dev/tty", "/dev/stdin", "passwd", "/"] {
            ground.link(name, target);
            survive(&ground, "--net host -u 0:0", &["true"]);
        }
        ground.remove(name);
    }
}

/// mkdir(2) and mount(2), too, follow links.
#[test]
fn volumes_are_mounted_nowhere_else() {
    need_namespaces!();
    let ground = Ground::new();
    // The naive way.
    ground.link("data", ground.host());
    host(&format!(
        "mkdir -p {}/data/naive",
        ground.rootfs().display()
    ));
    assert!(ground.host().join("naive").exists());

    let volume = ground.place("volume");
    fs::create_dir(&volume).unwrap();
    let above = format!("/..{}", ground.host().display());
    let far_above = format!("../../../../../..{}", ground.host().display());
    let mounts = [
        format!("-v {}:/data", volume.display()),
        format!("-v {}:/data/new:ro", volume.display()),
        "--tmpfs /data".to_owned(),
        "--tmpfs /data/new".to_owned(),
    ];
    for target in [
        above.as_str(),
        &far_above,
        "../../..",
        "/",
        "/proc/self/fd/3",
        "/sys",
        "data",
    ] {
        ground.link("data", target);
        for mount in &mounts {
            survive(
                &ground,
                &format!("--net isolated {mount}"),
                &["test", "!", "-e", "/../volume"],
            );
        }
    }
    // What would be the root of the container, or cover what covers something.
    for target in ["/", "/sys/firmware"] {
        ground.link("data", target);
        let seen = survive(&ground, "--net isolated --tmpfs /data", &["true"]);
        let reason =
            format!("tiny-docker: cannot mount /data: it is a symbolic link to {target}: ");
        assert!(seen.stderr.starts_with(&reason), "{}", seen.stderr);
    }
}

/// On the host, links lead to places of the host.
#[test]
fn links_of_the_hosts_lead_nowhere_else() {
    need_namespaces!();
    let ground = Ground::new();
    let link = ground.place("link");
    symlink(ground.host(), &link).unwrap();
    let inside = ground
        .rootfs()
        .join(ground.host().strip_prefix("/").unwrap());
    fs::create_dir_all(&inside).unwrap();
    fs::write(inside.join("secret"), "its own\n").unwrap();
    for volume in [
        format!("-v {}:/data", link.display()),
        format!("-v {}/secret:/data/secret", link.display()),
    ] {
        let options = format!("--net isolated {volume}");
        let seen = survive(&ground, &options, &["cat", "/data/secret"]);
        assert_eq!(seen.stdout, "the host's\n");
    }
    // The root filesystem itself.
    let link = ground.place("rootfs-link");
    symlink(ground.rootfs(), &link).unwrap();
    let seen = see(&[
        "run",
        "--net",
        "isolated",
        "--rootfs",
        link.to_str().unwrap(),
        "true",
    ]);
    assert_eq!((seen.code, seen.stderr.as_str()), (Some(0), ""));
}
