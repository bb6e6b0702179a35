//! A root filesystem of the container's own.

pub mod debian;
pub mod devices;
pub mod escapes;
pub mod hostile;
pub mod layer;
pub mod masks;
pub mod mount_attacks;
pub mod volumes;

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use insta::assert_snapshot;
use nix::unistd::geteuid;
use tempfile::TempDir;

use crate::need_namespaces;
use crate::support::{Running, Seen, as_ordinary_user, leave_to, see, shell, skip, tiny_docker};

/// Runs in a state directory where nothing is yet.
fn see_first(state: &Path, arguments: &[&str]) -> Seen {
    let mut command = tiny_docker(arguments);
    command
        .env("TINY_DOCKER_ROOT", state)
        .output()
        .unwrap()
        .into()
}

#[test]
fn the_default_rootfs_is_built_once_and_one_line_says_so() {
    need_namespaces!();
    let state = TempDir::new().unwrap();
    let first = see_first(state.path(), &["run", "cat", "/etc/os-release"]);
    assert_snapshot!(first.stderr, @"tiny-docker: building a root filesystem from this machine's programs (first run)");
    assert_snapshot!(first.stdout, @r#"
    ID=tiny
    NAME="Tiny"
    PRETTY_NAME="tiny-docker's default root filesystem"
    "#);
    let second = see_first(state.path(), &["run", "true"]);
    assert_eq!((second.code, second.stderr.as_str()), (Some(0), ""));
}

#[test]
fn a_build_that_was_interrupted_is_started_again() {
    need_namespaces!();
    let state = TempDir::new().unwrap();
    let unfinished = state.path().join("rootfs/default.unfinished");
    fs::create_dir_all(unfinished.join("bin")).unwrap();
    fs::write(unfinished.join("bin/sh"), "half").unwrap();
    fs::write(state.path().join(".tiny-docker"), "").unwrap();
    assert_eq!(see_first(state.path(), &["run", "true"]).code, Some(0));
    assert!(!unfinished.exists());
}

#[test]
fn fifty_first_containers_can_start_at_once() {
    need_namespaces!();
    let state = TempDir::new().unwrap();
    let start = |n: usize| {
        let mut command = tiny_docker(&["run", "sh", "-c", &format!("exit {n}")]);
        Running::start(command.env("TINY_DOCKER_ROOT", state.path()))
    };
    let containers: Vec<_> = (0..50).map(start).collect();
    for (n, mut container) in containers.into_iter().enumerate() {
        assert_eq!(container.0.wait().unwrap().code(), Some(n as i32));
    }
}

#[test]
fn an_ldd_that_looks_at_one_program_will_do() {
    need_namespaces!();
    let home = TempDir::new().unwrap();
    let script = "printf '#!/bin/sh\nexec /usr/bin/ldd \"$1\"\n' >ldd; chmod +x ldd
        PATH=$PWD:$PATH TINY_DOCKER_ROOT=$PWD/state $TD run bash -c 'echo bash runs'";
    let seen = shell(&format!("cd {}; {script}", home.path().display()));
    assert_eq!(seen.stdout, "bash runs\n", "{}", seen.stderr);
}

#[test]
fn the_hosts_files_are_out_of_sight() {
    need_namespaces!();
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("file");
    fs::write(&file, "the host's").unwrap();
    let seen = see(&["run", "cat", file.to_str().unwrap()]);
    assert_eq!((seen.code, seen.stdout.as_str()), (Some(1), ""));
    assert_eq!(see(&["run", "pwd"]).stdout, "/\n");
}

#[test]
fn ps_shows_the_containers_processes_only() {
    need_namespaces!();
    let seen = see(&["run", "ps", "-e", "-o", "pid,comm"]);
    assert_snapshot!(seen.stdout, @"
    PID COMMAND
      1 ps
    ");
}

#[test]
fn the_mounts_are_those_of_docker() {
    need_namespaces!();
    let seen = see(&[
        "run",
        "--net",
        "isolated",
        "cut",
        "-d",
        " ",
        "-f",
        "2-4",
        "/proc/mounts",
    ]);
    // Not on each machine: what /proc and /sys have to be hidden.
    let hidden = |line: &&str| {
        let hides = line.contains(" devtmpfs ") || line.contains("size=0k");
        !hides || line.starts_with("/dev/")
    };
    let flags = |line: &str| line.split(",relatime").next().unwrap().to_owned();
    let mut lines: Vec<_> = seen.stdout.lines().filter(hidden).map(flags).collect();
    // By Linux 6.8, they come in another order. And what those in /etc are on is the host's.
    lines.retain(|line| !line.starts_with("/etc/"));
    lines.sort();
    assert_snapshot!(lines.join("\n"), @"
    / overlay rw,nodev
    /dev tmpfs rw,nosuid,nodev,noexec
    /dev/full devtmpfs ro
    /dev/mqueue mqueue rw,nosuid,nodev,noexec
    /dev/null devtmpfs ro
    /dev/pts devpts rw,nosuid,noexec
    /dev/random devtmpfs ro
    /dev/tty devtmpfs ro
    /dev/urandom devtmpfs ro
    /dev/zero devtmpfs ro
    /proc proc rw,nosuid,nodev,noexec
    /proc/acpi tmpfs ro,nosuid,nodev,noexec
    /proc/bus proc ro,nosuid,nodev,noexec
    /proc/fs proc ro,nosuid,nodev,noexec
    /proc/irq proc ro,nosuid,nodev,noexec
    /proc/sys proc ro,nosuid,nodev,noexec
    /sys sysfs ro,nosuid,nodev,noexec
    /sys/firmware tmpfs ro,nosuid,nodev,noexec
    ");
}

#[test]
fn the_devices_work() {
    need_namespaces!();
    let script = "
        echo lost >/dev/null && cat /dev/null && echo null
        head -c 3 /dev/zero | tr '\\0' z; echo ro
        echo lost 2>/dev/null >/dev/full || echo full
        test \"$(head -c 9 /dev/urandom | wc -c)\" -eq 9 && echo random
        echo through >/dev/stdout; echo link | cat /dev/stdin; cat /dev/fd/0 </dev/null";
    let seen = see(&["run", "sh", "-c", script]);
    assert_snapshot!(seen.stdout + &seen.stderr, @"
    null
    zzzro
    full
    random
    through
    link
    ");
}

#[test]
fn rootfs_may_be_a_relative_path() {
    need_namespaces!();
    let seen = shell(
        "$TD run true && cd $TINY_DOCKER_ROOT/rootfs && $TD run --rootfs ./default ls -d /root",
    );
    assert_eq!(seen.stdout, "/root\n", "{}", seen.stderr);
}

/// The error for `rootfs`, with this in place of the directory's name.
fn error_of(rootfs: &Path, directory: &Path) -> String {
    let seen = see(&["run", "--rootfs", rootfs.to_str().unwrap(), "true"]);
    assert_eq!(seen.code, Some(125));
    assert_eq!(seen.stdout, "");
    seen.stderr.replace(directory.to_str().unwrap(), "")
}

#[test]
fn what_is_no_rootfs_is_refused() {
    need_namespaces!();
    let directory = TempDir::new().unwrap();
    let rootfs = |name: &str| {
        let rootfs = directory.path().join(name);
        fs::create_dir_all(rootfs.join("proc")).unwrap();
        fs::create_dir_all(rootfs.join("dev")).unwrap();
        rootfs
    };
    let mut errors = error_of(&directory.path().join("missing"), directory.path());
    fs::write(directory.path().join("file"), "").unwrap();
    errors += &error_of(&directory.path().join("file"), directory.path());
    for (name, victim) in [("proc-is-a-file", "proc"), ("dev-is-a-file", "dev")] {
        let rootfs = rootfs(name);
        fs::remove_dir(rootfs.join(victim)).unwrap();
        fs::write(rootfs.join(victim), "").unwrap();
        errors += &error_of(&rootfs, directory.path());
    }
    assert_snapshot!(errors, @"
    tiny-docker: cannot make /missing the root directory: ENOENT: No such file or directory
    tiny-docker: cannot make /file the root directory: ENOTDIR: Not a directory
    tiny-docker: cannot mount /proc: /proc-is-a-file/proc is not a directory
    tiny-docker: cannot mount /dev: /dev-is-a-file/dev is not a directory
    ");
    assert_eq!(see(&["run", "--rootfs", "", "true"]).code, Some(125));
}

#[test]
fn a_rootfs_needs_no_mount_points() {
    need_namespaces!();
    let rootfs = TempDir::new().unwrap();
    // Far enough to find that there is no command in it.
    let seen = see(&["run", "--rootfs", rootfs.path().to_str().unwrap(), "true"]);
    assert_eq!(seen.code, Some(127), "{}", seen.stderr);
    assert_eq!(fs::read_dir(rootfs.path()).unwrap().count(), 0);
}

#[test]
fn a_rootfs_whose_mount_points_lead_elsewhere_is_refused() {
    need_namespaces!();
    let directory = TempDir::new().unwrap();
    let mut errors = String::new();
    for link in ["proc", "dev"] {
        let rootfs = directory.path().join(format!("{link}-is-a-link"));
        for name in ["proc", "dev", "etc"] {
            fs::create_dir_all(rootfs.join(name)).unwrap();
        }
        fs::remove_dir(rootfs.join(link)).unwrap();
        symlink("/etc", rootfs.join(link)).unwrap();
        errors += &error_of(&rootfs, directory.path());
    }
    assert_snapshot!(errors, @"
    tiny-docker: cannot mount /proc: /proc-is-a-link/proc is a symbolic link
    tiny-docker: cannot mount /dev: /dev-is-a-link/dev is a symbolic link
    ");
}

#[test]
fn a_rootfs_that_the_user_may_not_enter_is_refused() {
    need_namespaces!();
    if !geteuid().is_root() {
        return leave_to("root, to create a directory that an ordinary user cannot enter");
    }
    let (home, rootfs) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    fs::set_permissions(rootfs.path(), Permissions::from_mode(0o700)).unwrap();
    let arguments = ["run", "--rootfs", rootfs.path().to_str().unwrap(), "true"];
    let seen: Seen = as_ordinary_user(home.path(), &arguments)
        .env("HOME", home.path())
        .output()
        .unwrap()
        .into();
    assert_eq!(seen.code, Some(125));
    assert_snapshot!(seen.stderr.replace(rootfs.path().to_str().unwrap(), "/rootfs"), @"tiny-docker: cannot make /rootfs the root directory: EACCES: Permission denied");
}

#[test]
fn no_mount_is_left_behind() {
    need_namespaces!();
    let before = fs::read_to_string("/proc/thread-self/mountinfo").unwrap();
    see(&["run", "true"]);
    see(&["run", "/no-such-command"]);
    assert_eq!(
        fs::read_to_string("/proc/thread-self/mountinfo").unwrap(),
        before
    );
}

#[test]
fn debian_runs() {
    need_namespaces!();
    let Some(debian) = std::env::var_os("TINY_DOCKER_DEBIAN") else {
        return skip(
            "a Debian root filesystem in $TINY_DOCKER_DEBIAN: mmdebstrap --include=procps bookworm $TINY_DOCKER_DEBIAN",
        );
    };
    let in_debian = |command: &str| {
        let seen = see(&[
            "run",
            "--rootfs",
            debian.to_str().unwrap(),
            "sh",
            "-c",
            command,
        ]);
        assert_eq!(seen.code, Some(0), "{command}: {}", seen.stderr);
        seen.stdout
    };
    assert!(in_debian("cat /etc/os-release").contains("NAME=\"Debian GNU/Linux\"\n"));
    assert!(in_debian("dpkg -l").contains("\nii  dpkg "));
    assert_eq!(in_debian("hostname"), "tiny-container\n");
    assert_eq!(
        in_debian("exec ps -e -o pid,comm"),
        "    PID COMMAND\n      1 ps\n"
    );
    assert_eq!(in_debian("echo lost >/dev/null; cat /dev/null"), "");
    assert_eq!(in_debian("perl -e 'print 6 * 7'"), "42");
}

#[test]
fn where_parts_of_proc_are_covered_the_error_names_the_least_that_helps() {
    need_namespaces!();
    // As Docker does. In a user namespace below, it cannot be uncovered.
    let seen = shell(
        "unshare --user --map-root-user --mount sh -c '
            mount --bind /dev/null /proc/version
            unshare --user --map-root-user --mount $TD run --net isolated true'",
    );
    assert_eq!(seen.code, Some(125));
    assert_snapshot!(seen.stderr, @"
    tiny-docker: cannot mount /proc: EPERM: Operation not permitted: parts of the host's /proc are masked
    hint: if this is a container, start it with --security-opt systempaths=unconfined as well
    ");
}
