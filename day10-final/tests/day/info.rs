//! Which features this host supports.

use insta::assert_snapshot;
use std::fs;
use tempfile::TempDir;

use crate::support::{Detached, Seen, as_ordinary_user, can_have_namespaces, own_network, see};
use crate::{need_cgroups, need_namespaces};

/// `text` without its first lines.
fn rows(text: &str) -> String {
    let (_, rows) = text.split_once("\n\n").unwrap();
    rows.to_owned()
}

#[test]
fn info_begins_with_who_asks_and_what_there_is() {
    need_namespaces!();
    let container = Detached::start(&["sleep", "600"]);
    assert_eq!(see(&["run", "true"]).code, Some(0));
    let seen = see(&["info"]);
    assert_eq!((seen.code, seen.stderr.as_str()), (Some(0), ""));
    let version = format!("tiny-docker {} on Linux ", env!("CARGO_PKG_VERSION"));
    assert!(seen.stdout.starts_with(&version), "{}", seen.stdout);
    let counted = "\ncontainers: 2 (1 running), images: 0, in /";
    assert!(seen.stdout.contains(counted), "{}", seen.stdout);
    drop(container);
}

#[test]
fn a_host_with_everything_has_yes_on_each_line() {
    need_cgroups!();
    let text = see(&["info"]).stdout;
    if nix::unistd::geteuid().is_root() {
        insta::with_settings!({filters => vec![(r"cgroup v\d", "cgroup"), (r"\((nft|iptables.*)\)", "(a tool)")]}, {
            assert_snapshot!(rows(&text), @"
            day 1   processes                   yes
            day 2   namespaces                  yes
            day 3   a private /proc             yes
            day 4   container records           yes
            day 5   log following               yes
            day 6   race-free signals           yes
            day 7   memory limits               yes (cgroup)
            day 7   CPU limits                  yes (cgroup)
            day 7   process limits              yes (cgroup)
            day 8   network namespaces          yes
            day 9   bridge network              yes
            day 9   NAT and published ports     yes (a tool)
            day 10  writable layers             yes
            day 10  system call filter          yes
            day 10  users besides root          yes
            ");
        });
    }
    for day in 1..=10 {
        assert!(text.contains(&format!("\nday {day} ")), "{text}");
    }
}

#[test]
fn what_a_user_may_not_do_has_a_reason_and_a_hint() {
    need_namespaces!();
    let home = TempDir::new().unwrap();
    let mut command = as_ordinary_user(home.path(), &["info"]);
    let seen: Seen = command.env("HOME", home.path()).output().unwrap().into();
    assert_eq!((seen.code, seen.stderr.as_str()), (Some(0), ""));
    let program = command.get_program().display();
    let bridge = format!(
        "bridge network              no: only root may change the host's network
        hint: sudo {program} run …\n"
    );
    assert!(seen.stdout.contains(&bridge), "{}", seen.stdout);
    // The ordinary user's copy of the program may be there, but nothing else.
    let left = fs::read_dir(home.path()).unwrap().flatten();
    let mut left = left.filter(|entry| entry.file_name() != "tiny-docker");
    assert!(left.next().is_none(), "something is left");
}

#[test]
fn info_works_even_if_little_is_supported() {
    own_network();
    let seen = see(&["--root", "/proc/nowhere", "info"]);
    assert_eq!((seen.code, seen.stderr.as_str()), (Some(0), ""));
    let records = "container records           no: cannot write to /proc: ";
    assert!(seen.stdout.contains(records), "{}", seen.stdout);
    assert!(can_have_namespaces() || seen.stdout.contains("no: "));
}
