//! `prune`: removes what nobody needs.

use std::fs;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::process::Stdio;

use insta::assert_snapshot;
use tempfile::TempDir;

use crate::need_namespaces;
use crate::support::{
    Detached, Seen, assert_nothing_is_kept, host, names, only_record, records, see, state,
    tiny_docker,
};

/// `tiny-docker prune`, to which `answer` is typed.
fn answer(answer: &str) -> Seen {
    let mut prune = tiny_docker(&["prune"]);
    prune
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut prune = prune.spawn().unwrap();
    prune
        .stdin
        .take()
        .unwrap()
        .write_all(answer.as_bytes())
        .unwrap();
    prune.wait_with_output().unwrap().into()
}

fn ended() {
    assert_eq!(
        see(&["run", "--net", "isolated", "sh", "-c", "echo x >/file"]).code,
        Some(0)
    );
}

#[test]
fn it_asks_and_only_yes_means_yes() {
    need_namespaces!();
    ended();
    for no in [
        "n\n",
        "N\n",
        "\n",
        "",
        "no\n",
        "yess\n",
        "\u{ff}\n",
        "maybe y\n",
    ] {
        let seen = answer(no);
        assert_eq!((seen.code, seen.stderr.as_str()), (Some(0), ""), "{no:?}");
        assert_eq!(records().len(), 1, "{no:?}");
    }
    assert_snapshot!(answer("").stdout.replace("[y/N] ", "[y/N]"), @"
    WARNING! This will remove:
      - all stopped containers
      - all dangling images

    Are you sure you want to continue? [y/N]
    ");
    for yes in ["y\n", "Y\n", "yes\n", " y \n", "y"] {
        ended();
        let seen = answer(yes);
        assert_eq!((seen.code, seen.stderr.as_str()), (Some(0), ""), "{yes:?}");
        assert!(
            seen.stdout.contains("[y/N] Deleted Containers:\n"),
            "{}",
            seen.stdout
        );
        assert_nothing_is_kept();
    }
}

#[test]
fn no_answer_is_not_a_yes() {
    need_namespaces!();
    ended();
    let mut prune = tiny_docker(&["prune"]);
    let seen: Seen = prune
        .stdin(fs::File::open(state()).unwrap())
        .output()
        .unwrap()
        .into();
    assert_eq!(seen.code, Some(1), "{}", seen.stderr);
    assert!(
        seen.stderr
            .starts_with("tiny-docker: cannot read the answer: "),
        "{}",
        seen.stderr
    );
    only_record();
}

#[test]
fn it_lists_what_it_has_removed() {
    need_namespaces!();
    // While this is running, the root filesystem stays.
    let _running = Detached::start(&["--net", "isolated", "sleep", "1000"]);
    let mut ids = Vec::new();
    for _ in 0..3 {
        let container = Detached::start(&["--net", "isolated", "true"]);
        container.wait_for_its_end();
        ids.push(container.id.clone());
    }
    let seen = see(&["prune", "--force"]);
    let mut printed = seen.stdout.clone();
    for id in &ids {
        assert_eq!(printed.matches(id.as_str()).count(), 1, "{printed}");
        printed = printed.replace(id, "ID");
    }
    // There was a record of each container.
    let (printed, freed) = printed.rsplit_once(' ').unwrap();
    assert_ne!(freed, "0B\n");
    assert_snapshot!(printed, @"
    Deleted Containers:
    ID
    ID
    ID

    Total reclaimed space:
    ");
    let nothing = see(&["prune", "-f"]);
    assert_eq!((nothing.code, nothing.stderr.as_str()), (Some(0), ""));
    assert_snapshot!(nothing.stdout, @"Total reclaimed space: 0B");
}

#[test]
fn it_says_how_much_space_that_was() {
    need_namespaces!();
    // While this is running, the root filesystem stays.
    let _running = Detached::start(&["--net", "isolated", "sleep", "1000"]);
    let write =
        "head -c 1500000 /dev/zero >/tmp/one; mkdir -p /srv/deep; echo 12345 >/srv/deep/two";
    let container = Detached::start(&["--net", "isolated", "sh", "-c", write]);
    container.wait_for_its_end();
    let seen = see(&["prune", "-f"]);
    let freed = "\n\nTotal reclaimed space: 1.5MB\n";
    assert!(seen.stdout.ends_with(freed), "{}", seen.stdout);
}

#[test]
fn logs_records_and_the_default_rootfs_are_counted_too() {
    need_namespaces!();
    let own = TempDir::new().unwrap();
    let see = |arguments: &[&str]| -> Seen {
        let mut command = tiny_docker(arguments);
        command.env("TINY_DOCKER_ROOT", own.path());
        command.output().unwrap().into()
    };
    let isolated = ["run", "--net", "isolated"];
    let print = "head -c 2000000 /dev/zero; truncate -s 1T /tmp/holes; ln /tmp/holes /tmp/other";
    let id = see(&[&isolated[..], &["-d", "sh", "-c", print]].concat()).stdout;
    assert_eq!(see(&["wait", id.trim()]).stdout, "0\n");
    let there = "find . -type f ! -name holes ! -name other -printf '%i %s\\n' | sort -u | awk '{ all += $2 } END { print all }'";
    let there = host(&format!("cd {} && {there}", own.path().display()));
    let there: f64 = there.trim().parse().unwrap();
    assert!(there > 3e6, "{there}");
    let seen = see(&["prune", "-f"]);
    let freed = seen.stdout.rsplit_once(' ').unwrap().1.trim();
    let megabytes: f64 = freed.strip_suffix("MB").expect(freed).parse().unwrap();
    // It is printed with three digits.
    assert!(
        (megabytes * 1e6 / there - 1.0).abs() < 0.01,
        "{freed} of {there}"
    );
    assert!(!own.path().exists());
}

#[test]
fn a_running_container_keeps_everything_it_needs() {
    need_namespaces!();
    let running = Detached::start(&[
        "--net",
        "isolated",
        "--name",
        "web",
        "sh",
        "-c",
        "echo said; exec sleep 1000",
    ]);
    ended();
    let seen = see(&["prune", "-f"]);
    assert_eq!(seen.code, Some(0));
    assert!(!seen.stdout.contains(&running.id));
    assert_eq!((names(), records().len()), (vec!["web".to_owned()], 1));
    assert!(running.is_running() && state().join("rootfs/default").is_dir());
    assert_eq!(
        see(&["run", "--net", "isolated", "--rm", "echo", "on"]).stdout,
        "on\n"
    );
    assert_eq!(see(&["stop", "-t", "0", "web"]).code, Some(0));
}

#[test]
fn when_nothing_runs_not_even_the_directory_stays() {
    need_namespaces!();
    let state = state();
    ended();
    let container = Detached::start(&["--net", "isolated", "sleep", "1000"]);
    assert_eq!(see(&["rm", "-f", &container.id]).code, Some(0));
    assert_eq!(
        tiny_docker(&["prune", "-f"])
            .output()
            .unwrap()
            .status
            .code(),
        Some(0)
    );
    assert!(!state.exists());
    // And `prune` does not create one.
    let mut prune = tiny_docker(&["prune", "-f"]);
    prune.env("TINY_DOCKER_ROOT", state.join("never/was"));
    assert_eq!(prune.output().unwrap().status.code(), Some(0));
    assert!(!state.join("never").exists());
}

#[test]
fn other_peoples_files_stay() {
    need_namespaces!();
    let state = state();
    ended();
    let mine = ["mine", "rootfs/mine", "names/mine", "containers/.git/mine"];
    fs::create_dir(state.join("containers/.git")).unwrap();
    for file in mine {
        fs::write(state.join(file), "the user's file").unwrap();
    }
    symlink("mine", state.join("names/link")).unwrap();
    for _ in 0..2 {
        assert_eq!(see(&["prune", "-f"]).code, Some(0));
        for file in mine {
            assert_eq!(
                fs::read_to_string(state.join(file)).unwrap(),
                "the user's file"
            );
        }
        assert!(state.join("names/link").is_symlink());
        assert_eq!(records(), [state.join("containers/.git")]);
        // Without that, it takes all of its own, and its directories stay usable.
        fs::rename(state.join("containers/.git"), state.join("git")).unwrap();
        assert_eq!(see(&["prune", "-f"]).code, Some(0));
        assert!(!state.join("rootfs/default").exists());
        fs::create_dir_all(state.join("containers")).unwrap();
        fs::rename(state.join("git"), state.join("containers/.git")).unwrap();
    }
    assert_eq!(see(&["ps"]).code, Some(0));
}

#[test]
fn the_next_run_builds_the_root_filesystem_again() {
    need_namespaces!();
    // Not the state directory that all tests share.
    let own = TempDir::new().unwrap();
    let root = own.path().join("state");
    let see = |arguments: &[&str]| -> Seen {
        let mut command = tiny_docker(arguments);
        command
            .env("TINY_DOCKER_ROOT", &root)
            .output()
            .unwrap()
            .into()
    };
    for _ in 0..2 {
        let seen = see(&["run", "--net", "isolated", "echo", "here"]);
        assert_eq!((seen.code, seen.stdout.as_str()), (Some(0), "here\n"));
        assert_eq!(
            seen.stderr,
            "tiny-docker: building a root filesystem from this machine's programs (first run)\n"
        );
        assert_eq!(see(&["prune", "-f"]).code, Some(0));
        assert!(!root.exists());
    }
}

#[test]
fn a_damaged_record_is_reported_and_left() {
    need_namespaces!();
    ended();
    let damaged = only_record();
    fs::write(damaged.join("config.json"), "{").unwrap();
    ended();
    let seen = see(&["prune", "-f"]);
    assert_eq!(seen.code, Some(1));
    assert!(
        seen.stderr.starts_with("tiny-docker: cannot read ") && seen.stderr.lines().count() == 1,
        "{}",
        seen.stderr
    );
    assert_eq!(only_record(), damaged);
    assert!(
        state().join("rootfs/default").is_dir(),
        "whoever repairs it needs that"
    );
    assert_eq!(see(&["ps", "-a"]).code, Some(0));
}

#[test]
fn what_a_killed_run_or_rm_has_left_is_removed_too() {
    need_namespaces!();
    ended();
    let record = only_record();
    let id = record.file_name().unwrap().to_str().unwrap().to_owned();
    fs::rename(&record, record.with_file_name(format!(".{id}"))).unwrap();
    fs::create_dir(state().join("containers/.0123456789ab")).unwrap();
    assert_eq!(names().len(), 1);
    assert_eq!(see(&["prune", "-f"]).code, Some(0));
    assert_nothing_is_kept();
}

#[test]
fn a_container_that_is_starting_keeps_its_root_filesystem() {
    need_namespaces!();
    ended();
    let record = only_record();
    // As `run` does.
    let starting = record.with_file_name(".0123456789ab");
    fs::create_dir(&starting).unwrap();
    let state = state();
    let lock = fs::File::open(&starting).unwrap();
    lock.lock().unwrap();
    assert_eq!(see(&["prune", "-f"]).code, Some(0));
    assert!(!record.exists() && starting.exists());
    assert!(state.join("rootfs/default").is_dir());
    // Closing it is not enough: another test's process may have inherited it, and not executed its program yet.
    lock.unlock().unwrap();
    assert_eq!(see(&["prune", "-f"]).code, Some(0));
    assert!(!state.exists());
}
