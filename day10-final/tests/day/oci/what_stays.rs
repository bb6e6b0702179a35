//! What is left of a container's cgroups, and what an ordinary user gets who may not have any.

use std::fs;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::ground::Ground;
use crate::need_namespaces;
use crate::oci::container::{Container, need_root};
use crate::support::{Running, Seen, as_ordinary_user, groups, processes_with, wait_until};

/// A container in the host's PID namespace: the end of its first process is not the end of the others.
fn sharing_pids() -> Container {
    let mut container = Container::new();
    let namespaces = container.spec["linux"]["namespaces"]
        .as_array_mut()
        .unwrap();
    namespaces.retain(|namespace| namespace["type"] != "pid");
    container
}

/// How long the processes of a container sleep: a number that they can be told by.
fn time(container: &Container) -> String {
    let mut words = container.id.rsplit('-');
    let [number, pid] = [(); 2].map(|()| words.next().unwrap());
    format!("1000.{pid}{number:0>4}")
}

#[test]
fn none_is_left_when_the_first_process_has_ended() {
    need_root!();
    let mut container = sharing_pids();
    let time = time(&container);
    let seen = container.run(&format!(
        "sleep {time} & sleep {time} & (sleep {time} &) & echo started"
    ));
    assert_eq!(
        (seen.code, seen.stdout.as_str(), seen.stderr.as_str()),
        (Some(0), "started\n", "")
    );
    assert!(groups(&container.id).is_empty());
    assert!(processes_with(&time).is_empty());
}

#[test]
fn none_is_left_when_a_running_container_is_deleted() {
    need_root!();
    let mut container = sharing_pids();
    let time = time(&container);
    container.start(&format!("sleep {time} & sleep {time} & true"));
    wait_until("both, besides their shell", || {
        processes_with(&time).len() > 2
    });
    let seen = container.runc.see(&["delete", "--force", &container.id]);
    assert_eq!((seen.code, seen.stderr.as_str()), (Some(0), ""));
    assert!(groups(&container.id).is_empty());
    assert!(processes_with(&time).is_empty());
}

/// Others, such as a container that manages its own, or an agent on the host, create cgroups below ours.
#[test]
fn cgroups_below_the_containers_go_with_it() {
    need_root!();
    let mut container = sharing_pids();
    let time = time(&container);
    container.start(&format!("sleep {time} & true"));
    let own = groups(&container.id);
    assert!(!own.is_empty());
    for group in &own {
        fs::create_dir_all(group.join("a/b")).unwrap();
    }
    // One of its processes goes there, in a hierarchy that has no conditions.
    let below = own
        .iter()
        .find(|group| group.starts_with("/sys/fs/cgroup/freezer"));
    if let Some(below) = below {
        let pid = processes_with(&time)[0].to_string();
        fs::write(below.join("a/b/cgroup.procs"), pid).unwrap();
    }
    let seen = container.runc.see(&["delete", "--force", &container.id]);
    assert_eq!((seen.code, seen.stderr.as_str()), (Some(0), ""));
    assert!(groups(&container.id).is_empty());
    assert!(processes_with(&time).is_empty());
}

/// A process that has not gone yet keeps its cgroup busy, for a while.
#[test]
fn a_busy_cgroup_is_tried_again() {
    need_root!();
    let mut container = Container::new();
    container.start("true");
    let mut late = Running::start(Command::new("sleep").arg("1000"));
    for group in groups(&container.id) {
        fs::write(group.join("cgroup.procs"), late.pid().to_string()).unwrap();
    }
    let mut delete = container
        .runc
        .command(&["delete", "--force", &container.id]);
    let delete = delete.stderr(Stdio::piped()).spawn().unwrap();
    sleep(Duration::from_millis(300));
    late.0.kill().unwrap();
    late.0.wait().unwrap();
    let seen: Seen = delete.wait_with_output().unwrap().into();
    assert_eq!((seen.code, seen.stderr.as_str()), (Some(0), ""));
    assert!(groups(&container.id).is_empty());
}

/// A state file that is damaged, or lies, could name any directory.
#[test]
fn a_directory_that_is_no_cgroup_is_not_removed() {
    need_root!();
    let container = Container::new();
    let seen = container
        .command("create", &[])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    assert!(seen.unwrap().success());
    let other = TempDir::new().unwrap();
    let state = container.runc.root().join(&container.id).join("state.json");
    let text = fs::read_to_string(&state).unwrap();
    let mut lying: Value = serde_json::from_str(&text).unwrap();
    let paths = lying["groups"]["paths"].as_object_mut().unwrap();
    paths.insert("pids".to_owned(), json!(other.path()));
    fs::write(&state, lying.to_string()).unwrap();
    let seen = container.runc.see(&["delete", "--force", &container.id]);
    assert_eq!(seen.code, Some(1));
    assert!(seen.stderr.contains("it is no cgroup"), "{}", seen.stderr);
    assert!(other.path().exists());
    fs::write(&state, text).unwrap();
}

/// `tiny-runc run` as an ordinary user, with `path` as the container's cgroup.
fn run_as_user(path: &str, options: &[&str]) -> Seen {
    let (home, ground) = (TempDir::new().unwrap(), Ground::new());
    let bundle = home.path().join("bundle");
    let mut copy = Command::new("cp");
    fs::create_dir(&bundle).unwrap();
    assert!(
        copy.arg("-a")
            .arg(ground.rootfs())
            .arg(&bundle)
            .status()
            .unwrap()
            .success()
    );
    let see = |arguments: &[&str]| -> Seen {
        let root = home.path().join("state");
        let words = [&["--root", root.to_str().unwrap()], options, arguments].concat();
        let mut command = as_ordinary_user(home.path(), &words);
        command.arg0("tiny-runc").output().unwrap().into()
    };
    as_ordinary_user(home.path(), &[]);
    let owner = fs::metadata(home.path())
        .map(|home| std::os::unix::fs::MetadataExt::uid(&home))
        .unwrap();
    let chowned = Command::new("chown")
        .arg("-R")
        .arg(owner.to_string())
        .arg(&bundle)
        .status();
    assert!(chowned.unwrap().success());
    chown(&bundle, Some(owner), None).unwrap();
    let bundle_path = bundle.to_str().unwrap();
    let written = see(&["spec", "--rootless", "--bundle", bundle_path]);
    assert_eq!(written.code, Some(0), "{}", written.stderr);
    let config = bundle.join("config.json");
    let mut spec: Value = serde_json::from_slice(&fs::read(&config).unwrap()).unwrap();
    spec["process"]["terminal"] = false.into();
    spec["process"]["args"] = json!(["echo", "runs"]);
    if !path.is_empty() {
        spec["linux"]["cgroupsPath"] = path.into();
    }
    fs::write(&config, spec.to_string()).unwrap();
    see(&["run", "--bundle", bundle_path, "rootless"])
}

#[test]
fn without_permission_an_ordinary_user_has_no_cgroup_and_needs_none() {
    need_namespaces!();
    let seen = run_as_user("", &[]);
    assert_eq!(
        (seen.code, seen.stdout.as_str()),
        (Some(0), "runs\n"),
        "{}",
        seen.stderr
    );
}

#[test]
fn a_cgroup_that_is_asked_for_has_to_be_there() {
    need_namespaces!();
    let seen = run_as_user("/forbidden", &[]);
    let start = "tiny-runc: unable to apply cgroup configuration: cannot create /sys/fs/cgroup";
    assert_eq!(seen.code, Some(1));
    assert!(seen.stderr.starts_with(start), "{}", seen.stderr);
    assert!(
        seen.stderr.contains(": permission denied"),
        "{}",
        seen.stderr
    );
}
