//! What we keep about a container, and what happens if it is not as we left it.

use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Stdio};

use insta::assert_snapshot;
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, geteuid};
use tempfile::NamedTempFile;

use crate::need_namespaces;
use crate::support::{
    Running, Seen, TINY_DOCKER, copy_program, leave_to, only_record, records, see, shell, skip,
    state, tiny_docker, wait_until, without_ids,
};

/// What `ps -a` prints, without what differs between runs.
fn ps_all() -> String {
    let Seen {
        code,
        stdout,
        stderr,
    } = see(&["ps", "-a"]);
    assert_eq!(code, Some(0));
    let errors = stderr.replace(state().to_str().unwrap(), "STATE");
    let mut lines: Vec<_> = errors.lines().collect();
    for line in &mut lines {
        // The id, as in "…/containers/0123456789ab/config.json".
        let end = line.find("/config.json").unwrap();
        *line = Box::leak(format!("{}ID{}", &line[..end - 12], &line[end..]).into_boxed_str());
    }
    lines.sort();
    lines.join("\n") + "\n" + &without_ids(&stdout)
}

fn read(config: &Path) -> serde_json::Value {
    serde_json::from_slice(&fs::read(config).unwrap()).unwrap()
}

/// Changes the only record with `change`.
fn change_record(change: impl FnOnce(&mut serde_json::Value)) {
    let config = only_record().join("config.json");
    let mut record = read(&config);
    change(&mut record);
    fs::write(&config, record.to_string()).unwrap();
}

#[test]
fn the_record_says_what_was_started() {
    need_namespaces!();
    see(&["run", "--hostname", "web", "sh", "-c", "exit 7"]);
    let record = only_record();
    assert_eq!(
        fs::metadata(&record).unwrap().permissions().mode() & 0o777,
        0o700
    );
    let id = record.file_name().unwrap().to_str().unwrap();
    assert_eq!(id.len(), 12);
    let text = fs::read_to_string(record.join("config.json")).unwrap();
    let record: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(record["id"], id);
    assert_eq!(record["command"], serde_json::json!(["sh", "-c", "exit 7"]));
    assert_eq!(record["hostname"], "web");
    assert_eq!(
        record["rootfs"],
        state().join("rootfs/default").to_str().unwrap()
    );
    assert_eq!(record["status"], "exited");
    assert_eq!(record["exit_code"], 7);
    assert!(record["pid"].as_i64().unwrap() > 1);
    let created = record["created_at"].as_str().unwrap();
    assert!(
        created.len() == 20 && created.starts_with("20") && created.ends_with('Z'),
        "{created}"
    );
}

/// What a line of strace(1) says was written to a socket. Its quotation marks and escapes are those of JSON.
fn sent(line: &str) -> Option<serde_json::Value> {
    let (_, message) = line.split_once("<socket:[")?;
    let quoted = &message[message.find('"')?..=message.rfind('"')?];
    let text: String = serde_json::from_str(quoted).ok()?;
    serde_json::from_str(&text).ok()
}

#[test]
fn the_child_is_told_what_the_record_says() {
    need_namespaces!();
    let mut strace = Command::new("strace");
    let attempt = strace.args(["-o", "/dev/null", "true"]).output();
    if !attempt.is_ok_and(|output| output.status.success()) {
        return skip("strace, and the right to use it: sudo apt install strace");
    }
    let trace = NamedTempFile::new().unwrap();
    let mut strace = Command::new("strace");
    strace.args(["-y", "-s", "65536", "-e", "trace=write,sendto", "-o"]);
    strace.arg(trace.path()).args([TINY_DOCKER, "run"]);
    strace.args(["sleep", "1000"]).stdin(Stdio::null());
    let mut running = Running::start(strace.env("TINY_DOCKER_ROOT", state()));
    let mut message = None;
    wait_until("the message to the child", || {
        let lines = fs::read_to_string(&trace).unwrap();
        message = lines.lines().find_map(sent);
        message.is_some()
    });
    let record = read(&only_record().join("config.json"));
    let pid = record["pid"].as_i64().unwrap() as i32;
    kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
    running.0.wait().unwrap();
    assert_eq!(message.unwrap(), record);
    assert_eq!(record["status"], "running");
    // Root's containers are on the bridge.
    assert_eq!(record["address"].is_string(), geteuid().is_root());
}

#[test]
fn a_run_that_fails_leaves_no_record() {
    need_namespaces!();
    for arguments in [
        &["/no-such-command"][..],
        &["/etc/passwd"],
        &["--rootfs", "/no/such", "true"],
    ] {
        assert_ne!(see(&[&["run"], arguments].concat()).code, Some(0));
    }
    assert_eq!(records(), Vec::<std::path::PathBuf>::new());
}

#[test]
fn a_run_that_is_killed_while_it_starts_is_never_shown_as_running() {
    need_namespaces!();
    for pause in 0..40 {
        let mut running = Running::start(&mut tiny_docker(&["run", "sleep", "1000"]));
        std::thread::sleep(std::time::Duration::from_micros(200 * pause));
        running.0.kill().unwrap();
        running.0.wait().unwrap();
    }
    wait_until("none running", || see(&["ps"]).stdout.lines().count() == 1);
    assert_eq!(see(&["ps", "-a"]).stderr, "");
}

#[test]
fn a_damaged_record_costs_only_itself() {
    need_namespaces!();
    for _ in 0..7 {
        see(&["run", "true"]);
    }
    let damaged = records();
    let config = |n: usize| damaged[n].join("config.json");
    fs::write(config(0), "").unwrap();
    let half = fs::read(config(1)).unwrap();
    fs::write(config(1), &half[..30]).unwrap();
    fs::write(config(2), "{\"ociVersion\": \"1.0.2\"}").unwrap();
    fs::write(config(3), [0xff; 100]).unwrap();
    fs::remove_file(config(4)).unwrap();
    fs::copy(config(6), config(5)).unwrap();
    fs::create_dir(state().join("containers/not-a-container")).unwrap();
    assert_snapshot!(ps_all(), @r#"
    tiny-docker: cannot read STATE/containers/ID/config.json: EOF while parsing a string at line 3 column 4
    tiny-docker: cannot read STATE/containers/ID/config.json: EOF while parsing a value at line 1 column 0
    tiny-docker: cannot read STATE/containers/ID/config.json: No such file or directory (os error 2)
    tiny-docker: cannot read STATE/containers/ID/config.json: expected value at line 1 column 1
    tiny-docker: cannot read STATE/containers/ID/config.json: it contains another id
    tiny-docker: cannot read STATE/containers/ID/config.json: missing field `id` at line 1 column 23
    CONTAINER ID   IMAGE   COMMAND   CREATED   STATUS   PORTS   NAMES
    ID   default   "true"   AGE ago   Exited (0) AGE ago   NAME
    "#);
}

#[test]
fn a_damaged_record_prints_no_line_of_its_own() {
    need_namespaces!();
    see(&["run", "true"]);
    for field in ["status", "id"] {
        change_record(|record| record[field] = "none\nhint: reboot".into());
        let said = see(&["ps", "-a"]).stderr;
        assert_eq!(said.lines().count(), 1, "{said}");
    }
}

#[test]
fn what_is_not_a_regular_file_is_not_read() {
    need_namespaces!();
    for _ in 0..6 {
        see(&["run", "true"]);
    }
    let records = records();
    let config = |n: usize| records[n].join("config.json");
    let read_before = fs::read(config(5)).unwrap();
    for n in 0..4 {
        fs::remove_file(config(n)).unwrap();
    }
    let fifo = Command::new("mkfifo").arg(config(0)).status();
    assert!(fifo.unwrap().success());
    symlink("/dev/zero", config(1)).unwrap();
    symlink(config(5), config(2)).unwrap();
    // A terabyte of zeros, which takes no space.
    fs::File::create(config(3))
        .unwrap()
        .set_len(1 << 40)
        .unwrap();
    let elsewhere = state().join("elsewhere");
    fs::rename(&records[4], &elsewhere).unwrap();
    symlink(&elsewhere, &records[4]).unwrap();
    // If it reads them after all, this ends it.
    let seen = shell("ulimit -v 2000000; timeout 30 $TD ps -a");
    assert_eq!(seen.code, Some(0), "{}", seen.stderr);
    assert_eq!(seen.stdout.lines().count(), 2, "{}", seen.stdout);
    let mut reasons: Vec<_> = seen
        .stderr
        .lines()
        .map(|line| line.rsplit_once(": ").unwrap().1)
        .collect();
    reasons.sort_unstable();
    assert_snapshot!(reasons.join("\n"), @"
    Too many levels of symbolic links (os error 40)
    Too many levels of symbolic links (os error 40)
    expected value at line 1 column 1
    it is a symbolic link
    it is not a regular file
    ");
    assert_eq!(fs::read(config(5)).unwrap(), read_before);
}

#[test]
fn what_the_user_may_not_read_is_named() {
    need_namespaces!();
    if geteuid().is_root() {
        return leave_to("an ordinary user, who cannot read everything");
    }
    see(&["run", "true"]);
    see(&["run", "true"]);
    fs::set_permissions(&records()[0], Permissions::from_mode(0o000)).unwrap();
    let said = ps_all();
    fs::set_permissions(&records()[0], Permissions::from_mode(0o700)).unwrap();
    assert_snapshot!(said, @r#"
    tiny-docker: cannot read STATE/containers/ID/config.json: Permission denied (os error 13)
    CONTAINER ID   IMAGE   COMMAND   CREATED   STATUS   PORTS   NAMES
    ID   default   "true"   AGE ago   Exited (0) AGE ago   NAME
    "#);

    let containers = state().join("containers");
    fs::set_permissions(&containers, Permissions::from_mode(0o000)).unwrap();
    let seen = see(&["ps"]);
    fs::set_permissions(&containers, Permissions::from_mode(0o700)).unwrap();
    assert_eq!(seen.code, Some(1));
    assert_snapshot!(seen.stderr.replace(state().to_str().unwrap(), "STATE"), @"tiny-docker: cannot list containers: cannot list STATE/containers: Permission denied (os error 13)");
}

#[test]
fn a_pid_that_belongs_to_another_process_now_is_not_the_container() {
    need_namespaces!();
    see(&["run", "true"]);
    let config = only_record().join("config.json");
    let _running = Running::start(&mut tiny_docker(&["run", "sleep", "1000"]));
    wait_until("it running", || see(&["ps"]).stdout.lines().count() == 2);
    let mut others = records();
    others.retain(|record| !config.starts_with(record));
    let other = read(&others[0].join("config.json"));
    // It is running, and it is a container's, but it started later.
    let mut record = read(&config);
    record["status"] = "running".into();
    record["pid"] = other["pid"].clone();
    fs::write(&config, record.to_string()).unwrap();
    assert_eq!(see(&["ps"]).stdout.lines().count(), 2);
}

#[test]
fn a_process_that_is_not_a_containers_is_not_taken_for_one() {
    need_namespaces!();
    see(&["run", "true"]);
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let start_time: u64 = stat
        .rsplit_once(')')
        .unwrap()
        .1
        .split_whitespace()
        .nth(19)
        .unwrap()
        .parse()
        .unwrap();
    // Everything that it says about this test is true.
    change_record(|record| {
        record["status"] = "running".into();
        record["pid"] = std::process::id().into();
        record["start_time"] = start_time.into();
    });
    assert_eq!(see(&["ps"]).stdout.lines().count(), 1);
}

#[test]
fn a_zombie_is_not_running() {
    need_namespaces!();
    see(&["run", "true"]);
    // PID 1 of a new namespace, as a container's process is. Its parent does not wait for it.
    let mut parent = Command::new("unshare");
    if !geteuid().is_root() {
        parent.args(["--user", "--map-root-user"]);
    }
    parent.args([
        "--pid",
        "sh",
        "-c",
        "exec 3<&0; cat <&3 & echo $!; exec sleep 1000",
    ]);
    let mut parent = Running::start(parent.stdin(Stdio::piped()));
    let mut pid = String::new();
    BufReader::new(parent.0.stdout.take().unwrap())
        .read_line(&mut pid)
        .unwrap();
    let pid: i32 = pid.trim().parse().unwrap();
    let stat = || fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    // A shell would wait for it. sleep(1) does not.
    let comm = || fs::read_to_string(format!("/proc/{}/comm", parent.pid())).unwrap();
    wait_until("a parent that does not", || comm() == "sleep\n");
    drop(parent.0.stdin.take());
    wait_until("a zombie", || stat().contains(") Z "));
    let start_time: u64 = stat().split_whitespace().nth(21).unwrap().parse().unwrap();
    change_record(|record| {
        record["status"] = "running".into();
        record["pid"] = pid.into();
        record["start_time"] = start_time.into();
    });
    assert_eq!(see(&["ps"]).stdout.lines().count(), 1);
}

#[test]
fn after_a_reboot_nothing_runs() {
    need_namespaces!();
    let _running = Running::start(&mut tiny_docker(&["run", "sleep", "1000"]));
    wait_until("it running", || see(&["ps"]).stdout.lines().count() == 2);
    change_record(|record| record["boot_id"] = "00000000-0000-4000-8000-000000000000".into());
    assert_eq!(see(&["ps"]).stdout.lines().count(), 1);
}

#[test]
fn a_program_with_a_name_that_looks_like_its_state_is_seen() {
    need_namespaces!();
    let rootfs = state().join("rootfs/default");
    let directory = tempfile::TempDir::new_in(&rootfs).unwrap();
    let odd = directory.path().join(") Z 1 2 (x");
    copy_program(&rootfs.join("bin/sleep"), &odd);
    let inside = Path::new("/").join(odd.strip_prefix(&rootfs).unwrap());
    let _running = Running::start(&mut tiny_docker(&["run", inside.to_str().unwrap(), "1000"]));
    wait_until("it running", || {
        see(&["ps", "--no-trunc"]).stdout.contains(") Z 1 2 (x")
    });
}

#[test]
fn a_full_disk_is_one_clear_line_and_no_container() {
    need_namespaces!();
    if !geteuid().is_root() {
        return leave_to("root, to mount a small filesystem");
    }
    // In the test's own mount namespace.
    let script =
        "mkdir $ROOT/small && mount -t tmpfs -o size=64k,mode=700 tmpfs $ROOT/small && cd $ROOT/small
        export TINY_DOCKER_ROOT=$ROOT/small
        $TD run --rootfs $ROOT/rootfs/default sh -c 'exit 3'; echo $?
        cat /dev/zero >fill 2>/dev/null
        $TD run --rootfs $ROOT/rootfs/default echo never; echo $?
        $TD ps -a | wc -l; ls -A containers | wc -l
        rm fill; $TD run --rootfs $ROOT/rootfs/default sh -c 'exit 4'; echo $?";
    let line = format!(
        "ROOT={} unshare --mount --propagation private sh -c \"{}\"",
        state().display(),
        script.replace('$', "\\$")
    );
    let seen = shell(&line);
    assert_eq!(seen.stdout, "3\n125\n2\n1\n4\n", "{}", seen.stderr);
    assert_eq!(seen.stderr.lines().count(), 1, "{}", seen.stderr);
    assert!(
        seen.stderr
            .ends_with("No space left on device (os error 28)\n"),
        "{}",
        seen.stderr
    );
}
