//! A state directory that somebody has prepared, and locks that are never released.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use crate::need_namespaces;
use crate::support::{Detached, Running, Seen, see, skip, state, tiny_docker, wait_until};

const COMMANDS: &[&[&str]] = &[
    &["ps", "-a"],
    &["inspect", "web"],
    &["logs", "web"],
    &["stats", "--no-stream"],
    &["info"],
    &["stop", "-t", "0", "web"],
    &["kill", "web"],
    &["wait", "web"],
    &["rm", "-f", "web"],
    &["prune", "-f"],
];

/// All files and links below `directory`, with their contents.
fn tree(directory: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() && !path.is_symlink() {
            true => found.extend(tree(&path)),
            false => found.push((path.clone(), fs::read(&path).unwrap_or_default())),
        }
    }
    found.sort();
    found
}

/// Runs a command, which ends in one way or another.
fn run_in(state: &Path, arguments: &[&str]) -> Seen {
    let mut command = std::process::Command::new("timeout");
    command.arg("60").arg(crate::support::TINY_DOCKER);
    command.args(arguments).env("TINY_DOCKER_ROOT", state);
    let seen: Seen = command.stdin(Stdio::null()).output().unwrap().into();
    assert_ne!(seen.code, Some(124), "{arguments:?} hangs");
    seen
}

#[test]
fn a_project_with_directories_of_these_names_is_left_alone() {
    let place = TempDir::new().unwrap();
    let state = place.path().join("project");
    for directory in [
        "containers/.git",
        "containers/.0123456789ab",
        "rootfs/src",
        "names",
    ] {
        fs::create_dir_all(state.join(directory)).unwrap();
        fs::write(state.join(directory).join("file"), "kept").unwrap();
    }
    let before = tree(&state);
    for command in COMMANDS {
        let seen = run_in(&state, command);
        assert!(
            seen.stderr
                .contains("it is not empty, and tiny-docker did not create it"),
            "{command:?}: {}",
            seen.stderr
        );
        assert_eq!(tree(&state), before, "{command:?}");
    }
    // If tiny-docker has also run there, only what looks like ours is removed.
    fs::write(state.join(".tiny-docker"), "").unwrap();
    for command in COMMANDS {
        run_in(&state, command);
    }
    let mut after = before;
    after.retain(|(path, _)| !path.to_str().unwrap().contains(".0123456789ab"));
    after.push((state.join(".tiny-docker"), Vec::new()));
    after.sort();
    assert_eq!(tree(&state), after);
}

#[test]
fn links_in_a_prepared_directory_lead_no_command_elsewhere() {
    for link in ["containers", "names", "rootfs", "rootfs/default"] {
        let place = TempDir::new().unwrap();
        let (state, elsewhere) = (place.path().join("state"), place.path().join("elsewhere"));
        fs::create_dir_all(state.join(link).parent().unwrap()).unwrap();
        fs::write(state.join(".tiny-docker"), "").unwrap();
        for directory in [".0123456789ab", "web", "default", "bin"] {
            fs::create_dir_all(elsewhere.join(directory)).unwrap();
            fs::write(elsewhere.join(directory).join("file"), "kept").unwrap();
        }
        symlink("0123456789ab", elsewhere.join("gone")).unwrap();
        symlink(&elsewhere, state.join(link)).unwrap();
        let before = tree(&elsewhere);
        for command in [COMMANDS, &[&["run", "true"]]].concat() {
            let seen = run_in(&state, command);
            assert!(
                seen.stderr
                    .contains(&format!("{link}: it is a symbolic link\n")),
                "{command:?}: {}",
                seen.stderr
            );
            assert_eq!(tree(&elsewhere), before, "{link}: {command:?}");
        }
    }
}

#[test]
fn a_record_leads_no_command_to_other_files() {
    need_namespaces!();
    let container = Detached::start(&["--net", "isolated", "sleep", "1000"]);
    // The files of a group in version 1, and in version 2.
    let group = state().join("tiny-docker").join(&container.id);
    fs::create_dir_all(&group).unwrap();
    for file in ["tasks", "cgroup.procs", "memory.current"] {
        fs::write(group.join(file), "kept").unwrap();
    }
    let layer = state().join("layer/upper");
    fs::create_dir_all(&layer).unwrap();
    fs::write(layer.join("file"), vec![b'x'; 5_000_000]).unwrap();
    let mut record = container.record();
    record["cgroup"] = vec![group.to_str().unwrap()].into();
    record["layer"] = state().join("layer").to_str().unwrap().into();
    record["log"] = group.join("tasks").to_str().unwrap().into();
    record["etc"] = group.to_str().unwrap().into();
    let config = container.log().with_file_name("config.json");
    fs::write(&config, record.to_string()).unwrap();
    let before = tree(&group);

    let seen = see(&["exec", &container.id, "echo", "inside"]);
    assert_eq!(seen.stdout, "inside\n");
    assert_eq!(see(&["logs", &container.id]).stdout, "");
    see(&["stats", "--no-stream"]);
    assert_eq!(see(&["stop", "-t", "0", &container.id]).code, Some(0));
    let freed = see(&["prune", "-f"]).stdout;
    assert!(!freed.contains("5MB"), "{freed}");
    assert_eq!(tree(&group), before);
    assert!(layer.join("file").exists());
}

/// In a container that sees the state directory, but may not write to it: locks everything it can.
const LOCKER: &str = r#"$| = 1; my @all;
    sub take {
        my $path = shift; open(my $file, "<", $path) or return;
        push @all, $file; print "$path\n" if flock($file, 2 | 4);
        opendir(my $directory, $path) or return;
        for (readdir $directory) { take("$path/$_") if !/^(\.|layer|etc)/ }
    }
    take("/w/containers"); print "ready\n"; sleep 1000"#;

#[test]
fn a_container_that_locks_everything_it_sees_keeps_nobody_waiting() {
    need_namespaces!();
    if !state().join("rootfs/default/bin/perl").exists() {
        return skip("perl");
    }
    let other = Detached::start(&["--net", "isolated", "echo", "said"]);
    other.wait_for_its_end();
    let volume = format!("{}:/w:ro", state().display());
    let locker = Detached::start(&["--net", "isolated", "-v", &volume, "perl", "-e", LOCKER]);
    wait_until("the attack", || {
        see(&["logs", &locker.id]).stdout.ends_with("ready\n")
    });
    let locked = see(&["logs", &locker.id]).stdout;
    for path in [
        "/w/containers".to_owned(),
        format!("/w/containers/{}/lock", other.id),
    ] {
        assert!(locked.lines().any(|line| line == path), "{locked}");
    }

    // The commands that only look take no lock.
    for look in [
        &["ps", "-a"][..],
        &["inspect", &other.id],
        &["logs", &other.id],
        &["logs", "-f", &other.id],
        &["stats", "--no-stream"],
        &["info"],
        &["completion", "bash"],
    ] {
        let seen = run_in(&state(), look);
        assert_eq!(seen.code, Some(0), "{look:?}: {}", seen.stderr);
    }
    // A command that needs a lock names its holder, and gives up after a while or on a signal.
    let pid = locker.pid();
    let start = |arguments: &[&str]| {
        let mut command = tiny_docker(arguments);
        let mut running = Running::start(command.stderr(Stdio::piped()));
        let said = BufReader::new(running.0.stderr.take().unwrap());
        (running, said)
    };
    let (mut rm, mut rm_said) = start(&["rm", "-f", &other.id]);
    let (mut run, mut run_said) = start(&["run", "--net", "isolated", "true"]);
    let containers = state().join("containers");
    let mut line = String::new();
    run_said.read_line(&mut line).unwrap();
    assert_eq!(
        line,
        format!(
            "tiny-docker: waiting for {}: process {pid} holds the lock\n",
            containers.display()
        )
    );
    kill(Pid::from_raw(run.pid()), Signal::SIGINT).unwrap();
    assert!(!run.0.wait().unwrap().success());
    let mut said = String::new();
    rm_said.read_to_string(&mut said).unwrap();
    let lock = containers.join(&other.id).join("lock");
    assert_eq!(
        said,
        format!(
            "tiny-docker: waiting for {0}: process {pid} holds the lock\ntiny-docker: cannot remove {1}: cannot lock {0}: process {pid} holds the lock\n",
            lock.display(),
            other.id
        )
    );
    assert_eq!(rm.0.wait().unwrap().code(), Some(1));

    assert_eq!(see(&["stop", "-t", "0", &locker.id]).code, Some(0));
    assert_eq!(see(&["rm", "-f", &other.id]).code, Some(0));
}

/// Takes a lease on its own record: F_SETLEASE and F_WRLCK, fcntl(2).
const LEASER: &str = r#"$SIG{IO} = "IGNORE";
    opendir(my $all, "/w/containers") or die; my ($id) = grep { /^\w/ } readdir($all);
    open(my $record, "<", "/w/containers/$id/config.json") or die;
    fcntl($record, 1024, 1); $| = 1; print "ready\n"; sleep 60"#;

#[test]
fn a_container_with_a_lease_on_its_record_can_be_stopped() {
    need_namespaces!();
    if !state().join("rootfs/default/bin/perl").exists() {
        return skip("perl");
    }
    let volume = format!("{}:/w:ro", state().display());
    let leaser = Detached::start(&["--net", "isolated", "-v", &volume, "perl", "-e", LEASER]);
    wait_until("the attack", || {
        fs::read(leaser.log()).unwrap() == b"ready\n"
    });
    for command in [&["inspect"][..], &["logs"], &["stop", "-t", "0"]] {
        let seen = run_in(&state(), &[command, &[&leaser.id]].concat());
        assert_eq!(seen.code, Some(0), "{command:?}: {}", seen.stderr);
    }
}
