//! What a container writes is its own, and goes with it.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use insta::assert_snapshot;
use nix::unistd::{AccessFlags, access, geteuid};
use tempfile::TempDir;

use crate::need_namespaces;
use crate::support::{
    Detached, Seen, as_ordinary_user, only_record, see, shell, skip, state, wait_until,
};

/// `run` in `rootfs`, away from the host's network.
fn run_in(rootfs: &Path, script: &str) -> String {
    let rootfs = rootfs.to_str().unwrap();
    let seen = see(&[
        "run", "--net", "isolated", "--rootfs", rootfs, "sh", "-c", script,
    ]);
    assert_eq!((seen.code, seen.stderr.as_str()), (Some(0), ""));
    seen.stdout
}

#[test]
fn an_ordinary_users_state_can_be_removed_like_any_directory() {
    need_namespaces!();
    let home = TempDir::new().unwrap();
    let run = |arguments: &[&str]| -> Seen {
        let mut run = as_ordinary_user(home.path(), &[&["--root", "state"], arguments].concat());
        run.current_dir(home.path()).output().unwrap().into()
    };
    assert_eq!(run(&["run", "sh", "-c", "echo x >/file"]).code, Some(0));
    // Nor does it take the end of its run.
    let id = run(&["run", "-d", "sleep", "1000"]).stdout;
    let record = home
        .path()
        .join("state/containers")
        .join(id.trim())
        .join("config.json");
    let record: serde_json::Value = serde_json::from_slice(&fs::read(record).unwrap()).unwrap();
    let pid = record["pid"].as_i64().unwrap();
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let supervisor = stat
        .rsplit_once(')')
        .unwrap()
        .1
        .split_whitespace()
        .nth(1)
        .unwrap();
    assert_eq!(shell(&format!("kill -9 {supervisor} {pid}")).code, Some(0));
    wait_until("its end", || !Path::new(&format!("/proc/{pid}")).exists());

    let mut rm = Command::new("rm");
    rm.arg("-rf").arg(home.path().join("state"));
    if geteuid().is_root() {
        rm.uid(65534).gid(65534);
    }
    let seen: Seen = rm.output().unwrap().into();
    assert_eq!((seen.code, seen.stderr.as_str()), (Some(0), ""));
}

#[test]
fn what_it_changes_and_removes_is_still_there_for_others() {
    need_namespaces!();
    let own = "echo mine >/etc/passwd; rm /etc/group; mkdir /new; ls /etc | grep -Ev 'host|resolv'; cat /etc/passwd";
    let seen = see(&["run", "--net", "isolated", "sh", "-c", own]);
    assert_snapshot!(seen.stdout, @r"
    nsswitch.conf
    os-release
    passwd
    mine
    ");
    let seen = see(&[
        "run",
        "--net",
        "isolated",
        "sh",
        "-c",
        "ls -d /new; head -1 /etc/group /etc/passwd",
    ]);
    assert!(seen.stdout.contains("root:x:0:\n"), "{}", seen.stdout);
    assert!(
        seen.stdout.contains("root:x:0:0:root:/root:/bin/sh\n"),
        "{}",
        seen.stdout
    );
    assert!(!seen.stdout.contains("/new\n"), "{}", seen.stdout);
}

#[test]
fn any_path_can_be_a_rootfs() {
    need_namespaces!();
    let directory = TempDir::new().unwrap();
    for name in ["a,b", "a:b", "a\\b", "a b", "lowerdir=x", "ä"] {
        let rootfs = directory.path().join(name);
        let copy = shell(&format!(
            "cp -a $TINY_DOCKER_ROOT/rootfs/default/. '{0}'; echo {1} >'{0}/name'",
            rootfs.display(),
            name.len()
        ));
        assert_eq!(copy.code, Some(0), "{}", copy.stderr);
        assert_eq!(run_in(&rootfs, "cat /name"), format!("{}\n", name.len()));
        fs::remove_dir_all(rootfs).unwrap();
    }
}

#[test]
fn the_root_directory_is_open_to_all_its_users() {
    need_namespaces!();
    let seen = see(&["run", "--net", "isolated", "stat", "-c", "%a %u:%g", "/"]);
    assert_eq!(seen.stdout, "755 0:0\n");
}

#[test]
fn a_failed_run_leaves_no_layer() {
    need_namespaces!();
    assert_eq!(see(&["run", "/no-such-command"]).code, Some(127));
    let left = fs::read_dir(state().join("containers")).unwrap();
    assert_eq!(left.count(), 0);
}

#[test]
fn where_overlayfs_cannot_be_used_it_gets_a_copy() {
    need_namespaces!();
    // A layer above a layer: not on an overlayfs, which the state is on here, as in most containers.
    let script = r#"
        mkdir lower upper work state
        mount -t overlay overlay -o lowerdir=lower,upperdir=upper,workdir=work$XATTR state || exit 99
        cp -a "$TINY_DOCKER_ROOT/rootfs/default" rootfs
        export TINY_DOCKER_ROOT=$PWD/state
        run() { $TD run --net isolated --rootfs rootfs "$@"; }
        run sh -c 'echo mine >/etc/passwd; rm /etc/group'; echo $?
        run sh -c 'head -1 /etc/group; mknod /tmp/zero c 1 5 && head -c 1 /tmp/zero' 2>/dev/null
        run --read-only touch /x"#;
    let directory = TempDir::new().unwrap();
    let (unshare, xattr) = match nix::unistd::geteuid().is_root() {
        true => ("unshare --mount", ""),
        false => ("unshare --user --map-root-user --mount", ",userxattr"),
    };
    let seen = shell(&format!(
        "cd {} && XATTR={xattr} {unshare} sh -c '{}'",
        directory.path().display(),
        script.replace('\'', r"'\''")
    ));
    if seen.code == Some(99) {
        return skip("overlayfs for this user");
    }
    assert_eq!(seen.stdout, "0\nroot:x:0:\n", "{}", seen.stderr);
    let told = "tiny-docker: copying the root filesystem, because overlayfs is not available for it: EINVAL: Invalid argument";
    let mut lines = seen.stderr.lines().filter(|line| *line != told);
    assert!(
        lines.next().unwrap().contains("/x': Read-only file system"),
        "{}",
        seen.stderr
    );
    assert_eq!(seen.stderr.matches(told).count(), 2, "{}", seen.stderr);
}

#[test]
fn the_hosts_own_root_can_be_its_root_filesystem() {
    need_namespaces!();
    let name = format!("tiny-docker-test-{}", std::process::id());
    let script = format!("ls /etc/passwd; touch /tmp/{name} && echo a layer");
    let seen = see(&[
        "run", "--net", "isolated", "--rootfs", "/", "sh", "-c", &script,
    ]);
    assert!(!Path::new("/tmp").join(name).exists());
    match nix::unistd::geteuid().is_root() {
        true => assert_eq!(seen.stdout, "/etc/passwd\na layer\n", "{}", seen.stderr),
        false => {
            assert_eq!(seen.stdout, "/etc/passwd\n");
            let told = "tiny-docker: cannot add a layer to this root filesystem, so it is read-only: EINVAL: Invalid argument\n";
            assert!(seen.stderr.starts_with(told), "{}", seen.stderr);
        }
    }
}

#[test]
fn its_files_are_its_users() {
    need_namespaces!();
    let own = Path::new("/proc/self/uid_map");
    let range = see(&["run", "--net", "isolated", "cat", own.to_str().unwrap()]);
    if range.stdout.lines().count() == 1 && !range.stdout.contains("4294967295") {
        return skip(
            "newuidmap, and a range of ids for this user in /etc/subuid: sudo apt install uidmap",
        );
    }
    let script = "mkdir -m 700 /d && touch /d/f && chown -R 33:34 /d && stat -c %u:%g /d/f";
    let container = Detached::start(&["--net", "isolated", "sh", "-c", script]);
    container.wait_for_its_end();
    assert_eq!(see(&["logs", &container.id]).stdout, "33:34\n");
    let found = fs::metadata(container.layer().join("d")).unwrap();
    let first = range
        .stdout
        .split_whitespace()
        .nth(4)
        .map_or(1, |first| first.parse::<u32>().unwrap());
    assert_eq!(found.uid(), first + 32);
    // To the user that has started it, this directory is closed, and not to rm.
    let closed = access(&container.layer().join("d"), AccessFlags::R_OK).is_err();
    assert_eq!(closed, !nix::unistd::geteuid().is_root());
    assert_eq!(see(&["rm", &container.id]).code, Some(0));
    assert!(!container.layer().exists());
    let unfinished = state().join(format!("containers/.{}", container.id));
    assert!(!unfinished.exists());
}

#[test]
fn the_layer_goes_with_the_container() {
    need_namespaces!();
    see(&[
        "run",
        "--net",
        "isolated",
        "sh",
        "-c",
        "mkdir -m 0 /closed; echo x >/file",
    ]);
    let record = only_record();
    assert_eq!(
        fs::read_to_string(record.join("layer/upper/file")).unwrap(),
        "x\n"
    );
    let id = record.file_name().unwrap().to_str().unwrap();
    let seen = see(&["rm", &id[..6]]);
    assert_eq!((seen.code, seen.stderr.as_str()), (Some(0), ""));
    assert_eq!(seen.stdout, format!("{}\n", &id[..6]));
    assert_eq!(fs::read_dir(record.parent().unwrap()).unwrap().count(), 0);
}
