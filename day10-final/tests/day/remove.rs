//! `run --rm`: nothing stays.

use std::path::Path;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::support::{
    Detached, Running, assert_nothing_is_kept, groups, names, records, see, tiny_docker, wait_until,
};
use crate::{need_cgroups, need_namespaces};

#[test]
fn in_the_foreground_only_the_exit_code_is_left() {
    need_namespaces!();
    for (line, code) in [
        ("echo said; echo written >/file", 0),
        ("echo said; exit 7", 7),
        ("echo said; kill -9 $$", 137),
    ] {
        // A PID 1 cannot kill itself with SIGKILL. With --init, the shell is not PID 1.
        let seen = see(&[
            "run", "--net", "isolated", "--init", "--rm", "--name", "web", "sh", "-c", line,
        ]);
        assert_eq!(
            (seen.code, seen.stdout.as_str(), seen.stderr.as_str()),
            (Some(code), "said\n", ""),
            "{line}"
        );
        assert_nothing_is_kept();
        let left = see(&["ps", "-a"]).stdout;
        assert_eq!(left.lines().count(), 1, "{left}");
    }
}

#[test]
fn a_command_that_cannot_start_leaves_nothing_either() {
    need_namespaces!();
    for (command, code) in [("/no-such-command", 127), ("/etc/passwd", 126)] {
        let seen = see(&["run", "--net", "isolated", "--rm", "--name", "web", command]);
        assert_eq!(seen.code, Some(code));
        assert_nothing_is_kept();
    }
}

#[test]
fn in_the_background_it_is_removed_when_it_ends() {
    need_namespaces!();
    let start = || {
        Detached::start(&[
            "--net",
            "isolated",
            "--rm",
            "--name",
            "web",
            "sh",
            "-c",
            "echo said >/file; echo said; exec sleep 1000",
        ])
    };
    for end in [
        &["stop", "-t", "0", "web"][..],
        &["kill", "web"],
        &["rm", "-f", "web"],
    ] {
        let container = start();
        wait_until("its log", || see(&["logs", "web"]).stdout == "said\n");
        let (log, layer) = (container.log(), container.layer());
        assert!(log.exists() && layer.join("file").exists());
        let seen = see(end);
        assert_eq!(
            (seen.code, seen.stdout.as_str(), seen.stderr.as_str()),
            (Some(0), "web\n", ""),
            "{end:?}"
        );
        wait_until("nothing kept", || records().is_empty());
        assert_nothing_is_kept();
    }
    // Even if it ends by itself.
    see(&["run", "-d", "--net", "isolated", "--rm", "true"]);
    wait_until("nothing kept", || records().is_empty());
    assert_nothing_is_kept();
}

#[test]
fn its_volumes_stay() {
    need_namespaces!();
    let data = crate::support::state().join("data");
    std::fs::create_dir(&data).unwrap();
    let volume = format!("{}:/data", data.display());
    see(&[
        "run",
        "--net",
        "isolated",
        "--rm",
        "-v",
        &volume,
        "sh",
        "-c",
        "echo kept >/data/file",
    ]);
    assert_nothing_is_kept();
    assert_eq!(
        std::fs::read_to_string(data.join("file")).unwrap(),
        "kept\n"
    );
}

#[test]
fn if_its_supervisor_was_killed_the_next_run_removes_it() {
    need_namespaces!();
    let container = Detached::start(&[
        "--net", "isolated", "--rm", "--name", "web", "sleep", "1000",
    ]);
    let (pid, supervisor) = (container.pid(), container.supervisor());
    kill(Pid::from_raw(supervisor), Signal::SIGKILL).unwrap();
    wait_until("its supervisor gone", || {
        !Path::new(&format!("/proc/{supervisor}")).exists()
    });
    assert!(container.is_running(), "it goes on");
    kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
    wait_until("its end", || !Path::new(&format!("/proc/{pid}")).exists());
    // The commands that only look change nothing.
    for look in [
        &["ps", "-a"][..],
        &["inspect", "web"],
        &["logs", "web"],
        &["stats", "--no-stream"],
    ] {
        see(look);
        assert_eq!(
            (records().len(), names()),
            (1, vec!["web".to_owned()]),
            "{look:?}"
        );
    }
    assert_eq!(
        see(&["run", "--net", "isolated", "--rm", "true"]).code,
        Some(0)
    );
    assert_nothing_is_kept();
}

#[test]
fn if_its_run_was_killed_the_next_one_removes_it() {
    need_namespaces!();
    let arguments = [
        "run", "--net", "isolated", "--rm", "--name", "web", "sleep", "1000",
    ];
    let mut run = Running::start(&mut tiny_docker(&arguments));
    wait_until("it running", || see(&["ps"]).stdout.contains("sleep 1000"));
    run.0.kill().unwrap();
    run.0.wait().unwrap();
    wait_until("nothing kept", || {
        see(&["run", "--net", "isolated", "--rm", "true"]);
        records().is_empty() && names().is_empty()
    });
}

#[test]
fn without_its_supervisor_its_cgroup_is_removed_too() {
    need_cgroups!();
    for (options, end) in [
        (&["--rm"][..], &["stop", "-t", "0", "web"][..]),
        (&[], &["rm", "-f", "web"]),
        (&["--rm"], &["rm", "-f", "web"]),
    ] {
        let arguments = [
            &["--net", "isolated", "--memory", "64m", "--name", "web"],
            options,
            &["sleep", "1000"],
        ]
        .concat();
        let container = Detached::start(&arguments);
        let supervisor = container.supervisor();
        kill(Pid::from_raw(supervisor), Signal::SIGKILL).unwrap();
        wait_until("its supervisor gone", || {
            !Path::new(&format!("/proc/{supervisor}")).exists()
        });
        assert!(!groups(&container.id).is_empty());
        let seen = see(end);
        assert_eq!((seen.code, seen.stderr.as_str()), (Some(0), ""), "{end:?}");
        see(&["ps"]);
        assert_nothing_is_kept();
        assert_eq!(
            groups(&container.id),
            Vec::<std::path::PathBuf>::new(),
            "{options:?} {end:?}"
        );
    }
}
