//! `--memory`, `--cpus`, `--pids-limit`.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::{self, Command};
use std::thread::sleep;
use std::time::{Duration, Instant};

use insta::assert_snapshot;
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, geteuid, gettid};
use tempfile::TempDir;

use crate::support::{
    Detached, Running, Seen, as_ordinary_user, can_have_cgroups, groups, has_cgroup_v2, leave_to,
    only_record, records, rounds, see, shell, skip, tiny_docker, wait_until,
};
use crate::{need_cgroups, need_namespaces};

/// Takes so many bytes, and says so.
fn take(bytes: u32) -> String {
    format!("x=$(head -c {bytes} /dev/zero | tr '\\0' x); echo taken")
}

/// The same in a child. Before its memory is given back, the kernel may want another victim, which must not be PID 1:
/// the child and its own children offer themselves (proc_pid_oom_score_adj(5)).
fn take_in_a_child(bytes: u32) -> String {
    let take = take(bytes).replace('$', "\\$");
    format!("sh -c \"echo 1000 > /proc/self/oom_score_adj; {take}\"; echo $?")
}

fn id_of(record: &Path) -> String {
    record.file_name().unwrap().to_string_lossy().into_owned()
}

#[test]
fn who_takes_more_memory_than_allowed_is_killed() {
    need_cgroups!();
    let seen = see(&["run", "--memory", "128m", "sh", "-c", &take(200_000_000)]);
    assert_eq!((seen.code, seen.stdout.as_str()), (Some(137), ""));
    let listed = see(&["ps", "-a"]).stdout;
    assert!(
        listed.contains("   Exited (137, out of memory) "),
        "{listed}"
    );
}

#[test]
fn who_takes_less_memory_than_allowed_is_not() {
    need_cgroups!();
    let seen = see(&["run", "-m", "128m", "sh", "-c", &take(20_000_000)]);
    assert_eq!((seen.code, seen.stdout.as_str()), (Some(0), "taken\n"));
    let seen = see(&["run", "-m", "6m", "sh", "-c", "echo little is enough"]);
    assert_eq!(seen.stdout, "little is enough\n");
}

#[test]
fn not_every_137_is_a_lack_of_memory() {
    need_cgroups!();
    let end = "trap : 0; kill -9 $$ & wait; exit 137"; // PID 1 cannot kill itself
    assert_eq!(see(&["run", "-m", "64m", "sh", "-c", end]).code, Some(137));
    let listed = see(&["ps", "-a"]).stdout;
    assert!(listed.contains("   Exited (137) "), "{listed}");
}

#[test]
fn a_child_that_is_killed_for_memory_is_not_the_container() {
    need_cgroups!();
    let script = take_in_a_child(200_000_000);
    let seen = see(&["run", "-m", "64m", "sh", "-c", &script]);
    assert_eq!((seen.code, seen.stdout.as_str()), (Some(0), "137\n"));
    assert!(see(&["ps", "-a"]).stdout.contains("   Exited (0) "));
}

#[test]
fn who_is_stopped_has_not_run_out_of_memory() {
    need_cgroups!();
    let script = format!("{}; exec sleep 1000", take_in_a_child(50_000_000));
    let container = Detached::start(&["-m", "16m", "sh", "-c", &script]);
    wait_until("a child killed", || {
        see(&["logs", &container.id]).stdout.ends_with("137\n")
    });
    see(&["stop", "-t", "0", &container.id]);
    assert!(
        container.listed().starts_with("- stopped (137) "),
        "{}",
        container.listed()
    );
    assert!(
        !container.listed().contains("memory"),
        "{}",
        container.listed()
    );
}

#[test]
fn the_kernel_is_told_the_limits() {
    need_cgroups!();
    let limits = ["--memory", "64m", "--cpus", "0.25", "--pids-limit", "50"];
    let container = Detached::start(&[&limits[..], &["sleep", "1000"]].concat());
    let told = |v2, v1| container.in_its_group(v2, v1);
    assert_eq!(
        told("memory.max", "memory.limit_in_bytes").unwrap(),
        "67108864"
    );
    assert_eq!(told("pids.max", "pids.max").unwrap(), "50");
    let quota = told("cpu.max", "cpu.cfs_quota_us").unwrap();
    assert!(quota == "25000 100000" || quota == "25000", "{quota}");
    assert_eq!(container.record()["limits"]["memory"], 67_108_864);
    assert_eq!(container.record()["limits"]["cpus"], 0.25);
    assert_eq!(container.record()["limits"]["pids_limit"], 50);
}

#[test]
fn units_and_fractions_are_understood() {
    need_cgroups!();
    let kept = |option: &str, value: &str, field: &str| {
        let container = Detached::start(&[option, value, "sleep", "1000"]);
        let quota = container.in_its_group("cpu.max", "cpu.cfs_quota_us");
        (container.record()["limits"][field].clone(), quota)
    };
    let memory = [
        ("65536k", 1 << 26),
        ("64M", 1 << 26),
        ("64mb", 1 << 26),
        ("0.5g", 1 << 29),
        ("1G", 1 << 30),
    ];
    for (value, bytes) in memory {
        assert_eq!(kept("--memory", value, "memory").0, bytes, "{value}");
    }
    let (_, quota) = kept("--cpus", "0.29", "cpus"); // as a binary fraction it is a bit less
    assert!(quota.unwrap().starts_with("29000"));
    let all = std::thread::available_parallelism().unwrap().to_string();
    assert_eq!(see(&["run", "--cpus", &all, "true"]).code, Some(0));
    let seen = see(&["run", "--cpus", &format!("{all}.01"), "true"]);
    assert_eq!(seen.code, Some(125));
}

#[test]
fn there_is_no_swap_to_escape_to() {
    need_cgroups!();
    let container = Detached::start(&["--memory", "64m", "sleep", "1000"]);
    match container.in_its_group("memory.swap.max", "memory.memsw.limit_in_bytes") {
        // Alone, or together with the memory.
        Some(swap) => assert!(swap == "0" || swap == "67108864", "{swap}"),
        None => skip("a kernel with swap accounting"),
    }
}

#[test]
fn a_fork_bomb_is_held() {
    need_cgroups!();
    // A shell that cannot fork gives up: PID 1 does so once, before the bomb.
    let bomb = "(bomb() { bomb | bomb & }; bomb) 2>/dev/null & exec sleep 1000";
    let container = Detached::start(&["--pids-limit", "64", "sh", "-c", bomb]);
    let number = |file| -> u64 {
        let text = container.in_its_group(file, file).unwrap();
        text.trim_start_matches("max ").parse().unwrap()
    };
    wait_until("the limit reached", || number("pids.events") > 0);
    for _ in 0..20 {
        assert!(number("pids.current") <= 64);
        sleep(Duration::from_millis(20));
    }
    assert_eq!(see(&["stop", "-t", "0", &container.id]).code, Some(0));
    assert!(groups(&container.id).is_empty());
}

#[test]
fn half_a_cpu_is_half_a_cpu() {
    need_cgroups!();
    let busy = "while :; do :; done & while :; do :; done";
    let container = Detached::start(&["--cpus", "0.5", "sh", "-c", busy]);
    let processes = || {
        let procs = container
            .in_its_group("cgroup.procs", "cgroup.procs")
            .unwrap();
        procs.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    wait_until("both loops", || processes().len() == 2);
    // Fields 14 and 15 of /proc/PID/stat, in hundredths of a second.
    let used = || -> f64 {
        let of = |pid: &String| {
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
            let fields: Vec<_> = stat
                .rsplit_once(')')
                .unwrap()
                .1
                .split_whitespace()
                .collect();
            fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()
        };
        processes().iter().map(of).sum::<f64>() / 100.0
    };
    // Whatever else the machine has to do: the containers come first. More than half it may not be all the same.
    for (file, weight) in [("cpu.weight", "10000"), ("cpu.shares", "262144")] {
        for group in groups(&container.id) {
            let above = group.parent().unwrap().join(file);
            let _ = OpenOptions::new()
                .write(true)
                .open(above)
                .map(|mut file| file.write_all(weight.as_bytes()));
        }
    }
    let mut shares = Vec::new();
    for _ in 0..20 {
        let (start, before) = (Instant::now(), used());
        sleep(Duration::from_secs(3));
        let share = (used() - before) / start.elapsed().as_secs_f64();
        assert!(share < 0.6, "{share}");
        if share > 0.4 {
            return;
        }
        shares.push(share);
    }
    panic!("never as much as half a CPU: {shares:?}");
}

#[test]
fn the_command_is_in_its_group_from_the_first_moment() {
    need_cgroups!();
    let script = "cat /proc/self/cgroup; exec sleep 1000";
    let options = ["--memory", "64m", "--pids-limit", "9", "sh", "-c", script];
    let container = Detached::start(&options);
    let outside = fs::read_to_string(format!("/proc/{}/cgroup", container.pid())).unwrap();
    let group = format!("/tiny-docker/{}", container.id);
    let lines = outside.lines().filter(|line| line.ends_with(&group));
    let groups = if has_cgroup_v2() { 1 } else { 2 };
    assert_eq!(lines.count(), groups, "{outside}");
    // To itself, that group is the highest one.
    let log = || fs::read_to_string(container.log()).unwrap();
    wait_until("its groups", || {
        log().lines().count() == outside.lines().count()
    });
    assert!(log().lines().all(|line| line.ends_with(":/")), "{}", log());
}

#[test]
fn all_that_it_starts_is_in_its_group() {
    need_cgroups!();
    let script = "(sleep 1000 & sleep 1000 &); exec sleep 1000";
    let container = Detached::start(&["--init", "--memory", "64m", "sh", "-c", script]);
    let procs = || {
        container
            .in_its_group("cgroup.procs", "cgroup.procs")
            .unwrap()
    };
    wait_until("init and three others", || procs().lines().count() == 4);
    // The runtime's own processes are none of them.
    let supervisor = container.supervisor().to_string();
    assert!(procs().lines().all(|pid| pid != supervisor));
}

#[test]
fn no_group_is_left_behind() {
    need_cgroups!();
    for command in ["true", "/no-such-command"] {
        see(&["run", "--memory", "64m", command]);
    }
    assert!(groups(&id_of(&only_record())).is_empty());

    let container = Detached::start(&["--memory", "64m", "--pids-limit", "9", "sleep", "1000"]);
    assert!(!groups(&container.id).is_empty());
    // What is in it goes, too.
    for group in groups(&container.id) {
        fs::create_dir(group.join("nested")).unwrap();
    }
    assert_eq!(see(&["stop", "-t", "0", &container.id]).code, Some(0));
    assert!(groups(&container.id).is_empty());
}

/// Later commands would remove what is left.
#[test]
fn the_groups_are_gone_when_the_run_is() {
    need_cgroups!();
    let script = "for i in 1 2 3 4 5 6 7 8; do sleep 1000 & done";
    for n in 1..=10 {
        see(&[
            "run",
            "--memory",
            "64m",
            "--pids-limit",
            "20",
            "sh",
            "-c",
            script,
        ]);
        assert_eq!(records().len(), n);
        for record in records() {
            assert!(groups(&id_of(&record)).is_empty());
        }
    }
    // Before the exit code is told.
    for _ in 0..rounds(20) {
        let container = Detached::start(&["--memory", "64m", "sleep", "1000"]);
        let group = groups(&container.id).remove(0);
        kill(Pid::from_raw(container.pid()), Signal::SIGKILL).unwrap();
        while container.record()["exit_code"].is_null() {}
        assert!(!group.exists());
    }
}

#[test]
fn a_process_from_outside_does_not_keep_the_group() {
    need_cgroups!();
    let container = Detached::start(&["--memory", "64m", "sleep", "1000"]);
    let group = groups(&container.id).remove(0);
    let mut late = Running::start(Command::new("sleep").arg("1000"));
    fs::write(group.join("cgroup.procs"), late.pid().to_string()).unwrap();
    kill(Pid::from_raw(container.pid()), Signal::SIGKILL).unwrap();
    // It is still on its way out when the container has ended.
    late.0.kill().unwrap();
    late.0.wait().unwrap();
    wait_until("the group gone", || groups(&container.id).is_empty());
}

#[test]
fn a_container_that_is_starting_keeps_its_group() {
    need_cgroups!();
    let limits = ["--memory", "64m", "--pids-limit", "9", "--cpus", "0.5"];
    let mut starting: Vec<_> = (0..rounds(30))
        .map(|_| {
            Running::start(&mut tiny_docker(
                &[&["run"], &limits[..], &["true"]].concat(),
            ))
        })
        .collect();
    while starting
        .iter_mut()
        .any(|run| run.0.try_wait().unwrap().is_none())
    {
        see(&["ps"]);
    }
    for mut run in starting {
        assert_eq!(run.0.wait().unwrap().code(), Some(0));
    }
}

#[test]
fn its_group_does_not_depend_on_where_the_run_is_started() {
    need_cgroups!();
    let container = Detached::start(&["--memory", "64m", "sleep", "1000"]);
    let top = groups(&container.id).remove(0).parent().unwrap().to_owned();
    let other = top.with_file_name(format!("test-{}", process::id()));
    fs::create_dir_all(other.join("below")).unwrap();
    let script = format!(
        "echo $$ >{}/below/cgroup.procs; exec $TD run -d --memory 64m sleep 1000",
        other.display()
    );
    let seen = shell(&script);
    assert_eq!(seen.code, Some(0), "{}", seen.stderr);
    let id = seen.stdout.trim().to_owned();
    let groups: String = groups(&id)
        .iter()
        .map(|group| group.display().to_string())
        .collect();
    drop(Detached { id });
    let _ = fs::remove_dir(other.join("below/tiny-docker"));
    wait_until("the group empty", || {
        fs::remove_dir(other.join("below")).is_ok()
    });
    fs::remove_dir(&other).unwrap();
    assert!(!groups.contains("below/tiny-docker"), "{groups}");
    assert!(groups.contains("/tiny-docker/"), "{groups}");
}

#[test]
fn a_failed_run_leaves_no_group() {
    need_cgroups!();
    // An unusual limit, in pages, by which the group would be found. Nobody else's tests have it at the same time.
    let limit = &format!("{}", (20_000 + u64::from(std::process::id())) * 4096);
    let find = || {
        let mut grep = Command::new("sh");
        grep.args([
            "-c",
            "grep -ls $0 $(find /sys/fs/cgroup -path '*/tiny-docker/*' -name 'memory.*')",
        ]);
        String::from_utf8(grep.arg(limit).output().unwrap().stdout).unwrap()
    };
    let container = Detached::start(&["--memory", limit, "sleep", "1000"]);
    assert_ne!(find(), "", "it can be found");
    drop(container);
    wait_until("it gone", || find().is_empty());

    let seen = see(&["run", "--memory", limit, "--rootfs", "/no/such", "true"]);
    assert_eq!(seen.code, Some(125));
    assert_eq!(find(), "");
}

#[test]
fn the_group_of_a_killed_run_goes_with_the_next_one() {
    need_cgroups!();
    let limits = ["--memory", "64m", "--pids-limit", "9", "--cpus", "0.5"];
    let arguments = [&["run"], &limits[..], &["sleep", "1000"]].concat();
    let mut run = Running::start(&mut tiny_docker(&arguments));
    wait_until("it running", || see(&["ps"]).stdout.contains("sleep 1000"));
    let id = id_of(&only_record());
    assert!(!groups(&id).is_empty());
    run.0.kill().unwrap();
    run.0.wait().unwrap();
    wait_until("it ended", || !see(&["ps"]).stdout.contains(&id));
    // Looking changes nothing.
    see(&["ps", "-a"]);
    see(&["logs", &id]);
    assert!(!groups(&id).is_empty());
    wait_until("its group gone", || {
        see(&["run", "true"]);
        groups(&id).is_empty()
    });
}

#[test]
fn a_container_without_its_run_keeps_its_group_until_it_ends() {
    need_cgroups!();
    let container = Detached::start(&["--memory", "64m", "sleep", "1000"]);
    let supervisor = container.supervisor();
    kill(Pid::from_raw(supervisor), Signal::SIGKILL).unwrap();
    wait_until("the supervisor gone", || {
        container.supervisor() != supervisor
    });
    assert!(container.is_running());
    assert!(!groups(&container.id).is_empty());
    assert_eq!(see(&["stop", "-t", "0", &container.id]).code, Some(0));
    assert!(groups(&container.id).is_empty());
}

#[test]
fn the_groups_of_others_are_left_alone() {
    need_cgroups!();
    let container = Detached::start(&["--memory", "64m", "sleep", "1000"]);
    let group = groups(&container.id).remove(0);
    // By its name it could be one of ours, but this state directory knows nothing of it.
    let other = group.with_file_name("0123456789ab");
    fs::create_dir(&other).unwrap();
    see(&["ps"]);
    let there = other.exists();
    fs::remove_dir(&other).unwrap();
    assert!(there);
}

/// A group of version 2 for an ordinary user, as root delegates it; goes away with what the tests have left in it.
pub struct Delegated(PathBuf);

impl Delegated {
    pub fn new() -> Self {
        const NOBODY: u32 = 65534;
        // Each test has a thread of its own.
        let group = PathBuf::from(format!("/sys/fs/cgroup/delegated-{}", gettid()));
        fs::create_dir(&group).unwrap();
        for file in [
            "",
            "cgroup.procs",
            "cgroup.subtree_control",
            "cgroup.threads",
        ] {
            chown(group.join(file), Some(NOBODY), Some(NOBODY)).unwrap();
        }
        Self(group)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    /// `tiny-docker ARGUMENTS…` as this user, started in the group.
    fn see(&self, home: &Path, arguments: &[&str]) -> Seen {
        let command = as_ordinary_user(home, arguments);
        self.see_program(home, Path::new(command.get_program()), arguments)
    }

    /// The same with another `program`.
    pub fn see_program(&self, home: &Path, program: &Path, arguments: &[&str]) -> Seen {
        let enter = format!(
            "cd {}; cd beside-tiny-docker 2>/dev/null; echo $$ >cgroup.procs; ",
            self.0.display()
        );
        see_after(&enter, home, program, arguments)
    }

    /// The same, in no such group.
    pub fn see_outside(home: &Path, program: &Path, arguments: &[&str]) -> Seen {
        see_after("", home, program, arguments)
    }
}

fn see_after(enter: &str, home: &Path, program: &Path, arguments: &[&str]) -> Seen {
    let script = format!("{enter}exec setpriv --reuid 65534 --regid 65534 --clear-groups \"$@\"");
    let mut sh = Command::new("sh");
    sh.args(["-c", &script, "sh"]).arg(program).args(arguments);
    sh.env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap());
    sh.env("HOME", home).output().unwrap().into()
}

impl Drop for Delegated {
    fn drop(&mut self) {
        let remove = "find $0 -depth -type d -exec rmdir {} +";
        wait_until("the delegated group removed", || {
            let rmdir = Command::new("sh")
                .args(["-c", remove])
                .arg(&self.0)
                .output()
                .unwrap();
            rmdir.status.success()
        });
    }
}

/// The kernel would hand down cpu from a group that has processes, and from then on nothing else.
#[test]
fn a_limit_on_cpus_does_not_rule_out_one_on_memory() {
    need_namespaces!();
    if !geteuid().is_root() {
        return leave_to("root, to delegate a cgroup");
    }
    if !has_cgroup_v2() {
        return skip("cgroup v2: .ci/run boots a virtual machine that has it");
    }
    let (group, home) = (Delegated::new(), TempDir::new().unwrap());
    for limit in [["--cpus", "0.5"], ["--memory", "64m"]] {
        let seen = group.see(home.path(), &[&["run"], &limit[..], &["true"]].concat());
        assert_eq!(seen.code, Some(0), "{}", seen.stderr);
    }
}

/// No controller is handed down yet in the delegated group, and it has a process: the run itself.
#[test]
fn an_ordinary_user_has_limits_in_a_delegated_group() {
    need_namespaces!();
    if !geteuid().is_root() {
        return leave_to("root, to delegate a cgroup");
    }
    if !has_cgroup_v2() {
        return skip("cgroup v2: .ci/run boots a virtual machine that has it");
    }
    let (group, home) = (Delegated::new(), TempDir::new().unwrap());
    let limits = ["--memory", "64m", "--cpus", "0.5", "--pids-limit", "20"];
    for _ in 0..2 {
        let seen = group.see(
            home.path(),
            &[
                &["run"],
                &limits[..],
                &["cat", "/sys/fs/cgroup/memory.max", "/proc/self/cgroup"],
            ]
            .concat(),
        );
        // Its own group is all that it sees.
        assert_eq!(seen.stdout, "67108864\n0::/\n", "{}", seen.stderr);
    }
    let seen = group.see(
        home.path(),
        &["run", "--memory", "64m", "sh", "-c", &take(200_000_000)],
    );
    assert_eq!(seen.code, Some(137), "{}", seen.stderr);
    let seen = group.see(home.path(), &["ps", "-a"]);
    assert!(
        seen.stdout.contains("   Exited (137, out of memory) "),
        "{}",
        seen.stdout
    );
    let left = fs::read_dir(group.0.join("tiny-docker")).unwrap();
    assert_eq!(
        left.flatten().filter(|entry| entry.path().is_dir()).count(),
        0
    );
}

#[test]
fn an_ordinary_user_without_a_group_is_told_the_way_out() {
    need_namespaces!();
    if !geteuid().is_root() && can_have_cgroups() {
        return leave_to("a user without a delegated cgroup");
    }
    let home = TempDir::new().unwrap();
    let see = |arguments: &[&str]| -> Seen {
        as_ordinary_user(home.path(), arguments)
            .env("HOME", home.path())
            .output()
            .unwrap()
            .into()
    };
    let seen = see(&["run", "--memory", "64m", "true"]);
    assert_eq!(seen.code, Some(125));
    let lines: Vec<_> = seen
        .stderr
        .lines()
        .filter(|line| !line.contains("building"))
        .collect();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(
        lines[0].starts_with("tiny-docker: cannot limit memory: /sys/fs/cgroup"),
        "{lines:?}"
    );
    assert!(
        lines[0].ends_with(" cannot be changed by this user"),
        "{lines:?}"
    );
    let program = as_ordinary_user(home.path(), &[]);
    let program = program.get_program().display();
    let ways = [
        "hint: get a cgroup of your own: systemd-run --user --scope -p Delegate=yes tiny-docker run …",
        // By a path, since sudo may not find it by its name.
        &format!(
            "hint: this host uses cgroup v1 for it, which requires root: sudo {program} run …"
        ),
    ];
    assert!(ways.contains(&lines[1]), "{lines:?}");
    assert_eq!(see(&["ps", "-a"]).stdout.lines().count(), 1);
    // And without limits it works.
    assert_eq!(see(&["run", "true"]).code, Some(0));
}

#[test]
fn a_container_may_have_a_single_process() {
    need_cgroups!();
    let seen = see(&[
        "run",
        "--pids-limit",
        "1",
        "sh",
        "-c",
        "echo one; (echo two)",
    ]);
    assert_eq!(seen.stdout, "one\n", "{}", seen.stderr);
    assert_ne!(seen.code, Some(0));
}

#[test]
fn a_limit_that_cannot_be_is_refused() {
    let refused = |option: &str, value: &str| {
        let seen = see(&["run", option, value, "true"]);
        assert_eq!((seen.code, seen.stdout.as_str()), (Some(125), ""));
        seen.stderr.lines().next().unwrap().to_owned() + "\n"
    };
    let values = ["0", "-1", "12q", "", "1.2.3m", "99999999999g", "5m", "4095"];
    let errors: String = values
        .iter()
        .map(|value| refused("--memory", value))
        .collect();
    assert_snapshot!(errors, @"
    error: invalid value '0' for '--memory <SIZE>': to set no limit, leave out the option
    error: invalid value '-1' for '--memory <SIZE>': expected a number, optionally followed by b, k, m or g
    error: invalid value '12q' for '--memory <SIZE>': expected a number, optionally followed by b, k, m or g
    error: invalid value '' for '--memory <SIZE>': expected a number, optionally followed by b, k, m or g
    error: invalid value '1.2.3m' for '--memory <SIZE>': expected a number, optionally followed by b, k, m or g
    error: invalid value '99999999999g' for '--memory <SIZE>': no machine has that much memory
    error: invalid value '5m' for '--memory <SIZE>': a container needs at least 6m
    error: invalid value '4095' for '--memory <SIZE>': a container needs at least 6m
    ");
    let values = ["0", "-1", "abc", "", "nan", "inf", "0.001"];
    let errors: String = values
        .iter()
        .map(|value| refused("--cpus", value))
        .collect();
    let cpus = std::thread::available_parallelism().unwrap();
    assert_snapshot!(errors.replace(&format!("to {cpus} ("), "to CPUS ("), @"
    error: invalid value '0' for '--cpus <NUMBER>': expected a number from 0.01 to CPUS (all available CPUs)
    error: invalid value '-1' for '--cpus <NUMBER>': expected a number from 0.01 to CPUS (all available CPUs)
    error: invalid value 'abc' for '--cpus <NUMBER>': expected a number
    error: invalid value '' for '--cpus <NUMBER>': expected a number
    error: invalid value 'nan' for '--cpus <NUMBER>': expected a number from 0.01 to CPUS (all available CPUs)
    error: invalid value 'inf' for '--cpus <NUMBER>': expected a number from 0.01 to CPUS (all available CPUs)
    error: invalid value '0.001' for '--cpus <NUMBER>': expected a number from 0.01 to CPUS (all available CPUs)
    ");
    let values = ["0", "-1", "abc", "4194305"];
    let errors: String = values
        .iter()
        .map(|value| refused("--pids-limit", value))
        .collect();
    assert_snapshot!(errors, @"
    error: invalid value '0' for '--pids-limit <NUMBER>': expected a number from 1 to 4194304
    error: invalid value '-1' for '--pids-limit <NUMBER>': expected a number from 1 to 4194304
    error: invalid value 'abc' for '--pids-limit <NUMBER>': expected a number from 1 to 4194304
    error: invalid value '4194305' for '--pids-limit <NUMBER>': expected a number from 1 to 4194304
    ");
    assert!(records().is_empty());
}
