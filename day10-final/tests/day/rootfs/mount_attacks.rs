//! Attacks: on what the runtime mounts, by whoever can change a path while it does that. open_tree(2), move_mount(2).

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};
use nix::unistd::geteuid;

use crate::ground::{Ground, listing};
use crate::need_namespaces;
use crate::support::{Seen, leave_to, rounds, see};

/// Does `work` while somebody else exchanges `one` and `other`, as fast as the kernel can.
fn while_exchanged(one: &Path, other: &Path, work: impl FnOnce()) {
    let done = AtomicBool::new(false);
    let exchange = || {
        while !done.load(Ordering::Relaxed) {
            renameat2(AT_FDCWD, one, AT_FDCWD, other, RenameFlags::RENAME_EXCHANGE).unwrap();
        }
    };
    thread::scope(|scope| {
        let exchanging = scope.spawn(exchange);
        let worked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
        done.store(true, Ordering::Relaxed);
        exchanging.join().unwrap();
        if let Err(panic) = worked {
            std::panic::resume_unwind(panic);
        }
    });
}

fn run(options: &[&str], script: &str) -> Seen {
    see(&[
        &["run", "--rm", "--net=isolated"],
        options,
        &["sh", "-c", script],
    ]
    .concat())
}

/// A file of the machine's would be mounted over one that nobody minds, to be written: CVE-2025-31133.
#[test]
fn what_is_hidden_stays_hidden_while_a_volume_at_dev_changes() {
    need_namespaces!();
    let ground = Ground::new();
    let dev = ground.place("dev");
    fs::create_dir(&dev).unwrap();
    let [null, other] = ["null", "other"].map(|name| dev.join(name));
    symlink("/devices/null", &null).unwrap();
    symlink("/proc/sys/kernel/core_pattern", &other).unwrap();
    let volume = format!("-v{}:/dev", dev.display());
    let hidden = "for file in /proc/interrupts /proc/kcore /proc/keys /proc/timer_list; do
        test ! -e $file || test -c $file || echo $file; done";
    while_exchanged(&null, &other, || {
        for _ in 0..rounds(25) {
            let seen = run(&[&volume, "-v/dev:/devices"], hidden);
            assert_eq!((seen.stdout.as_str(), seen.stderr.as_str()), ("", ""));
        }
    });
}

/// Both have the volume `shared`. One of them changes what another volume of the other one's is mounted on.
#[test]
fn a_volume_is_read_only_wherever_a_link_leads_it() {
    need_namespaces!();
    let ground = Ground::new();
    let [shared, volume] = ["shared", "volume"].map(|name| ground.place(name));
    let [sub, link] = ["sub", "link"].map(|name| shared.join(name));
    for directory in [&shared, &volume, &sub] {
        fs::create_dir(directory).unwrap();
    }
    symlink("/root", &link).unwrap();
    let shared = format!("-v{}:/data", shared.display());
    let volume = format!("-v{}:/data/sub:ro", volume.display());
    while_exchanged(&sub, &link, || {
        for _ in 0..rounds(25) {
            let seen = run(&[&shared, &volume], "grep '/volume /' /proc/self/mountinfo");
            let flags = seen.stdout.split(' ').nth(5).unwrap_or_default();
            let has = |flag| flags.split(',').any(|one| one == flag);
            assert!(has("ro") && has("nodev"), "{}{}", seen.stdout, seen.stderr);
        }
    });
}

/// In the host's /proc, self/cwd is where the runtime is, and PID/root is where nobody inside may be.
#[test]
fn no_link_through_a_volume_of_proc_leads_to_the_host() {
    need_namespaces!();
    let ground = Ground::new();
    let (rootfs, volume) = (
        format!("--rootfs={}", ground.rootfs().display()),
        ground.place("volume"),
    );
    let file = ground.place("file");
    fs::create_dir(&volume).unwrap();
    fs::write(&file, "").unwrap();
    let before = listing(&ground.host());
    let [volume, file] = [volume, file].map(|path| format!("-v{}:/data/new", path.display()));
    let ours = format!("{}/root", process::id());
    for way in ["self/cwd", "self/root", &ours] {
        ground.link("data", format!("/x/{way}{}", ground.host().display()));
        ground.link(
            "etc/resolv.conf",
            format!("/x/{way}{}/new", ground.host().display()),
        );
        for option in [&volume, &file, "--tmpfs=/data/new", "-w/data/new"] {
            let seen = run(&[&rootfs, "-v/proc:/x:ro", option], "true");
            let fine = seen.code == Some(0) || seen.stderr.lines().count() == 1;
            assert!(fine, "{way} {option}: {}", seen.stderr);
            assert_eq!(listing(&ground.host()), before, "{way} {option}");
        }
    }
}

#[test]
fn no_file_of_the_hosts_is_read_for_the_containers_users() {
    need_namespaces!();
    if !geteuid().is_root() {
        return leave_to("root: nobody else may follow such a link");
    }
    let ground = Ground::new();
    let users = "hosts:x:1234:1234::/:/bin/sh\n";
    fs::write(ground.host().join("passwd"), users).unwrap();
    let way = format!("/x/{}/root{}", process::id(), ground.host().display());
    ground.link("etc/passwd", format!("{way}/passwd"));
    let rootfs = format!("--rootfs={}", ground.rootfs().display());
    let seen = run(&[&rootfs, "-v/proc:/x:ro", "-uhosts"], "id -u");
    assert_eq!(seen.stdout, "");
    assert!(seen.stderr.contains("no user hosts"), "{}", seen.stderr);
}
