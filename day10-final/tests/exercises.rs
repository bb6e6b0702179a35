//! Graders for the exercises. Each fails until its exercise is solved, and says what it misses:
//!
//!     cargo test -p day10-final --test exercises -- --ignored ex1
//!
//! They run as root and as an ordinary user. All containers are isolated: the host's network stays as it is.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, Uid, User, geteuid};
use serde_json::Value;
use tempfile::TempDir;

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

impl Seen {
    /// That the command was refused, in one line with `word` in it.
    fn assert_refused(&self, word: &str) {
        assert_eq!(self.stdout, "", "nothing should be printed");
        // clap has codes of its own.
        assert!(
            [Some(1), Some(2), Some(125)].contains(&self.code),
            "it should be refused, and the exit code is {:?}. On stderr: {}",
            self.code,
            self.stderr
        );
        // Below it, there may be a hint: ours, or clap's.
        let hints = [
            "hint: ",
            "  tip: ",
            "Usage: ",
            "For more information",
            "tiny-docker: waiting for",
        ];
        let mut lines: Vec<_> = self.stderr.lines().collect();
        lines.retain(|line| !line.is_empty() && !hints.iter().any(|hint| line.starts_with(hint)));
        assert!(
            lines.len() == 1 && lines[0].contains(word),
            "one line, with {word} in it, should say what is wrong, and stderr is:\n{}",
            self.stderr
        );
    }
}

/// A state directory for one test.
struct Place {
    state: TempDir,
}

impl Place {
    /// Where tiny-docker has the `command` that the exercise asks for.
    fn with(command: &str) -> Self {
        if geteuid().is_root() {
            // For this thread, and what it starts.
            unshare(CloneFlags::CLONE_NEWNET).unwrap();
        }
        let state = TempDir::new().unwrap();
        let place = Self { state };
        let help = place.see(&["--help"]).stdout;
        assert!(
            help.contains(&format!("\n  {command} ")),
            "there is no command {command} yet: tiny-docker --help does not show it"
        );
        // The first one builds the default rootfs.
        let built = place.see(&["run", "--rm", "--net", "isolated", "true"]);
        assert_eq!(built.code, Some(0), "no container starts: {}", built.stderr);
        place
    }

    fn tiny_docker(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tiny-docker"));
        command.args(arguments).stdin(Stdio::null());
        command.env("TINY_DOCKER_ROOT", self.state.path());
        command
    }

    /// Runs `tiny-docker ARGUMENTS…` to its end, whatever that is.
    fn see(&self, arguments: &[&str]) -> Seen {
        Seen::from(self.tiny_docker(arguments).output().unwrap())
    }

    /// What `tiny-docker ARGUMENTS…` prints, where it should exit 0, and have nothing to complain about.
    fn out(&self, arguments: &[&str]) -> String {
        let seen = self.see(arguments);
        assert_eq!(
            (seen.code, seen.stderr.as_str()),
            (Some(0), ""),
            "tiny-docker {arguments:?} should succeed"
        );
        seen.stdout
    }

    /// Runs `script` in a container of this name, to its end, and returns its id.
    fn run(&self, name: &str, options: &[&str], script: &str) -> String {
        let run = ["run", "--net", "isolated", "--name", name];
        let printed = self.out(&[&run, options, &["sh", "-c", script]].concat());
        assert_eq!(printed, "");
        self.record(name)["id"].as_str().unwrap().to_owned()
    }

    /// Starts a container in the background, and waits until its `script` says "ready".
    fn start(&self, options: &[&str], script: &str) -> Background<'_> {
        // The path makes its command line one of a kind.
        let script = format!(": {}; {script}", self.state.path().display());
        let run = ["run", "-d", "--net", "isolated"];
        let id = self.out(&[&run, options, &["sh", "-c", &script]].concat());
        let id = id.trim().to_owned();
        let pid = self.record(&id)["pid"].as_i64().unwrap() as i32;
        let place = self;
        let container = Background { place, id, pid };
        let log = container.directory().join("container.log");
        wait_until("the container say ready", || {
            fs::read_to_string(&log).is_ok_and(|log| log.contains("ready\n"))
        });
        container
    }

    /// What is recorded of the container of this name or id.
    fn record(&self, name: &str) -> Value {
        let id = self.link(name).unwrap_or_else(|| name.to_owned());
        let config = self.containers().join(id).join("config.json");
        let text = fs::read(&config)
            .unwrap_or_else(|error| panic!("no record of {name}: {}: {error}", config.display()));
        serde_json::from_slice(&text).unwrap()
    }

    /// Which container's id the link of that name leads to.
    fn link(&self, name: &str) -> Option<String> {
        let target = fs::read_link(self.state.path().join("names").join(name)).ok()?;
        target.to_str().map(str::to_owned)
    }

    /// All names that are taken.
    fn names(&self) -> BTreeSet<String> {
        names(&self.state.path().join("names"))
    }

    fn containers(&self) -> PathBuf {
        self.state.path().join("containers")
    }

    /// What containers see as / if they change nothing.
    fn rootfs(&self) -> PathBuf {
        self.state.path().join("rootfs/default")
    }
}

/// A container in the background, which does not outlive the test.
struct Background<'a> {
    place: &'a Place,
    id: String,
    /// Its PID 1.
    pid: i32,
}

impl Background<'_> {
    fn directory(&self) -> PathBuf {
        self.place.containers().join(&self.id)
    }

    /// Waits until its run has let go of its record.
    fn wait(&self) {
        if let Ok(lock) = File::open(self.directory().join("lock")) {
            let _ = lock.lock();
        }
    }
}

impl Drop for Background<'_> {
    fn drop(&mut self) {
        let kill_it = &mut self.place.tiny_docker(&["kill", &self.id]);
        let _ = kill_it.output();
        // Where the exercise's code has broken that. The command line of a dead process is empty.
        let command_line = fs::read(format!("/proc/{}/cmdline", self.pid)).unwrap_or_default();
        let ours = self.place.state.path().to_str().unwrap();
        if String::from_utf8_lossy(&command_line).contains(ours) {
            let _ = kill(Pid::from_raw(self.pid), Signal::SIGKILL);
        }
        self.wait();
    }
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

fn names(directory: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name().into_string().unwrap());
    names.collect()
}

/// Says aloud that a test cannot run here, although it passes.
fn skip(needed: &str) {
    // Not eprintln: the test harness would hide it.
    let _ = writeln!(io::stderr(), "skipped: needs {needed}");
}

// Exercise 1: top ID

/// Two processes, one a child of the other.
const TWO: &str = "sleep 1001 & echo ready; wait";

/// A process: its pid, its user, its command.
type Row = (i32, String, String);

/// What `top` says about the container.
fn top(place: &Place, id: &str) -> BTreeSet<Row> {
    let printed = place.out(&["top", id]);
    let mut lines = printed
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>());
    assert_eq!(
        lines.next().unwrap_or_default(),
        ["PID", "USER", "COMMAND"],
        "the first line should be the headings:\n{printed}"
    );
    let row = |words: Vec<&str>| match &words[..] {
        [pid, user, command @ ..] if pid.parse::<i32>().is_ok() => {
            (pid.parse().unwrap(), user.to_string(), command.join(" "))
        }
        _ => panic!("no line about a process: {words:?}"),
    };
    lines.map(row).collect()
}

/// What it should say: all processes in the PID namespace of the process `pid`, as the kernel knows them.
fn in_namespace_of(pid: i32) -> BTreeSet<Row> {
    let namespace = |pid| fs::read_link(format!("/proc/{pid}/ns/pid")).ok();
    let wanted = namespace(pid);
    assert!(wanted.is_some(), "the container has ended");
    let mut rows = BTreeSet::new();
    for pid in names(Path::new("/proc")) {
        let Some(pid) = pid.parse().ok().filter(|pid| namespace(*pid) == wanted) else {
            continue;
        };
        let read = |file| fs::read_to_string(format!("/proc/{pid}/{file}"));
        let (Ok(line), Ok(status)) = (read("cmdline"), read("status")) else {
            continue;
        };
        let line = line.replace('\0', " ");
        let mut lines = status.lines();
        let uid = lines.find_map(|line| line.strip_prefix("Uid:")).unwrap();
        let uid = uid.split_whitespace().nth(1).unwrap().parse().unwrap();
        let words: Vec<_> = line.split_whitespace().collect();
        rows.insert((pid, user(uid), words.join(" ")));
    }
    rows
}

/// The user's name, or the number of one who has none.
fn user(uid: u32) -> String {
    let user = User::from_uid(Uid::from_raw(uid)).unwrap();
    user.map_or_else(|| uid.to_string(), |user| user.name)
}

/// That `top` tells all about a container in which there are processes whose commands begin with these words, and no other process.
fn assert_tells(container: &Background, commands: &[&str]) {
    let there = || in_namespace_of(container.pid);
    let begins = |there: &BTreeSet<Row>, command: &&str| {
        there.iter().any(|(.., line)| line.starts_with(command))
    };
    wait_until("all processes of the container", || {
        let there = there();
        commands.iter().all(|command| begins(&there, command))
    });
    // A process may be at its end, or its beginning.
    let (mut told, mut meant) = Default::default();
    wait_until("a container in which nothing begins or ends", || {
        meant = there();
        told = top(container.place, &container.id);
        meant == there()
    });
    assert_eq!(
        told, meant,
        "left is what top says, right are the processes in the container's PID namespace"
    );
}

#[test]
#[ignore = "exercise"]
fn ex1_processes_have_the_hosts_pids_and_users() {
    let place = Place::with("top");
    let container = place.start(&["--name", "web"], TWO);
    assert_tells(&container, &["sleep 1001", "sh -c"]);
    let told = top(&place, "web");
    assert_eq!(told.len(), 2, "two processes are running in it: {told:?}");
    let me = user(geteuid().as_raw());
    assert!(
        told.iter().all(|(_, user, _)| *user == me),
        "its root is {me} on the host: {told:?}"
    );
    assert_eq!(
        top(&place, &container.id[..6]),
        told,
        "the beginning of its id means it, too"
    );
}

#[test]
#[ignore = "exercise"]
fn ex1_those_that_exec_has_started_are_there_too() {
    let place = Place::with("top");
    let container = place.start(&[], TWO);
    place.out(&["exec", "-d", &container.id, "sleep", "1003"]);
    assert_tells(&container, &["sleep 1001", "sleep 1003"]);
}

#[test]
#[ignore = "exercise"]
fn ex1_orphans_are_there_too() {
    let place = Place::with("top");
    let script = "(sleep 1004 & sleep 1005 &); echo ready; wait; sleep 1006";
    for options in [&[][..], &["--init"]] {
        let container = place.start(options, script);
        assert_tells(&container, &["sleep 1004", "sleep 1005", "sleep 1006"]);
    }
}

#[test]
#[ignore = "exercise"]
fn ex1_each_container_has_its_own() {
    let place = Place::with("top");
    let [one, other] = ["sleep 1007", "sleep 1008"]
        .map(|line| place.start(&[], &format!("{line} & echo ready; wait")));
    assert_tells(&one, &["sleep 1007"]);
    assert_tells(&other, &["sleep 1008"]);
}

#[test]
#[ignore = "exercise"]
fn ex1_other_users_have_their_names_or_numbers() {
    if !geteuid().is_root() {
        return skip("root");
    }
    let place = Place::with("top");
    for id in ["1", "54321"] {
        let container = place.start(&["--user", &format!("{id}:{id}")], TWO);
        assert_tells(&container, &["sleep 1001"]);
    }
}

#[test]
#[ignore = "exercise"]
fn ex1_a_command_stays_in_its_line() {
    let place = Place::with("top");
    let container = place.start(&[], "echo ready; sleep 1000; : '\n1 root fake\n\x1b[2J'");
    let printed = place.out(&["top", &container.id]);
    assert_eq!(
        printed.lines().count(),
        1 + in_namespace_of(container.pid).len(),
        "one line for the headings, and one for each process:\n{printed}"
    );
    assert!(
        !printed.contains('\x1b'),
        "a command clears the terminal of whoever looks at it"
    );
}

#[test]
#[ignore = "exercise"]
fn ex1_what_does_not_run_has_none() {
    let place = Place::with("top");
    let id = place.run("web", &[], "true");
    for text in ["web", &id, "nobody", ""] {
        place.see(&["top", text]).assert_refused(text);
    }
}

// Exercise 2: rename OLD NEW

/// That the container `id` has the name, and no other, in all places.
fn assert_called(place: &Place, id: &str, name: &str) {
    assert_eq!(
        place.record(id)["name"],
        name,
        "the name in the record of {id}"
    );
    let names = place.names();
    let links: Vec<_> = names
        .iter()
        .filter(|name| place.link(name).as_deref() == Some(id))
        .collect();
    assert_eq!(links, [name], "the links in names/ that lead to {id}");
    let listed = place.out(&["ps", "-a", "--format", "json"]);
    let mut lines = listed
        .lines()
        .map(|line| serde_json::from_str(line).unwrap());
    let line: Value = lines.find(|line: &Value| line["ID"] == id).unwrap();
    assert_eq!(line["Names"], name, "what ps says");
}

#[test]
#[ignore = "exercise"]
fn ex2_a_container_gets_another_name() {
    let place = Place::with("rename");
    let id = place.run("web", &[], "true");
    for (old, new) in [("web", "old"), ("old", "web.2"), (&id[..6], "last")] {
        assert_eq!(
            place.out(&["rename", old, new]),
            "",
            "Docker prints nothing"
        );
        assert_called(&place, &id, new);
        assert!(place.link(old).is_none(), "the name {old} is still taken");
    }
    let seen = place.see(&["inspect", "web"]);
    assert_eq!(seen.code, Some(1), "the old name should mean nothing");
    place.run("web", &[], "true");
    let inspected = place.out(&["inspect", "last"]);
    assert!(
        inspected.contains("\"/last\""),
        "what inspect says:\n{inspected}"
    );
    place.out(&["rm", "last"]);
    assert_eq!(
        place.names(),
        ["web".to_owned()].into(),
        "rm should leave the new name to others"
    );
}

#[test]
#[ignore = "exercise"]
fn ex2_one_that_runs_keeps_it_to_its_end_and_after() {
    let place = Place::with("rename");
    let script = "trap 'exit 3' TERM; echo ready; while :; do sleep 0.01; done";
    for end in ["stop", "kill"] {
        let container = place.start(&["--name", "web"], script);
        place.out(&["rename", "web", end]);
        assert_called(&place, &container.id, end);
        place.out(&[end, end]);
        container.wait();
        assert_called(&place, &container.id, end);
        let record = place.record(end);
        assert!(
            record["exit_code"].is_number() && record["finished_at"].is_string(),
            "about its end, its record should say all that it would say without rename: {record}"
        );
        assert!(place.link("web").is_none(), "the name web is still taken");
    }
}

#[test]
#[ignore = "exercise"]
fn ex2_with_rm_nothing_of_it_stays() {
    let place = Place::with("rename");
    let container = place.start(&["--rm", "--name", "web"], "echo ready; sleep 1000");
    place.out(&["rename", "web", "old"]);
    assert_called(&place, &container.id, "old");
    place.out(&["kill", "old"]);
    container.wait();
    wait_until("nothing left of the container", || {
        place.names().is_empty() && names(&place.containers()).is_empty()
    });
}

#[test]
#[ignore = "exercise"]
fn ex2_a_taken_name_is_refused() {
    let place = Place::with("rename");
    let ended = place.run("ended", &[], "true");
    let running = place.start(&["--name", "running"], "echo ready; sleep 1000");
    for (old, new) in [("ended", "running"), ("running", "ended")] {
        place.see(&["rename", old, new]).assert_refused(new);
        assert_called(&place, &ended, "ended");
        assert_called(&place, &running.id, "running");
    }
    // One whose container is gone is free, whoever should have removed the link.
    let names = place.state.path().join("names");
    symlink("0123456789ab", names.join("gone")).unwrap();
    place.out(&["rename", "ended", "gone"]);
    assert_called(&place, &ended, "gone");
}

#[test]
#[ignore = "exercise"]
fn ex2_the_name_of_one_that_is_starting_is_refused() {
    let place = Place::with("rename");
    let id = place.run("web", &[], "true");
    // As Record::create leaves it, until it is saved.
    let starting = "0123456789ab";
    let hidden = place.containers().join(format!(".{starting}"));
    fs::create_dir(&hidden).unwrap();
    let lock = File::open(&hidden).unwrap();
    lock.lock().unwrap();
    symlink(starting, place.state.path().join("names/taken")).unwrap();
    place
        .see(&["rename", "web", "taken"])
        .assert_refused("taken");
    assert_eq!(
        place.link("taken").as_deref(),
        Some(starting),
        "the name is that of a container which is starting, and has been taken from it"
    );
    assert_called(&place, &id, "web");
}

#[test]
#[ignore = "exercise"]
fn ex2_of_several_at_the_same_time_one_gets_it() {
    let place = Place::with("rename");
    let old = ["aa", "bb", "cc", "dd"];
    let ids = old.map(|name| place.run(name, &[], "true"));
    // Many others, so that to look at all of them takes a while.
    let text = place.record("aa").to_string();
    for number in 0..200 {
        let id = format!("{number:012x}");
        let other = place.containers().join(&id);
        fs::create_dir(&other).unwrap();
        let text = text.replace(&ids[0], &id).replace("\"aa\"", "\"\"");
        fs::write(other.join("config.json"), text).unwrap();
    }
    for round in 0..5 {
        let new = format!("round{round}");
        let rename = |id: &String| {
            let mut command = place.tiny_docker(&["rename", id, &new]);
            command.stdout(Stdio::piped()).stderr(Stdio::piped());
            command.spawn().unwrap()
        };
        let before = ids.each_ref().map(|id| place.record(id)["name"].clone());
        let renames = ids.each_ref().map(rename);
        let seen = renames.map(|child: Child| Seen::from(child.wait_with_output().unwrap()));
        let winners = seen.iter().filter(|seen| seen.code == Some(0)).count();
        assert_eq!(
            winners, 1,
            "of four containers that ask for the name {new} at the same time, so many were told that they are"
        );
        for ((id, seen), before) in ids.iter().zip(&seen).zip(&before) {
            if seen.code == Some(0) {
                assert_called(&place, id, &new);
            } else {
                seen.assert_refused(&new);
                assert_called(&place, id, before.as_str().unwrap());
            }
        }
    }
}

#[test]
#[ignore = "exercise"]
fn ex2_what_is_no_name_is_refused() {
    let place = Place::with("rename");
    let id = place.run("web", &[], "true");
    let long = "a".repeat(65);
    for new in ["", "a", ".", "..", "../web", "_a", "a b", "a/b", &long] {
        let seen = place.see(&["rename", "web", new]);
        seen.assert_refused(new);
        assert_called(&place, &id, "web");
    }
    place
        .see(&["rename", "nobody", "some"])
        .assert_refused("nobody");
    assert_eq!(
        place.names(),
        ["web".to_owned()].into(),
        "a rename that is refused should leave no name behind"
    );
}

// Exercise 3: diff ID

/// Whether the kernel keeps what the container `id` changes. (In a container of Docker's it may have to be a copy.)
fn has_overlayfs(place: &Place, id: &str) -> bool {
    let layer = place.containers().join(id).join("layer");
    layer.join("work/work").exists()
}

/// Returns from a test where there is no overlayfs for a container.
macro_rules! need_overlayfs {
    ($place:expr, $id:expr) => {
        if !has_overlayfs(&$place, &$id) {
            return skip("overlayfs");
        }
    };
}

/// A place with some files more in the root filesystem.
fn with_files() -> Place {
    let place = Place::with("diff");
    let var = place.rootfs().join("var");
    fs::create_dir_all(var.join("lib/deep")).unwrap();
    for file in ["one", "two", "three", "lib/one", "lib/two", "lib/deep/one"] {
        fs::write(var.join(file), "below\n").unwrap();
    }
    symlink("/etc", var.join("etc")).unwrap();
    symlink("/no/such", var.join("dangling")).unwrap();
    place
}

/// That `diff` says this, in any order.
fn assert_differs(place: &Place, id: &str, expected: &[&str]) {
    let printed = place.out(&["diff", id]);
    let mut lines: Vec<_> = printed.lines().collect();
    let mut expected = expected.to_vec();
    lines.sort();
    expected.sort();
    assert_eq!(
        lines, expected,
        "left is what diff says, right is what it should"
    );
}

#[test]
#[ignore = "exercise"]
fn ex3_added_changed_deleted() {
    let place = with_files();
    let script = "echo new >/var/new; mkdir -p /srv/www; ln -s nowhere /srv/link
        echo more >>/var/one; rm /var/two; mv /var/three /var/lib/three";
    let id = place.run("web", &[], script);
    need_overlayfs!(place, id);
    let expected = [
        "A /srv",
        "A /srv/link",
        "A /srv/www",
        "C /var",
        "A /var/new",
        "C /var/one",
        "D /var/two",
        "D /var/three",
        "C /var/lib",
        "A /var/lib/three",
    ];
    for id in ["web", &id, &id[..6]] {
        assert_differs(&place, id, &expected);
    }
}

#[test]
#[ignore = "exercise"]
fn ex3_who_changes_nothing_has_no_difference() {
    let place = with_files();
    let id = place.run("web", &[], "cat /var/one >/dev/null; echo x >/dev/shm/x");
    need_overlayfs!(place, id);
    assert_differs(&place, "web", &[]);
}

#[test]
#[ignore = "exercise"]
fn ex3_a_mode_is_a_change_too() {
    let place = with_files();
    let id = place.run("web", &[], "chmod 600 /var/one; chmod 700 /var/lib");
    need_overlayfs!(place, id);
    assert_differs(&place, "web", &["C /var", "C /var/one", "C /var/lib"]);
}

#[test]
#[ignore = "exercise"]
fn ex3_a_deleted_directory_is_one_line() {
    let place = with_files();
    let id = place.run("web", &[], "rm -r /var/lib");
    need_overlayfs!(place, id);
    assert_differs(&place, "web", &["C /var", "D /var/lib"]);
}

#[test]
#[ignore = "exercise"]
fn ex3_in_a_directory_that_was_made_anew_the_rest_is_gone() {
    let place = with_files();
    let script = "rm -r /var/lib; mkdir /var/lib; echo >/var/lib/two; echo >/var/lib/new";
    let id = place.run("web", &[], script);
    need_overlayfs!(place, id);
    let expected = [
        "C /var",
        "C /var/lib",
        "D /var/lib/one",
        "C /var/lib/two",
        "D /var/lib/deep",
        "A /var/lib/new",
    ];
    assert_differs(&place, "web", &expected);
}

#[test]
#[ignore = "exercise"]
fn ex3_a_link_is_no_directory() {
    let place = with_files();
    // On the host there is an /etc/passwd. In the container's /var/etc there was none.
    let script = "rm /var/etc; mkdir /var/etc; echo >/var/etc/passwd
        ln -sfn /no/where /var/dangling; rm -r /var/lib; ln -s /etc /var/lib";
    let id = place.run("web", &[], script);
    need_overlayfs!(place, id);
    let expected = [
        "C /var",
        "C /var/etc",
        "A /var/etc/passwd",
        "C /var/dangling",
        "C /var/lib",
    ];
    assert_differs(&place, "web", &expected);
}

#[test]
#[ignore = "exercise"]
fn ex3_a_container_can_be_looked_at_while_it_runs() {
    let place = with_files();
    let container = place.start(&[], "rm /var/one; echo ready; sleep 1000");
    need_overlayfs!(place, container.id);
    assert_differs(&place, &container.id, &["C /var", "D /var/one"]);
    place.out(&["exec", &container.id, "touch", "/var/one", "/var/new"]);
    let expected = ["C /var", "C /var/one", "A /var/new"];
    assert_differs(&place, &container.id, &expected);
}

#[test]
#[ignore = "exercise"]
fn ex3_what_is_mounted_is_not_the_containers() {
    let place = with_files();
    let volume = TempDir::new().unwrap();
    let mounted = format!("{}:/volume", volume.path().display());
    let options = ["-v", &mounted, "--tmpfs", "/scratch"];
    let script = "echo >/volume/file; echo >/scratch/file; echo >/dev/shm/file; echo >/var/new";
    let id = place.run("web", &options, script);
    need_overlayfs!(place, id);
    let printed = place.out(&["diff", "web"]);
    // The places themselves had to be made: they may be listed or not.
    let mut lines: Vec<_> = printed.lines().collect();
    lines.retain(|line| !["A /volume", "A /scratch"].contains(line));
    assert_eq!(lines, ["C /var", "A /var/new"]);
}

#[test]
#[ignore = "exercise"]
fn ex3_a_name_stays_in_its_line() {
    let place = with_files();
    let id = place.run("web", &[], "touch '/var/new\nD etc\x1b[2J'");
    need_overlayfs!(place, id);
    let printed = place.out(&["diff", "web"]);
    assert_eq!(printed.lines().count(), 2, "{printed}");
    assert!(
        !printed.contains('\x1b'),
        "a name clears the terminal of whoever looks at it"
    );
}

#[test]
#[ignore = "exercise"]
fn ex3_what_is_not_there_is_refused() {
    let place = Place::with("diff");
    for text in ["nobody", ""] {
        place.see(&["diff", text]).assert_refused(text);
    }
}
