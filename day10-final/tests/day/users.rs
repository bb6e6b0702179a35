//! Who a container's command runs as: `-u`.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use insta::assert_snapshot;
use nix::unistd::{User, geteuid};
use tempfile::TempDir;

use crate::need_namespaces;
use crate::support::{Seen, as_ordinary_user, host, leave_to, see, skip, state};

/// Whether containers have users beside root: with an ordinary user's, only where the host has set ids aside for them.
pub fn can_be_somebody_else() -> bool {
    let user = User::from_uid(geteuid()).unwrap().map(|user| user.name);
    let range = fs::read_to_string("/etc/subuid").unwrap_or_default();
    let has_range = user.is_some_and(|user| {
        range
            .lines()
            .any(|line| line.starts_with(&format!("{user}:")))
    });
    geteuid().is_root() || has_range && Command::new("newuidmap").output().is_ok()
}

/// A root filesystem with users of its own. The directory has to outlive it.
pub fn with_users(passwd: &str, group: &str) -> (TempDir, PathBuf) {
    let directory = TempDir::new_in(state()).unwrap();
    let rootfs = directory.path().join("rootfs");
    see(&["run", "--net", "isolated", "true"]);
    let default = state().join("rootfs/default");
    host(&format!(
        "cp -a {}/. {}",
        default.display(),
        rootfs.display()
    ));
    fs::write(rootfs.join("etc/passwd"), passwd).unwrap();
    fs::write(rootfs.join("etc/group"), group).unwrap();
    (directory, rootfs)
}

#[test]
fn a_user_is_looked_up_in_the_containers_own_files() {
    need_namespaces!();
    if !can_be_somebody_else() {
        return skip("newuidmap, and a range of this user's in /etc/subuid");
    }
    let passwd = "root:x:0:0::/root:/bin/sh\nnot a line\nweb:x:33:34::/srv/web:/bin/sh\nweb:x:1:1::/:/bin/sh\n";
    let group = "root:x:0:\nweb:x:34:\nlog:x:50:web,other\nmail:x:51:other\nadm:x:52:other,web\n";
    let (_directory, rootfs) = with_users(passwd, group);
    let mut table = String::new();
    for user in [
        "web",
        "33",
        "web:mail",
        "web:77",
        "33:log",
        "1234",
        "1234:1235",
        "1234:mail",
        "0",
        "root:web",
    ] {
        let script =
            "echo $(id -u) $(id -g) groups $(id -G) home $HOME $(grep CapEff /proc/self/status)";
        let seen = see(&[
            "run",
            "--net",
            "isolated",
            "--rootfs",
            rootfs.to_str().unwrap(),
            "-u",
            user,
            "sh",
            "-c",
            script,
        ]);
        assert_eq!(seen.stderr, "");
        table += &format!("{user}: {}", seen.stdout);
    }
    assert_snapshot!(table, @r"
    web: 33 34 groups 34 50 52 home /srv/web CapEff: 0000000000000000
    33: 33 34 groups 34 50 52 home /srv/web CapEff: 0000000000000000
    web:mail: 33 51 groups 51 home /srv/web CapEff: 0000000000000000
    web:77: 33 77 groups 77 home /srv/web CapEff: 0000000000000000
    33:log: 33 50 groups 50 home /srv/web CapEff: 0000000000000000
    1234: 1234 0 groups 0 home / CapEff: 0000000000000000
    1234:1235: 1234 1235 groups 1235 home / CapEff: 0000000000000000
    1234:mail: 1234 51 groups 51 home / CapEff: 0000000000000000
    0: 0 0 groups 0 home /root CapEff: 00000000a80425fb
    root:web: 0 34 groups 34 home /root CapEff: 00000000a80425fb
    ");
}

#[test]
fn a_user_that_cannot_be_exits_125() {
    need_namespaces!();
    // The last id is -1, which to the kernel means: stay who you are.
    let (_directory, rootfs) = with_users("minus:x:4294967295:0::/:/bin/sh\n", "");
    let mut messages = String::new();
    for user in [
        "web",
        "4294967295",
        "2147483648",
        "-1",
        "minus",
        "",
        "0:web",
        "0:4294967295",
        "0:",
    ] {
        let user = format!("--user={user}");
        let seen = see(&[
            "run",
            "--net",
            "isolated",
            "--rootfs",
            rootfs.to_str().unwrap(),
            &user,
            "id",
        ]);
        assert_eq!((seen.code, seen.stdout.as_str()), (Some(125), ""), "{user}");
        messages += &seen.stderr;
    }
    assert_snapshot!(messages, @r"
    tiny-docker: there is no user web in its /etc/passwd
    tiny-docker: there is no user 4294967295 in its /etc/passwd
    tiny-docker: there is no user 2147483648 in its /etc/passwd
    tiny-docker: there is no user -1 in its /etc/passwd
    tiny-docker: there is no user minus in its /etc/passwd
    tiny-docker: there is no user  in its /etc/passwd
    tiny-docker: there is no group web in its /etc/group
    tiny-docker: there is no group 4294967295 in its /etc/group
    tiny-docker: there is no group  in its /etc/group
    ");
}

#[test]
fn users_can_come_from_a_file_that_nobody_writes_to() {
    need_namespaces!();
    let (_directory, rootfs) = with_users("", "");
    let passwd = rootfs.join("etc/passwd");
    for (file, command) in [
        ("a FIFO", "rm -f P; mkfifo P"),
        ("/dev/zero", "ln -sf /dev/zero P"),
    ] {
        host(&command.replace('P', passwd.to_str().unwrap()));
        let seen = see(&[
            "run",
            "--net",
            "isolated",
            "--rootfs",
            rootfs.to_str().unwrap(),
            "-u",
            "web",
            "id",
        ]);
        assert_eq!(seen.code, Some(125), "{file}");
        assert_eq!(
            seen.stderr,
            "tiny-docker: there is no user web in its /etc/passwd\n"
        );
    }
}

#[test]
fn without_ids_set_aside_there_is_no_user_but_root() {
    need_namespaces!();
    if !geteuid().is_root() && can_be_somebody_else() {
        return leave_to("another user");
    }
    let home = TempDir::new().unwrap();
    let run = |user| {
        let mut command = as_ordinary_user(
            home.path(),
            &["--root", "state", "run", "-u", user, "id", "-u"],
        );
        let seen: Seen = command.current_dir(home.path()).output().unwrap().into();
        (seen.code, seen.stdout, seen.stderr)
    };
    assert_eq!(run("root").1, "0\n");
    let (code, stdout, stderr) = run("nobody");
    assert_eq!((code, stdout.as_str()), (Some(125), ""));
    assert_snapshot!(stderr, @r"
    tiny-docker: cannot change to group 65534: this container has no user but root
    hint: install uidmap, and sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 $USER
    ");
}
