//! Where the runtime keeps its files.

pub mod records;
pub mod threads;

use std::fs::{self, File, Permissions};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::Path;
use std::process::Stdio;

use insta::assert_snapshot;
use nix::unistd::geteuid;
use tempfile::TempDir;

use crate::need_namespaces;
use crate::support::{Running, Seen, as_ordinary_user, leave_to, shell, tiny_docker};

/// What `run` prints with `state` as its state directory, where it must not run anything.
fn refused(state: &Path) -> String {
    let mut run = tiny_docker(&["run", "echo", "never"]);
    let seen: Seen = run.env("TINY_DOCKER_ROOT", state).output().unwrap().into();
    assert_eq!((seen.code, seen.stdout.as_str()), (Some(125), ""));
    seen.stderr.replace(state.to_str().unwrap(), "STATE")
}

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
    // An empty variable is as good as none.
    command.env("TINY_DOCKER_ROOT", "");
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
fn without_a_home_directory_the_error_says_so() {
    let home = TempDir::new().unwrap();
    let seen: Seen = as_ordinary_user(home.path(), &["run", "true"])
        .output()
        .unwrap()
        .into();
    assert_eq!(seen.code, Some(125));
    assert_snapshot!(seen.stderr, @"
    tiny-docker: cannot keep state: HOME is not set
    hint: use --root DIR
    ");

    let mut command = as_ordinary_user(home.path(), &["--root", "/proc/nowhere", "run", "true"]);
    let seen: Seen = command.output().unwrap().into();
    assert_eq!(seen.code, Some(125));
    assert_snapshot!(seen.stderr, @"tiny-docker: cannot create /proc/nowhere/rootfs: No such file or directory (os error 2)");
}

#[test]
fn a_directory_that_tiny_docker_did_not_create_is_left_alone() {
    let project = TempDir::new().unwrap();
    fs::create_dir(project.path().join("rootfs")).unwrap();
    assert_snapshot!(refused(project.path()), @"
    tiny-docker: cannot use STATE: it is not empty, and tiny-docker did not create it
    hint: use a new directory: --root DIR
    ");
    let left = fs::read_dir(project.path()).unwrap();
    assert_eq!(left.count(), 1);
    assert_eq!(
        fs::read_dir(project.path().join("rootfs")).unwrap().count(),
        0
    );
}

#[test]
fn a_directory_that_others_can_change_is_refused() {
    let home = TempDir::new().unwrap();
    let state = home.path().join("state");
    fs::create_dir(&state).unwrap();
    for mode in [0o777, 0o1777, 0o770, 0o702] {
        fs::set_permissions(&state, Permissions::from_mode(mode)).unwrap();
        let said = refused(&state);
        assert!(
            said.contains("STATE: other users can write to it\nhint: "),
            "{said}"
        );
    }
    // A trailing slash makes no difference.
    for link in ["link", "link/"] {
        let _ = symlink(&state, home.path().join("link"));
        let said = refused(&home.path().join(link));
        assert!(said.contains(": it is a symbolic link\nhint: "), "{said}");
    }
    if !geteuid().is_root() {
        return leave_to("root, to change a directory's owner");
    }
    fs::set_permissions(&state, Permissions::from_mode(0o700)).unwrap();
    chown(&state, Some(65534), None).unwrap();
    assert_snapshot!(refused(&state), @"
    tiny-docker: cannot use STATE: it belongs to another user
    hint: use a new directory: --root DIR
    ");
}

#[test]
fn a_link_in_the_state_directory_is_not_followed() {
    let home = TempDir::new().unwrap();
    let (state, elsewhere) = (home.path().join("state"), home.path().join("elsewhere"));
    fs::create_dir_all(state.join("rootfs")).unwrap();
    fs::create_dir(&elsewhere).unwrap();
    fs::write(elsewhere.join("victim"), "kept").unwrap();
    symlink(elsewhere.join("victim"), state.join("rootfs/lock")).unwrap();
    for mark in [false, true] {
        if mark {
            fs::write(state.join(".tiny-docker"), "").unwrap();
        }
        // With the mark, it may run: what counts is only where the link leads.
        let mut run = tiny_docker(&["run", "true"]);
        run.env("TINY_DOCKER_ROOT", &state).output().unwrap();
        let victim = fs::read_to_string(elsewhere.join("victim")).unwrap();
        assert_eq!(victim, "kept", "with a mark: {mark}");
    }
    for name in ["rootfs/default", "rootfs"] {
        let _ = fs::remove_dir_all(state.join(name));
        symlink(&elsewhere, state.join(name)).unwrap();
        let said = refused(&state);
        assert!(
            said.contains(&format!("cannot use STATE/{name}: it is a symbolic link")),
            "{said}"
        );
    }
    assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), 1);
}

#[test]
fn those_who_wait_for_the_root_filesystem_are_told() {
    let home = TempDir::new().unwrap();
    let state = home.path().join("state");
    let seen = shell(&format!(
        "mkdir -p -m 700 {0} {0}/rootfs && touch {0}/.tiny-docker",
        state.display()
    ));
    assert_eq!(seen.code, Some(0), "{}", seen.stderr);
    let builder = File::open(state.join("rootfs")).unwrap();
    builder.lock().unwrap();
    let mut run = tiny_docker(&["run", "true"]);
    run.env("TINY_DOCKER_ROOT", &state).stderr(Stdio::piped());
    let mut run = Running::start(&mut run);
    let mut line = String::new();
    let said = run.0.stderr.take().unwrap();
    BufReader::new(said).read_line(&mut line).unwrap();
    assert_snapshot!(line, @"tiny-docker: waiting for another run to build the root filesystem");
}
