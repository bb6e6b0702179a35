//! The container's hosts, hostname and resolv.conf, with any network.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use tempfile::TempDir;

use crate::need_namespaces;
use crate::support::{Running, see, state, tiny_docker, wait_until};

/// A copy of the default rootfs.
pub fn rootfs() -> TempDir {
    let copy = TempDir::new().unwrap();
    let from = state().join("rootfs/default/.");
    let mut cp = Command::new("cp");
    let copied = cp.arg("-a").arg(from).arg(copy.path()).status().unwrap();
    assert!(copied.success());
    copy
}

#[test]
fn localhost_is_a_name_in_any_root_filesystem() {
    need_namespaces!();
    let rootfs = rootfs();
    let _ = fs::remove_file(rootfs.path().join("etc/hosts"));
    let option = format!("--rootfs={}", rootfs.path().display());
    let script = "cat /etc/hosts /etc/hostname";
    let seen = see(&[
        "run",
        "--net=isolated",
        &option,
        "--hostname=web",
        "sh",
        "-c",
        script,
    ]);
    assert_eq!(
        (seen.stdout.as_str(), seen.stderr.as_str()),
        ("127.0.0.1\tlocalhost\n::1\tlocalhost\nweb\n", "")
    );
}

#[test]
fn the_files_are_behind_links_that_lead_nowhere_yet() {
    need_namespaces!();
    let rootfs = rootfs();
    let etc = rootfs.path().join("etc");
    // As on a host with systemd-resolved, with one more on the way.
    for (link, target) in [
        ("resolv.conf", "resolv.conf.d"),
        ("resolv.conf.d", "../run/systemd/resolve/stub-resolv.conf"),
        ("hostname", "/var/lib/first"),
        ("../var/lib/first", "second"),
    ] {
        fs::create_dir_all(rootfs.path().join("var/lib")).unwrap();
        let _ = fs::remove_file(etc.join(link));
        symlink(target, etc.join(link)).unwrap();
    }
    let option = format!("--rootfs={}", rootfs.path().display());
    let script = "cat /etc/hostname /etc/resolv.conf";
    let seen = see(&[
        "run",
        "--net=host",
        &option,
        "--hostname=web",
        "sh",
        "-c",
        script,
    ]);
    let servers = fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    assert_eq!(seen.stdout, format!("web\n{servers}"), "{}", seen.stderr);
}

#[test]
fn the_files_are_there_whatever_is_mounted() {
    need_namespaces!();
    let rootfs = rootfs();
    let etc = rootfs.path().join("etc");
    let _ = fs::remove_file(etc.join("resolv.conf"));
    symlink(
        "../run/systemd/resolve/stub-resolv.conf",
        etc.join("resolv.conf"),
    )
    .unwrap();
    let rootfs = format!("--rootfs={}", rootfs.path().display());
    let (empty, deep) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let [empty, deep] = [(&empty, "/etc"), (&deep, "/run/systemd")]
        .map(|(directory, place)| format!("-v{}:{place}", directory.path().display()));
    let run = [
        "run",
        "--net=isolated",
        "--dns=192.0.2.9",
        "--hostname=web",
        &rootfs,
    ];
    let script = [
        "sh",
        "-c",
        "grep 192 /etc/resolv.conf; cat /etc/hostname; grep -c localhost /etc/hosts",
    ];
    for options in [
        &[][..],
        &["--tmpfs=/run"],
        &["--tmpfs=/run", &deep],
        &["--tmpfs=/etc"],
        &[&empty],
        &["--read-only", "--tmpfs=/run", &empty],
    ] {
        let seen = see(&[&run, options, &script].concat());
        let all = ("nameserver 192.0.2.9\nweb\n2\n", "");
        assert_eq!(
            (seen.stdout.as_str(), seen.stderr.as_str()),
            all,
            "{options:?}"
        );
    }
}

#[test]
fn a_volume_in_the_place_of_one_is_what_the_user_wants() {
    need_namespaces!();
    let rootfs = rootfs();
    let etc = rootfs.path().join("etc");
    let _ = fs::remove_file(etc.join("resolv.conf"));
    symlink("../run/resolv.conf", etc.join("resolv.conf")).unwrap();
    let own = rootfs.path().join("own");
    fs::write(&own, "192.0.2.9 of-the-user\n").unwrap();
    let (rootfs, own) = (
        format!("--rootfs={}", rootfs.path().display()),
        own.display(),
    );
    for (place, read) in [
        ("/etc/hosts", "/etc/hosts"),
        ("/etc/resolv.conf", "/run/resolv.conf"),
        ("/run/resolv.conf", "/etc/resolv.conf"),
    ] {
        let volume = format!("-v{own}:{place}");
        let seen = see(&["run", "--net=isolated", &rootfs, &volume, "cat", read]);
        assert_eq!(
            seen.stdout, "192.0.2.9 of-the-user\n",
            "{place}: {}",
            seen.stderr
        );
    }
}

#[test]
fn with_the_hosts_network_two_of_the_three_are_the_hosts() {
    need_namespaces!();
    let files = ["/etc/hostname", "/etc/hosts", "/etc/resolv.conf"];
    let run = ["run", "--net=host", "--hostname=web", "cat"];
    let seen = see(&[&run[..], &files].concat());
    let host = |file| fs::read_to_string(file).unwrap_or_default();
    let expected = format!("web\n{}{}", host("/etc/hosts"), host("/etc/resolv.conf"));
    assert_eq!(seen.stdout, expected, "{}", seen.stderr);
}

#[test]
fn the_files_of_the_rootfs_stay_as_they_are() {
    need_namespaces!();
    let rootfs = rootfs();
    let etc = rootfs.path().join("etc");
    fs::write(etc.join("hosts"), "192.0.2.9 original\n").unwrap();
    let outside = TempDir::new().unwrap();
    let target = outside.path().join("resolv.conf");
    fs::write(&target, "outside\n").unwrap();
    let _ = fs::remove_file(etc.join("resolv.conf")); // left by other containers
    symlink(&target, etc.join("resolv.conf")).unwrap();
    let rootfs_option = format!("--rootfs={}", rootfs.path().display());
    let seen = see(&[
        "run",
        &rootfs_option,
        "sh",
        "-c",
        "echo x >>/etc/hosts; echo x >/etc/resolv.conf; cat /etc/resolv.conf /etc/hosts",
    ]);
    assert_eq!((seen.code, seen.stderr.as_str()), (Some(0), ""));
    assert!(seen.stdout.starts_with("x\n127.0.0.1\t"), "{}", seen.stdout);
    assert_eq!(
        fs::read_to_string(etc.join("hosts")).unwrap(),
        "192.0.2.9 original\n"
    );
    assert_eq!(fs::read_to_string(target).unwrap(), "outside\n");
}

#[test]
fn a_rootfs_that_has_no_etc_goes_without() {
    need_namespaces!();
    let rootfs = rootfs();
    fs::remove_dir_all(rootfs.path().join("etc")).unwrap();
    fs::write(rootfs.path().join("etc"), "no directory").unwrap();
    let option = format!("--rootfs={}", rootfs.path().display());
    let seen = see(&["run", &option, "true"]);
    assert_eq!((seen.code, seen.stderr.as_str()), (Some(0), ""));
}

#[test]
fn a_rootfs_with_fifos_for_files_is_not_waited_for() {
    need_namespaces!();
    let rootfs = rootfs();
    let hosts = rootfs.path().join("etc/hosts");
    let _ = fs::remove_file(&hosts);
    mkfifo(&hosts, Mode::S_IRWXU).unwrap();
    let option = format!("--rootfs={}", rootfs.path().display());
    let mut run = Running::start(&mut tiny_docker(&["run", &option, "true"]));
    wait_until("its end", || run.0.try_wait().unwrap().is_some());
    assert_eq!(run.0.wait().unwrap().code(), Some(0));
}

#[test]
fn a_root_filesystem_with_a_directory_in_the_place_of_one_goes_without() {
    need_namespaces!();
    let rootfs = rootfs();
    let hosts = rootfs.path().join("etc/hosts");
    let option = format!("--rootfs={}", rootfs.path().display());
    for is_link in [false, true] {
        let _ = fs::remove_file(&hosts);
        match is_link {
            false => fs::create_dir(&hosts).unwrap(),
            true => {
                fs::remove_dir(&hosts).unwrap();
                symlink("/usr", &hosts).unwrap();
            }
        }
        let script = "test -d /etc/hosts && cat /etc/hostname";
        let run = ["run", "--net=isolated", &option, "--hostname=web"];
        let seen = see(&[&run[..], &["sh", "-c", script]].concat());
        assert_eq!((seen.stdout.as_str(), seen.stderr.as_str()), ("web\n", ""));
    }
}
