//! Who a container's command runs as: `-u`.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use insta::assert_snapshot;
use nix::unistd::{User, geteuid};
use tempfile::TempDir;

use crate::need_namespaces;
use crate::support::{Detached, Seen, as_ordinary_user, host, leave_to, see, skip, state};

/// Whether containers have users besides root: an ordinary user's have some only where the host has set ids aside.
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
        return skip(
            "newuidmap, and a range of ids for this user in /etc/subuid: sudo apt install uidmap",
        );
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

/// Numbers, and what looks like one. To no program should any of it be a name.
const NUMBERS: [&str; 9] = [
    "1000",
    "0077",
    "+5",
    " 5",
    "5 ",
    "0x10",
    "5five",
    "-1",
    "4294967295",
];

#[test]
fn what_is_written_as_a_number_is_a_number() {
    need_namespaces!();
    if !can_be_somebody_else() {
        return skip(
            "newuidmap, and a range of ids for this user in /etc/subuid: sudo apt install uidmap",
        );
    }
    let passwd =
        "1000:x:0:0::/root:/bin/sh\n0077:x:0:0::/root:/bin/sh\nweb:x:33:34::/srv:/bin/sh\n";
    let group = "1000:x:0:\n0077:x:0:\nroot:x:0:1000\nweb:x:34:\n";
    let (_directory, rootfs) = with_users(passwd, group);
    let rootfs = rootfs.to_str().unwrap();
    let mut table = String::new();
    for user in ["1000", "1000:1000", "0077", "web:1000", "web:0077", "0033"] {
        let script = "echo $(id -u) $(id -g) groups $(id -G)";
        let arguments = [
            "run", "--net", "isolated", "--rootfs", rootfs, "-u", user, "sh", "-c", script,
        ];
        let seen = see(&arguments);
        table += &format!("{user}: {}{}", seen.stdout, seen.stderr);
    }
    assert_snapshot!(table, @"
    1000: 1000 0 groups 0
    1000:1000: 1000 1000 groups 1000
    0077: 77 0 groups 0
    web:1000: 33 1000 groups 1000
    web:0077: 33 77 groups 77
    0033: 33 34 groups 34
    ");
}

#[test]
fn a_user_without_a_name_is_a_member_of_no_group() {
    need_namespaces!();
    if !can_be_somebody_else() {
        return skip(
            "newuidmap, and a range of ids for this user in /etc/subuid: sudo apt install uidmap",
        );
    }
    let passwd = ":x:1000:1000::/:/bin/sh\nweb:x:33:34::/srv:/bin/sh\n";
    let group = "shadow:x:42:\ndisk:x:6:,\nlog:x:50:web,,other\n";
    let (_directory, rootfs) = with_users(passwd, group);
    let rootfs = rootfs.to_str().unwrap();
    for (user, groups) in [("1000", "1000\n"), ("web", "34 50\n")] {
        let arguments = [
            "run", "--net", "isolated", "--rootfs", rootfs, "-u", user, "id", "-G",
        ];
        let seen = see(&arguments);
        assert_eq!((seen.stdout.as_str(), seen.stderr.as_str()), (groups, ""));
    }
}

#[test]
fn a_part_that_is_left_out_means_the_default() {
    need_namespaces!();
    if !can_be_somebody_else() {
        return skip(
            "newuidmap, and a range of ids for this user in /etc/subuid: sudo apt install uidmap",
        );
    }
    let passwd = "root:x:0:0::/root:/bin/sh\nweb:x:33:34::/srv:/bin/sh\n";
    let (_directory, rootfs) = with_users(passwd, "web:x:34:\nlog:x:50:web\n");
    let rootfs = rootfs.to_str().unwrap();
    let script = "echo $(id -u) $(id -g) groups $(id -G)";
    let mut table = String::new();
    for user in ["1000:", "web:", "33:", ":5", ":log", ":", ""] {
        let arguments = [
            "run", "--net", "isolated", "--rootfs", rootfs, "-u", user, "sh", "-c", script,
        ];
        let seen = see(&arguments);
        table += &format!("'{user}': {}{}", seen.stdout, seen.stderr);
    }
    assert_snapshot!(table, @"
    '1000:': 1000 0 groups 0
    'web:': 33 34 groups 34 50
    '33:': 33 34 groups 34 50
    ':5': 0 5 groups 5
    ':log': 0 50 groups 50
    ':': 0 0 groups 0
    '': 0 0 groups 0
    ");
    // To exec, an empty one is the user that the container runs as.
    let container = Detached::start(&[
        "--net", "isolated", "--rootfs", rootfs, "-u", "web", "sleep", "1000",
    ]);
    let whose = |user| see(&["exec", "-u", user, &container.id, "id", "-u"]).stdout;
    assert_eq!((whose("").as_str(), whose(":5").as_str()), ("33\n", "0\n"));
}

#[test]
fn a_user_that_cannot_be_exits_125() {
    need_namespaces!();
    // The last id is -1, which to the kernel means: stay who you are.
    // And in the files the names are as the image's author likes them.
    let mut passwd =
        "minus:x:4294967295:0::/:/bin/sh\nnogroup:x:2000:4294967296::/:/bin/sh\n".to_owned();
    for number in NUMBERS {
        passwd += &format!("{number}:x:0:0::/:/bin/sh\n");
    }
    let group = NUMBERS.map(|number| format!("{number}:x:0:\n")).concat();
    let (_directory, rootfs) = with_users(&passwd, &group);
    let mut messages = String::new();
    for user in [
        "web",
        "4294967295",
        "2147483648",
        "-1",
        "+5",
        " 5",
        "0x10",
        "5 ",
        "5five",
        "99999999999999999999",
        "0:web",
        "0:4294967295",
        "0:+5",
        "0:5:6",
        "minus",
        "nogroup",
        "2000",
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
    assert_snapshot!(messages, @"
    tiny-docker: no user web in the container's /etc/passwd
    tiny-docker: cannot run as user 4294967295: expected a name, or a number from 0 to 2147483647
    tiny-docker: cannot run as user 2147483648: expected a name, or a number from 0 to 2147483647
    tiny-docker: cannot run as user -1: expected a name, or a number from 0 to 2147483647
    tiny-docker: cannot run as user +5: expected a name, or a number from 0 to 2147483647
    tiny-docker: cannot run as user  5: expected a name, or a number from 0 to 2147483647
    tiny-docker: cannot run as user 0x10: expected a name, or a number from 0 to 2147483647
    tiny-docker: cannot run as user 5 : expected a name, or a number from 0 to 2147483647
    tiny-docker: cannot run as user 5five: expected a name, or a number from 0 to 2147483647
    tiny-docker: cannot run as user 99999999999999999999: expected a name, or a number from 0 to 2147483647
    tiny-docker: no group web in the container's /etc/group
    tiny-docker: cannot run as group 4294967295: expected a name, or a number from 0 to 2147483647
    tiny-docker: cannot run as group +5: expected a name, or a number from 0 to 2147483647
    tiny-docker: cannot run as group 5:6: expected a name, or a number from 0 to 2147483647
    tiny-docker: no user minus in the container's /etc/passwd
    tiny-docker: the group of user 2000 in the container's /etc/passwd is not a number
    hint: use -u 2000:GROUP
    tiny-docker: the group of user 2000 in the container's /etc/passwd is not a number
    hint: use -u 2000:GROUP
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
            "tiny-docker: no user web in the container's /etc/passwd\n"
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
    tiny-docker: cannot change to group 65534: root is the only user in this container
    hint: install uidmap, then run sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 $USER
    ");
}
