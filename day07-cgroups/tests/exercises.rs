//! Graders for the exercises. Each fails until its exercise is solved, and says what it misses:
//!
//!     cargo test -p day07-cgroups --test exercises -- --ignored ex1
//!
//! Most of them need a cgroup that we may change: run them as root, or in a group that is handed to you.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{AccessFlags, Pid, access};
use serde_json::Value;
use tempfile::TempDir;

/// Its PID 1 waits, and handles no signal. Another process counts.
const COUNTS: &str = "echo ready; (while :; do echo tick; sleep 0.05; done) & wait";

/// The same. At SIGTERM it ends with an exit code of its own.
const COUNTS_AND_ENDS: &str = "trap 'echo term; exit 4' TERM; echo ready; \
    (while :; do echo tick; sleep 0.05; done) & while :; do wait $!; done";

/// Takes 50 MiB, uses them, and gives them back.
const TAKES_50: &str = "dd if=/dev/zero of=/dev/null bs=50M count=1 2>/dev/null";

/// The kernel ends the loop when it has used a second of CPU time.
const BURNS_A_SECOND: &str = "exec 2>/dev/null; (ulimit -t 1; while :; do :; done); exit 0";

/// What a user sees of a finished command.
struct Seen {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl From<Output> for Seen {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// A state directory for one test.
struct Place {
    state: TempDir,
}

impl Place {
    fn new() -> Self {
        let place = Self {
            state: TempDir::new().unwrap(),
        };
        let built = place.see(&["run", "true"]);
        assert_eq!(built.code, Some(0), "no container starts: {}", built.stderr);
        place
    }

    fn tiny_docker(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!(concat!("CARGO_BIN_EXE_", env!("CARGO_PKG_NAME"))));
        command.args(arguments).stdin(Stdio::null());
        command.env("TINY_DOCKER_ROOT", self.state.path());
        command
    }

    /// Runs `tiny-docker ARGUMENTS…` to its end. Of the graders' own commands, those run by this one do not
    /// exit 2: that is clap, at an unknown command or option.
    fn see(&self, arguments: &[&str]) -> Seen {
        let seen = Seen::from(self.tiny_docker(arguments).output().unwrap());
        assert_ne!(
            seen.code,
            Some(2),
            "tiny-docker {arguments:?} is not understood yet:\n{}",
            seen.stderr
        );
        seen
    }

    /// Starts a container in the background, and waits until its `script` says "ready".
    fn start(&self, options: &[&str], script: &str) -> Background<'_> {
        // The path makes its command line one of a kind.
        let script = format!("{script} # {}", self.state.path().display());
        let seen = self.see(&[&["run", "-d"], options, &["sh", "-c", &script]].concat());
        assert_eq!(seen.code, Some(0), "no container starts: {}", seen.stderr);
        let id = seen.stdout.trim().to_owned();
        let mut container = Background {
            place: self,
            id,
            pid: 0,
        };
        container.pid = container.record()["pid"].as_i64().unwrap() as i32;
        wait_until("the container say ready", || {
            container.log().contains("ready\n")
        });
        container
    }

    /// How many records there are, finished or not.
    fn count_records(&self) -> usize {
        let containers = self.state.path().join("containers");
        fs::read_dir(containers).unwrap().count()
    }
}

/// A container in the background, which does not outlive the test.
struct Background<'a> {
    place: &'a Place,
    id: String,
    pid: i32,
}

impl Background<'_> {
    fn directory(&self) -> PathBuf {
        self.place.state.path().join("containers").join(&self.id)
    }

    fn record(&self) -> Value {
        let text = fs::read(self.directory().join("config.json")).unwrap();
        serde_json::from_slice(&text).unwrap()
    }

    fn log(&self) -> String {
        fs::read_to_string(self.directory().join("container.log")).unwrap_or_default()
    }

    /// Its exit code, once it has ended.
    fn exit_code(&self) -> i64 {
        wait_until("the exit code in the record", || {
            !self.record()["exit_code"].is_null()
        });
        self.record()["exit_code"].as_i64().unwrap()
    }

    /// Whether its PID 1 is there: the command line of a dead process is empty.
    fn is_alive(&self) -> bool {
        let command_line = fs::read(format!("/proc/{}/cmdline", self.pid)).unwrap_or_default();
        let ours = self.place.state.path().to_str().unwrap();
        String::from_utf8_lossy(&command_line).contains(ours)
    }

    fn pause(&self) {
        let seen = self.place.see(&["pause", &self.id]);
        assert_eq!(seen.code, Some(0), "pause should exit 0: {}", seen.stderr);
    }

    /// Whether its log does not grow. A second is twenty ticks.
    fn stands_still(&self) -> bool {
        // For what was on its way there.
        sleep(Duration::from_millis(200));
        let before = self.log();
        sleep(Duration::from_secs(1));
        self.log() == before
    }

    fn assert_goes_on(&self, when: &str) {
        let before = self.log();
        wait_until(&format!("a container go on {when}"), || {
            self.log() != before
        });
    }

    /// `stop`, which does not return where a paused container does not end.
    fn stop(&self, seconds: &str) {
        let mut stop = self.place.tiny_docker(&["stop", "-t", seconds, &self.id]);
        let mut stop = stop.stdout(Stdio::null()).spawn().unwrap();
        wait_until("stop return: a paused container has to end, too", || {
            stop.try_wait().unwrap().is_some()
        });
        assert!(stop.wait().unwrap().success(), "stop should exit 0");
        assert!(!self.is_alive(), "when stop returns, it should have ended");
        assert_eq!(self.record()["status"], "stopped");
    }
}

impl Drop for Background<'_> {
    fn drop(&mut self) {
        // Where it is frozen, even SIGKILL waits in version 1.
        for group in hierarchies(self.pid).iter().map(|one| &one.own) {
            let ours = |group: &&Path| group.to_string_lossy().contains("/tiny-docker");
            for group in group.ancestors().take_while(ours) {
                for (file, value) in [("cgroup.freeze", "0"), ("freezer.state", "THAWED")] {
                    let file = group.join(file);
                    let _ = file.exists().then(|| fs::write(file, value));
                }
            }
        }
        let stop = &mut self.place.tiny_docker(&["stop", "-t", "0", &self.id]);
        let _ = stop.output();
        // Where the exercise's code has broken that, or has lost the record.
        if self.is_alive() {
            let _ = kill(Pid::from_raw(self.pid), Signal::SIGKILL);
        }
        // Its run writes to the state directory until it lets go of the lock.
        if let Ok(lock) = File::open(self.directory().join("lock")) {
            let _ = lock.lock();
        }
    }
}

/// A tree of groups that is mounted here.
struct Hierarchy {
    is_v2: bool,
    controllers: Vec<String>,
    top: PathBuf,
    /// The group of the process that was asked for.
    own: PathBuf,
}

/// All of them, with the groups of the process `pid`: none where that has ended.
fn hierarchies(pid: i32) -> Vec<Hierarchy> {
    let groups = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default();
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let mounts = mounts.lines();
    mounts.filter_map(|line| hierarchy(line, &groups)).collect()
}

/// Of one line of each: "31 23 0:28 ROOT TOP OPTIONS - TYPE SOURCE CONTROLLERS" and "4:memory:/GROUP".
fn hierarchy(mount: &str, groups: &str) -> Option<Hierarchy> {
    let (mount, file_system) = mount.split_once(" - ")?;
    let mount: Vec<_> = mount.split(' ').collect();
    let file_system: Vec<_> = file_system.split(' ').collect();
    let (root, top) = (mount[3], PathBuf::from(mount[4]));
    let is_v2 = file_system[0] == "cgroup2";
    if !is_v2 && file_system[0] != "cgroup" {
        return None;
    }
    let controllers = match is_v2 {
        true => fs::read_to_string(top.join("cgroup.controllers")).ok()?,
        false => file_system[2].replace(',', " "),
    };
    let controllers: Vec<_> = controllers.split_whitespace().map(str::to_owned).collect();
    let group = groups.lines().find_map(|line| {
        let (names, group) = line.split_once(':')?.1.split_once(':')?;
        let mut names = names.split(',');
        let is_it = match is_v2 {
            true => names.eq([""]),
            false => names.any(|name| controllers.iter().any(|has| has == name)),
        };
        is_it.then_some(group)
    })?;
    let below = Path::new(group).strip_prefix(root).unwrap_or(Path::new(""));
    Some(Hierarchy {
        is_v2,
        controllers,
        own: top.join(below).components().collect(),
        top,
    })
}

/// The one that has `controller`. In version 2, freezing takes none.
fn with_controller(controller: &str, pid: i32) -> Option<Hierarchy> {
    let (v2, v1): (Vec<_>, Vec<_>) = hierarchies(pid).into_iter().partition(|one| one.is_v2);
    let mut all = v1.into_iter().chain(v2);
    all.find(|one| {
        let freezes = one.is_v2 && controller == "freezer";
        freezes || one.controllers.iter().any(|has| has == controller)
    })
}

/// Whether this process may have groups of its own there.
fn is_ours(hierarchy: &Hierarchy, controller: &str) -> bool {
    let mut ours = hierarchy.own.ancestors().take_while(|group| {
        let processes = group.join("cgroup.procs");
        group.starts_with(&hierarchy.top) && access(&processes, AccessFlags::W_OK).is_ok()
    });
    ours.any(|group| {
        let file = fs::read_to_string(group.join("cgroup.controllers")).unwrap_or_default();
        let has_it = file.split_whitespace().any(|has| has == controller);
        !hierarchy.is_v2 || controller == "freezer" || has_it
    })
}

/// Whether this user may make a group with `controller`.
fn may_have(controller: &str) -> bool {
    let found = with_controller(controller, std::process::id() as i32);
    found.is_some_and(|hierarchy| is_ours(&hierarchy, controller))
}

/// The same. If not, says so.
fn can_have(controller: &str) -> bool {
    let can = may_have(controller);
    if !can {
        skip("a cgroup that we may change");
    }
    can
}

fn skip(needed: &str) {
    // Not eprintln: the test harness would hide it.
    let line = format!("skipped: needs {needed}\n");
    let _ = io::stderr().write_all(line.as_bytes());
}

/// Whether this user may make no group at all with `controller`.
fn can_never_have(controller: &str) -> bool {
    let all = hierarchies(std::process::id() as i32);
    !all.iter().any(|hierarchy| is_ours(hierarchy, controller))
}

/// Waits until `condition` holds. The limit is wide: some machines are slow.
fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(
            start.elapsed() < Duration::from_secs(30),
            "never saw {what}"
        );
        sleep(Duration::from_millis(5));
    }
}

// Exercise 1: run --cpu-weight N

/// That the container's own group has `weight`.
fn assert_weight(container: &Background, weight: u64) {
    let hierarchy = with_controller("cpu", container.pid).unwrap();
    let group = &hierarchy.own;
    assert!(
        group.ends_with(&container.id),
        "it should have a group of its own, with its id for a name, and is in {}",
        group.display()
    );
    let file = match hierarchy.is_v2 {
        true => "cpu.weight",
        false => "cpu.shares",
    };
    let text = fs::read_to_string(group.join(file)).unwrap();
    let value: u64 = text.trim().parse().unwrap();
    let sound = match hierarchy.is_v2 {
        true => value == weight,
        false => shares(weight)
            .iter()
            .any(|sound| value.abs_diff(*sound) <= 1),
    };
    assert!(
        sound,
        "with --cpu-weight {weight}, {file} of the container's group is {value}{}",
        match hierarchy.is_v2 {
            true => String::new(),
            false => format!(", and one of {:?} would be right", shares(weight)),
        }
    );
}

/// What `weight` is in version 1, in three ways that all make sense.
fn shares(weight: u64) -> [u64; 3] {
    let of_default = (weight * 1024 / 100).max(2);
    let of_range = 2 + (weight - 1) * 262_142 / 9999;
    // The OCI runtimes' newer one keeps both: weight = 10 ^ ((l² + 125 l) / 612 - 7 / 34), with l = log2(shares).
    let product = 612.0 * ((weight as f64).log10() + 7.0 / 34.0);
    let of_both = ((125_f64.powi(2) + 4.0 * product).sqrt() - 125.0) / 2.0;
    [of_default, of_range, of_both.exp2().round() as u64]
}

#[test]
#[ignore = "exercise"]
fn ex1_the_group_of_each_container_has_its_own_weight() {
    if !can_have("cpu") {
        return;
    }
    let place = Place::new();
    let weights = [50, 300, 10_000, 1];
    let containers = weights.map(|weight| {
        let container = place.start(&["--cpu-weight", &weight.to_string()], COUNTS);
        assert_weight(&container, weight);
        container
    });
    for (container, weight) in containers.iter().zip(weights) {
        // The next one has left it alone.
        assert_weight(container, weight);
    }
}

#[test]
#[ignore = "exercise"]
fn ex1_a_weight_and_a_limit_go_together() {
    if !can_have("cpu") {
        return;
    }
    let place = Place::new();
    let container = place.start(&["--cpus", "0.5", "--cpu-weight", "300"], COUNTS);
    assert_weight(&container, 300);
    let hierarchy = with_controller("cpu", container.pid).unwrap();
    let (file, expected) = match hierarchy.is_v2 {
        true => ("cpu.max", "50000 100000\n"),
        false => ("cpu.cfs_quota_us", "50000\n"),
    };
    let limit = fs::read_to_string(hierarchy.own.join(file)).unwrap();
    assert_eq!(limit, expected, "--cpus should still limit it, in {file}");
    let other = place.start(&["--cpus", "0.5"], COUNTS);
    assert_weight(&other, 100);
}

#[test]
#[ignore = "exercise"]
fn ex1_what_is_no_weight_is_refused_before_anything_starts() {
    let place = Place::new();
    let run = |weight: &str| {
        let arguments = ["run", "--cpu-weight", weight, "echo", "started"];
        Seen::from(place.tiny_docker(&arguments).output().unwrap())
    };
    // Or else every one would be refused.
    for good in ["1", "100", "10000"] {
        let seen = run(good);
        let expected = match may_have("cpu") {
            true => 0,
            // As a limit that cannot be set: it is not left out in silence.
            false => 125,
        };
        assert_eq!(
            seen.code,
            Some(expected),
            "run --cpu-weight {good} should exit {expected}, and says: {}",
            seen.stderr
        );
    }
    let before = place.count_records();
    for bad in [
        "0",
        "10001",
        "-1",
        "1.5",
        "much",
        "",
        "18446744073709551616",
    ] {
        let seen = run(bad);
        assert_eq!(
            (seen.code, seen.stdout),
            (Some(2), String::new()),
            "run --cpu-weight '{bad}' should be an error in the usage, and nothing should start. On stderr: {}",
            seen.stderr
        );
        assert_eq!(place.count_records(), before, "it should leave no record");
    }
}

// Exercise 2: run --stats

/// Before Linux 5.19, version 2 does not remember the peak.
fn remembers_the_peak() -> bool {
    let is_v2 = with_controller("memory", std::process::id() as i32).is_some_and(|one| one.is_v2);
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let mut numbers = release.split(|c: char| !c.is_ascii_digit());
    let mut number = || numbers.next().and_then(|text| text.parse().ok());
    let old = (number(), number()) < (Some(5), Some(19));
    if is_v2 && old {
        skip("Linux 5.19, which has memory.peak");
    }
    !(is_v2 && old)
}

/// The two figures, from "peak memory N bytes, cpu S.SS s".
fn figures(line: &str) -> Option<(u64, f64)> {
    let line = line.strip_prefix("peak memory ")?.strip_suffix(" s")?;
    let (bytes, seconds) = line.split_once(" bytes, cpu ")?;
    let (_, hundredths) = seconds.split_once('.')?;
    (hundredths.len() == 2).then_some(())?;
    Some((bytes.parse().ok()?, seconds.parse().ok()?))
}

/// What `run --stats OPTIONS…` says that `script` has used, which prints nothing itself and exits 0.
fn used(place: &Place, options: &[&str], script: &str) -> (u64, f64) {
    let seen = place.see(&[&["run", "--stats"], options, &["sh", "-c", script]].concat());
    let figures = seen.stderr.strip_suffix('\n').and_then(figures);
    assert_eq!(seen.code, Some(0), "it should exit 0: {}", seen.stderr);
    assert_eq!(seen.stdout, "", "what it has used belongs on stderr");
    figures.unwrap_or_else(|| {
        panic!(
            "one line on stderr should look like 'peak memory 1234 bytes, cpu 0.05 s', and stderr is:\n{}",
            seen.stderr
        )
    })
}

#[test]
#[ignore = "exercise"]
fn ex2_the_peak_counts_and_not_what_is_left() {
    if !can_have("memory") || !remembers_the_peak() {
        return;
    }
    let place = Place::new();
    // By then, the process that has taken it has given it back.
    let script = format!("{TAKES_50}; sleep 0.2");
    for options in [&[][..], &["--memory", "100m"]] {
        let (bytes, _) = used(&place, options, &script);
        assert!(
            (40_000_000..200_000_000).contains(&bytes),
            "with {options:?}, a container that has taken 50 MiB shows {bytes} bytes"
        );
    }
    let (bytes, _) = used(&place, &[], "sleep 0.2");
    assert!(
        (1..40_000_000).contains(&bytes),
        "a container that has only slept shows {bytes} bytes"
    );
}

#[test]
#[ignore = "exercise"]
fn ex2_cpu_time_is_not_the_time_of_day() {
    if !can_have("memory") || !remembers_the_peak() {
        return;
    }
    let place = Place::new();
    for options in [&[][..], &["--init"]] {
        let (_, seconds) = used(&place, options, BURNS_A_SECOND);
        assert!(
            (0.5..10.0).contains(&seconds),
            "with {options:?}, a container that has used a second of CPU time shows {seconds}"
        );
    }
    let (_, seconds) = used(&place, &[], "sleep 3");
    assert!(
        seconds < 1.5,
        "a container that has slept three seconds shows {seconds}"
    );
}

#[test]
#[ignore = "exercise"]
fn ex2_the_rest_is_as_without_it() {
    if !can_have("memory") || !remembers_the_peak() {
        return;
    }
    let place = Place::new();
    let command = ["sh", "-c", "echo out; echo err >&2; exit 7"];
    let with = place.see(&[&["run", "--stats"], &command[..]].concat());
    assert_eq!(with.code, Some(7), "the exit code is the command's");
    assert_eq!(with.stdout, "out\n", "stdout is the command's");
    let lines: Vec<_> = with.stderr.lines().collect();
    assert!(
        matches!(lines[..], ["err", line] if figures(line).is_some()),
        "stderr should be the command's, then one line, and is:\n{}",
        with.stderr
    );
    let without = place.see(&[&["run"], &command[..]].concat());
    assert_eq!(without.stderr, "err\n", "nobody has asked for it");
    // Their names are the ids: of the containers of this place, nothing is left.
    for hierarchy in hierarchies(std::process::id() as i32) {
        for group in hierarchy.own.ancestors() {
            for record in fs::read_dir(place.state.path().join("containers")).unwrap() {
                let left = group.join("tiny-docker").join(record.unwrap().file_name());
                assert!(!left.exists(), "{} is left", left.display());
            }
        }
    }
}

#[test]
#[ignore = "exercise"]
fn ex2_where_nothing_can_be_measured_no_figure_is_shown() {
    let place = Place::new();
    let seen = place.see(&["run", "--stats", "true"]);
    if can_never_have("memory") {
        assert!(
            !seen.stderr.is_empty() && !seen.stderr.lines().any(|line| figures(line).is_some()),
            "it has no group that could count its memory, and should say so. It says: {}",
            seen.stderr
        );
    }
}

// Exercise 3: pause ID, unpause ID

#[test]
#[ignore = "exercise"]
fn ex3_a_paused_container_stands_still_and_then_goes_on() {
    if !can_have("freezer") {
        return;
    }
    let place = Place::new();
    for options in [&[][..], &["--init"]] {
        let [paused, other] = [(); 2].map(|()| place.start(options, COUNTS));
        for _ in 0..2 {
            paused.assert_goes_on("before it is paused");
            paused.pause();
            assert!(
                paused.stands_still(),
                "while it is paused, none of its processes should go on, neither PID 1 nor any other"
            );
            other.assert_goes_on("while another one is paused");
            let listed = place.see(&["ps"]).stdout;
            assert!(
                listed.contains(&paused.id),
                "a paused container has not ended, and ps should show it"
            );
            // As everywhere, the beginning of an id will do.
            let seen = place.see(&["unpause", &paused.id[..8]]);
            assert_eq!(seen.code, Some(0), "unpause should exit 0: {}", seen.stderr);
            paused.assert_goes_on("after unpause");
        }
    }
}

#[test]
#[ignore = "exercise"]
fn ex3_stop_ends_a_paused_container() {
    if !can_have("freezer") {
        return;
    }
    let place = Place::new();
    let heeds = place.start(&[], COUNTS_AND_ENDS);
    heeds.pause();
    heeds.stop("20");
    assert_eq!(
        (heeds.exit_code(), heeds.log().contains("term\n")),
        (4, true),
        "a paused container should get its SIGTERM, and the time to end by itself, like any other"
    );
    let heedless = place.start(&[], COUNTS);
    heedless.pause();
    heedless.stop("1");
    assert_eq!(heedless.exit_code(), 128 + 9, "then SIGKILL");
}

#[test]
#[ignore = "exercise"]
fn ex3_what_does_not_run_cannot_be_paused() {
    let place = Place::new();
    let ended = place.start(&[], "echo ready");
    assert_eq!(ended.exit_code(), 0);
    for id in ["000000000000", "nonsense", &ended.id] {
        for command in ["pause", "unpause"] {
            let seen = place.see(&[command, id]);
            assert_eq!(
                (seen.code, seen.stdout),
                (Some(1), String::new()),
                "{command} {id} should exit 1, and print nothing to stdout. On stderr: {}",
                seen.stderr
            );
            assert!(
                seen.stderr.contains(id) && !seen.stderr.contains("panicked"),
                "{command} should say what is wrong with {id}, and stderr is:\n{}",
                seen.stderr
            );
        }
    }
}

#[test]
#[ignore = "exercise"]
fn ex3_where_there_is_no_group_pause_fails() {
    let place = Place::new();
    let container = place.start(&[], COUNTS);
    let seen = place.see(&["pause", &container.id]);
    if can_never_have("freezer") {
        assert_eq!(
            (seen.code, seen.stdout),
            (Some(1), String::new()),
            "it has no group that could be frozen, so pause should exit 1"
        );
        container.assert_goes_on("where pause has failed");
    }
}
