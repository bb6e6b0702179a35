//! Where the runtime keeps its files.

use insta::assert_snapshot;
use tempfile::TempDir;

use crate::need_namespaces;
use crate::support::{Seen, as_ordinary_user};

#[test]
fn an_ordinary_users_files_are_in_the_home_directory() {
    need_namespaces!();
    let home = TempDir::new().unwrap();
    let mut command = as_ordinary_user(home.path(), &["run", "true"]);
    let seen: Seen = command.env("HOME", home.path()).output().unwrap().into();
    assert_eq!(seen.code, Some(0), "{}", seen.stderr);
    let rootfs = home.path().join(".local/share/tiny-docker/rootfs/default");
    assert!(rootfs.join("bin/sh").exists());
}

#[test]
fn xdg_data_home_is_another_place_and_root_overrides_it() {
    need_namespaces!();
    let home = TempDir::new().unwrap();
    let mut command = as_ordinary_user(home.path(), &["run", "true"]);
    command.env("XDG_DATA_HOME", home.path().join("data"));
    assert!(command.status().unwrap().success());
    assert!(home.path().join("data/tiny-docker/rootfs/default").exists());

    let other = home.path().join("other");
    let root = format!("--root={}", other.display());
    let mut command = as_ordinary_user(home.path(), &[&root, "run", "true"]);
    command.env("XDG_DATA_HOME", "/no/such/place");
    assert!(command.status().unwrap().success());
    assert!(other.join("rootfs/default").exists());
}

#[test]
fn where_there_is_no_place_the_error_says_so() {
    let home = TempDir::new().unwrap();
    let seen: Seen = as_ordinary_user(home.path(), &["run", "true"])
        .output()
        .unwrap()
        .into();
    assert_eq!(seen.code, Some(125));
    assert_snapshot!(seen.stderr, @"
    tiny-docker: cannot keep files: HOME is not set
    hint: use --root DIR
    ");

    let mut command = as_ordinary_user(home.path(), &["--root", "/proc/nowhere", "run", "true"]);
    let seen: Seen = command.output().unwrap().into();
    assert_eq!(seen.code, Some(125));
    assert_snapshot!(seen.stderr, @"tiny-docker: cannot create /proc/nowhere/rootfs: No such file or directory (os error 2)");
}
