//! Attacks: out of the container's root, and into mounts that it is not to have. chroot(2), setns(2), mount(2).

use crate::ground::{Ground, listing};
use crate::need_namespaces;
use crate::pair::{now, pair};

/// A chroot is forgotten at the next one. Whose working directory is then outside, climbs on from there.
#[test]
fn who_is_root_cannot_climb_out() {
    need_namespaces!();
    let ground = Ground::new();
    let secret = ground.host().join("secret");
    let attack = format!(
        r#"mkdir "/tmp/deeper"; chroot "/tmp/deeper" or die "chroot: $!\n"; chdir ".." for 1..99;
        chroot "."; open(F, "<", "{}") or die "$!\n"; print <F>"#,
        secret.display()
    );
    let line = ground.line("perl -e");
    let Some([before, now]) = pair("day09-bridge", &line, &attack) else {
        return;
    };
    assert_eq!(
        (before.stdout.as_str(), before.code),
        ("the host's\n", Some(0))
    );
    assert_eq!(
        (now.stdout.as_str(), now.stderr.as_str()),
        ("", "No such file or directory\n")
    );
}

/// Whoever enters a mount namespace, even their own, is at its root. On earlier days, that is the host's.
#[test]
fn the_root_of_the_mounts_is_the_containers() {
    need_namespaces!();
    let ground = Ground::new();
    let secret = ground.host().join("secret");
    let attack = format!("nsenter --mount=/proc/1/ns/mnt cat {}", secret.display());
    let line = ground.line("sh -c");
    let Some([before, today]) = pair("day09-bridge", &line, &attack) else {
        return;
    };
    assert_eq!(
        (before.stdout.as_str(), before.code),
        ("the host's\n", Some(0))
    );
    assert!(
        today.stderr.contains("Operation not permitted"),
        "{}",
        today.stderr
    );
    // Nor is it the missing capability alone that keeps it in.
    let admin = now("--cap-add SYS_ADMIN", &line, &attack);
    assert!(
        admin.stderr.contains("No such file or directory"),
        "{}",
        admin.stderr
    );
    for link in ["root", "cwd"] {
        let attack = format!("cat /proc/1/{link}{}", secret.display());
        let seen = now("", &line, &attack);
        assert!(
            seen.stderr.contains("No such file or directory"),
            "{link}: {}",
            seen.stderr
        );
    }
}

/// As CVE-2024-21626. What the caller's shell has open, day 1 passes on.
#[test]
fn a_directory_that_the_caller_has_open_is_no_way_out() {
    need_namespaces!();
    let ground = Ground::new();
    let attack = "cat /proc/self/fd/9/secret /proc/1/fd/9/secret";
    for options in ["", "--init"] {
        let line = format!(r#"$RUN sh -c "$ATTACK" 9<{}"#, ground.host().display());
        let Some([before, _]) = pair("day01-cli", &line, "cat /proc/self/fd/9/secret") else {
            return;
        };
        assert_eq!(before.stdout, "the host's\n");
        let today = now(options, &line, attack);
        assert_eq!(
            (today.stdout.as_str(), today.code),
            ("", Some(1)),
            "{options}"
        );
    }
}

/// Each of these would uncover something, or make it the container's to change.
const MOUNTS: &str = "umount /dev/full
mount --bind /usr /root
mount -t tmpfs none /root
mount -t proc none /root
mount -t sysfs none /sys
";

/// And these, what has been covered on this day alone.
const COVERS: &str = "umount /proc/interrupts
umount /sys/firmware
mount -o remount,bind,rw /dev/null
mount -o remount,bind,rw /proc/sys
mount -o remount,bind,rw /sys
mount -o remount,bind,dev /
";

#[test]
fn a_directory_as_stdin_is_no_way_out() {
    need_namespaces!();
    for redirect in ["</", "</dev/null 2</"] {
        let line = format!("$RUN cat /proc/self/fd/0/etc/hostname {redirect}");
        let Some([before, now]) = pair("day09-bridge", &line, "") else {
            return;
        };
        if redirect == "</" {
            assert_eq!(before.code, Some(0), "{}", before.stderr);
            let told = "tiny-docker: descriptor 0 is a directory on the host\n";
            assert_eq!(now.stderr, told);
        }
        assert_eq!(now.code, Some(125));
    }
}

#[test]
fn nothing_can_be_mounted_or_unmounted() {
    need_namespaces!();
    let ground = Ground::new();
    let line = ground.line("sh -c");
    let each = "while read line; do $line 2>/dev/null && echo $line; done <<END\n";
    let Some([before, today]) = pair("day09-bridge", &line, &format!("{each}{MOUNTS}END")) else {
        return;
    };
    assert_eq!(before.stdout, MOUNTS);
    assert_eq!(today.stdout, "");
    let attack = format!("{each}{MOUNTS}{COVERS}END");
    assert_eq!(now("", &line, &attack).stdout, "");
    // Without the filter: what there is no capability for is not done either.
    let unconfined = "--security-opt seccomp=unconfined";
    assert_eq!(now(unconfined, &line, &attack).stdout, "");
    // And where it has them all, a mount from outside stays as it is: mount_namespaces(7).
    let nested = line.replace(
        "sh -c",
        "unshare -Urpf --mount --propagation unchanged sh -c",
    );
    let allowed = "mount --bind /usr /root\nmount -t tmpfs none /root\n";
    assert_eq!(now(unconfined, &nested, &attack).stdout, allowed);
}

/// What one writes, another on the same root filesystem would run.
#[test]
fn what_a_container_writes_only_it_sees() {
    need_namespaces!();
    let ground = Ground::new();
    let line = format!(
        r#"$RUN --rootfs {0} sh -c "$ATTACK" && $RUN --rootfs {0} sh -c 'cat /etc/mark /bin/mark; ls /etc/passwd'"#,
        ground.rootfs().display()
    );
    let attack = "echo written >/etc/mark; echo changed >/bin/mark; chmod 700 /etc; rm /etc/passwd";
    let before_all = listing(&ground.rootfs());
    let today = now("", &line, attack);
    assert_eq!(today.stdout, "/etc/passwd\n");
    assert_eq!(listing(&ground.rootfs()), before_all);
    let Some([before, _]) = pair("day09-bridge", &line, attack) else {
        return;
    };
    assert_eq!(before.stdout, "written\nchanged\n");
    assert_ne!(listing(&ground.rootfs()), before_all);
}
