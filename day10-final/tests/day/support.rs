//! What the tests share: typing commands as a user would, and looking at what comes back.

use std::error::Error;
use std::fs::{self, File, Permissions};
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Once, OnceLock};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, kill, sigaction};
use nix::unistd::{AccessFlags, Pid, access, geteuid};
use tempfile::{Builder, NamedTempFile, TempDir};

/// The program under test.
pub const TINY_DOCKER: &str = env!("CARGO_BIN_EXE_tiny-docker");

/// What a user sees of a finished command.
pub struct Seen {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl From<Output> for Seen {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: without_waits(&String::from_utf8_lossy(&output.stderr)),
        }
    }
}

/// What a command has shown, except for what it has waited for: a busy machine adds such lines.
pub fn without_waits(shown: &str) -> String {
    let waits = |line: &&str| line.starts_with("tiny-docker: waiting for ");
    let lines = shown.split_inclusive('\n');
    lines.filter(|line| !waits(line)).collect()
}

/// Makes sure that what the tests start receives these signals, even if nohup(1) or a script's `&` makes us ignore them.
///
/// The tests themselves still do nothing about them: that is the handler. Unlike "ignore", it does not survive execve(2).
pub fn hear_signals() {
    extern "C" fn nothing(_: i32) {}
    let handler = SigHandler::Handler(nothing);
    let handle = SigAction::new(handler, SaFlags::SA_RESTART, SigSet::empty());
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        for signal in [Signal::SIGHUP, Signal::SIGINT, Signal::SIGQUIT] {
            // SAFETY: the handler does nothing, and what it replaces is restored.
            unsafe {
                let before = sigaction(signal, &handle).unwrap();
                if !matches!(before.handler(), SigHandler::SigIgn) {
                    sigaction(signal, &before).unwrap();
                }
            }
        }
    });
}

/// `tiny-docker ARGUMENTS…`, with nothing to read, still to be started.
pub fn tiny_docker(arguments: &[&str]) -> Command {
    hear_signals();
    let mut command = Command::new(TINY_DOCKER);
    command.args(arguments).stdin(Stdio::null());
    command.env("TINY_DOCKER_ROOT", state());
    command
}

/// Runs `tiny-docker ARGUMENTS…` to its end.
pub fn see(arguments: &[&str]) -> Seen {
    tiny_docker(arguments).output().unwrap().into()
}

/// Runs a line of shell in which `$TD` is the program under test.
pub fn shell(line: &str) -> Seen {
    hear_signals();
    let mut sh = Command::new("sh");
    sh.args(["-c", line]).env("TD", TINY_DOCKER);
    sh.env("TINY_DOCKER_ROOT", state());
    sh.stdin(Stdio::null()).output().unwrap().into()
}

/// The state directory of this test: empty except for a default rootfs, whose files all tests share.
pub fn state() -> PathBuf {
    // Each test has its own thread, and its directory goes with it.
    thread_local! {
        static OWN: Own = Own(TempDir::new_in(place()).unwrap());
    }
    own_network();
    OWN.with(|Own(own)| {
        if !own.path().join("rootfs").exists() {
            // `prune` removes all of it, if it can.
            fs::create_dir_all(own.path()).unwrap();
            copy_rootfs(own.path());
        }
        own.path().to_owned()
    })
}

/// Whoever changes a host's network has this locked.
pub const LOCK: &str = "/run/tiny-docker.lock";

/// Root's containers change their host's network. For each test, that is its own namespace, with its own lock: otherwise
/// the tests would wait for each other.
///
/// Whatever this thread starts from now on is in it.
pub fn own_network() {
    thread_local! {
        static UNSHARED: NamedTempFile = {
            unshare(CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWNS).unwrap();
            host("ip link set lo up");
            own_lock().unwrap()
        };
    }
    if geteuid().is_root() && can_have_namespaces() {
        UNSHARED.with(|_| ());
    }
}

fn own_lock() -> Result<NamedTempFile, Box<dyn Error>> {
    let nothing = None::<&str>;
    let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    mount(nothing, "/", nothing, private, nothing)?;
    let own = NamedTempFile::new_in(place())?;
    File::options().create(true).append(true).open(LOCK)?;
    mount(Some(own.path()), LOCK, nothing, MsFlags::MS_BIND, nothing)?;
    Ok(own)
}

/// Runs `command` on this test's host, and returns what it prints.
pub fn host(command: &str) -> String {
    let output = Command::new("sh").args(["-c", command]).output().unwrap();
    let Seen {
        code,
        stdout,
        stderr,
    } = output.into();
    assert_eq!(code, Some(0), "{command}: {stderr}");
    stdout
}

/// Is removed for good: if a supervisor is still writing, again and again.
struct Own(TempDir);

impl Drop for Own {
    fn drop(&mut self) {
        let own = self.0.path();
        wait_until("the directory removed", || {
            fs::remove_dir_all(own).is_ok() || !own.exists() || {
                // A run that is killed while it mounts its layer leaves a directory that is closed to its owner.
                let mut chmod = Command::new("chmod");
                chmod.args(["-R", "u+rwx"]).arg(own).output().unwrap();
                false
            }
        });
    }
}

/// The directory for everything that these tests create. When they have ended, in whatever way, nothing of it is left.
fn place() -> &'static Path {
    static PLACE: OnceLock<(PathBuf, Child)> = OnceLock::new();
    let (place, _) = PLACE.get_or_init(|| {
        let everybody = Permissions::from_mode(0o755);
        let place = Builder::new().permissions(everybody).tempdir().unwrap();
        let place = place.keep();
        // All of it, from now on.
        let _ = tempfile::env::override_temp_dir(&place);
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/day/tidy_up.sh");
        // In its own group, so that Ctrl-C does not reach it.
        let mut sh = Command::new("sh");
        sh.arg(script).arg(&place).process_group(0);
        sh.stdin(Stdio::piped());
        sh.stdout(Stdio::null()).stderr(Stdio::null());
        (place, sh.spawn().unwrap())
    });
    place
}

/// Puts the default rootfs into `state`: as hard links or, on another filesystem, as copies.
pub fn copy_rootfs(state: &Path) {
    let copied = |option| {
        let mut cp = Command::new("cp");
        cp.arg(option).args([".tiny-docker", "rootfs"]).arg(state);
        cp.current_dir(prepared())
            .output()
            .unwrap()
            .status
            .success()
    };
    assert!(copied("-al") || copied("-a"));
}

/// A state directory with the default rootfs, which takes a while to build.
fn prepared() -> &'static Path {
    static STATE: OnceLock<PathBuf> = OnceLock::new();
    STATE.get_or_init(|| {
        let name = format!("{}-{}", env!("CARGO_PKG_NAME"), geteuid());
        let state = Path::new(env!("CARGO_TARGET_TMPDIR")).join(&name);
        let changed = |file: &Path| fs::metadata(file).and_then(|metadata| metadata.modified());
        // Another build of the program may have left a different one.
        let left = changed(&state.join("rootfs/default"));
        if left.is_ok_and(|built| built < changed(Path::new(TINY_DOCKER)).unwrap()) {
            fs::remove_dir_all(&state).unwrap();
        }
        // Built now, so that no test sees the message about it.
        let mut run = Command::new(TINY_DOCKER);
        run.args(["run", "--net", "isolated", "true"])
            .env("TINY_DOCKER_ROOT", &state);
        run.output().unwrap();
        if state.join("rootfs").exists() {
            return state;
        }
        // As root, in another user's project: there it is refused.
        let state = place().join(&name);
        run.env("TINY_DOCKER_ROOT", &state).output().unwrap();
        state
    })
}

/// Writes a program. Not with fs::write: a file cannot be executed (ETXTBSY) while the fork of another test has it open.
pub fn write_program(path: &Path, text: &str) {
    let mut sh = Command::new("sh");
    sh.args(["-c", r#"printf %s "$1" >"$0" && chmod 755 "$0""#]);
    assert!(sh.arg(path).arg(text).status().unwrap().success());
}

/// Copies a program. Not with fs::copy, for the same reason.
pub fn copy_program(from: &Path, to: &Path) {
    let mut cp = Command::new("cp");
    assert!(cp.arg(from).arg(to).status().unwrap().success());
}

/// `tiny-docker ARGUMENTS…` as a user who is not root, with nothing in the environment except PATH.
///
/// `home` becomes theirs. If they cannot reach the program where it was built, they get a copy.
pub fn as_ordinary_user(home: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(TINY_DOCKER);
    if geteuid().is_root() {
        const NOBODY: u32 = 65534;
        let copy = home.join("tiny-docker");
        if !copy.exists() {
            copy_program(Path::new(TINY_DOCKER), &copy);
        }
        chown(home, Some(NOBODY), Some(NOBODY)).unwrap();
        command = Command::new(copy);
        command.uid(NOBODY).gid(NOBODY);
    }
    command.args(arguments).stdin(Stdio::null()).env_clear();
    command.env("PATH", std::env::var_os("PATH").unwrap());
    command
}

/// A child that is killed if a test ends early.
pub struct Running(pub Child);

impl Running {
    pub fn start(command: &mut Command) -> Self {
        Self(command.stdout(Stdio::piped()).spawn().unwrap())
    }

    pub fn pid(&self) -> i32 {
        self.0.id() as i32
    }

    /// Sends it a signal, by number: nix does not know all of them.
    pub fn signal(&self, signal: i32) {
        // SAFETY: kill(2) takes two numbers.
        assert_eq!(unsafe { libc::kill(self.pid(), signal) }, 0);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Suspends a process, and waits until that has happened: until then, it may still react to something else.
pub fn suspend(pid: i32) {
    kill(Pid::from_raw(pid), Signal::SIGSTOP).unwrap();
    let stat = || fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    wait_until("it suspended", || stat().contains(") T "));
}

/// Says "tail" as soon as Ctrl-C would end it. A shell that says so itself may yet lose it: it catches the signal, and has
/// nothing to stop when it comes right before its command starts.
pub const AT_WORK: &str = "tail -f /proc/self/comm";

/// Waits until `condition` holds. The limit is generous: some machines are slow.
pub fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(
            start.elapsed() < Duration::from_secs(60),
            "never saw {what}"
        );
        sleep(Duration::from_millis(5));
    }
}

/// Says aloud that this machine cannot run a test, although the test passes.
///
/// With `TINY_DOCKER_REQUIRE=all`, no test may be skipped.
pub fn skip(needed: &str) {
    let required = std::env::var_os("TINY_DOCKER_REQUIRE").is_some_and(|tests| tests == "all");
    assert!(!required, "needs {needed}");
    // Not eprintln: the test harness would hide it.
    let _ = writeln!(std::io::stderr(), "skipped: needs {needed}");
}

/// Says that a test is for another user. The machine lacks nothing if the tests run as that user, too.
pub fn leave_to(user: &str) {
    let how = match user.starts_with("root") {
        true => r#": sudo -E env "PATH=$PATH" cargo test"#,
        false => "",
    };
    let _ = writeln!(std::io::stderr(), "skipped: needs {user}{how}");
}

/// Whether this machine allows us namespaces at all: many containers do not.
pub fn can_have_namespaces() -> bool {
    static CAN: OnceLock<bool> = OnceLock::new();
    *CAN.get_or_init(|| {
        let mut unshare = Command::new("unshare");
        if !geteuid().is_root() {
            unshare.args(["--user", "--map-root-user"]);
        }
        // ip(8) connects root's containers.
        unshare.args([
            "--pid",
            "--uts",
            "--net",
            "--mount-proc",
            "--fork",
            "ip",
            "link",
        ]);
        unshare.output().is_ok_and(|output| output.status.success())
    })
}

/// Returns from a test, aloud, on a machine that allows no namespaces.
#[macro_export]
macro_rules! need_namespaces {
    () => {
        if !$crate::support::can_have_namespaces() {
            return $crate::support::skip("namespaces: see book/src/troubleshooting.md");
        }
        $crate::support::hear_signals();
        $crate::support::own_network();
    };
}

/// Whether this user may create groups that limit `controller`: below their own group, or one above it.
fn may_limit(controller: &str) -> bool {
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap();
    let own = groups.lines().find_map(|line| line.strip_prefix("0::/"));
    let v2 = Path::new("/sys/fs/cgroup").join(own.unwrap_or_default());
    let limits_it = |group: &&Path| {
        let controllers = fs::read_to_string(group.join("cgroup.controllers")).unwrap_or_default();
        controllers.split_whitespace().any(|has| has == controller)
    };
    let may_change = |group: &Path| access(&group.join("cgroup.procs"), AccessFlags::W_OK).is_ok();
    let v1 = Path::new("/sys/fs/cgroup").join(controller);
    may_change(&v1) || v2.ancestors().filter(limits_it).any(may_change)
}

/// Whether this user may have groups with limits.
pub fn can_have_cgroups() -> bool {
    ["memory", "cpu", "pids"].into_iter().all(may_limit)
}

/// How often a test repeats itself: an emulated machine (.ci/vm) is 30 times as slow.
pub fn rounds(usual: usize) -> usize {
    match std::env::var_os("TINY_DOCKER_VM") {
        Some(_) => usual / 5,
        None => usual,
    }
}

/// Returns from a test, aloud, if this user may not have groups with limits.
#[macro_export]
macro_rules! need_cgroups {
    () => {
        $crate::need_namespaces!();
        if !$crate::support::can_have_cgroups() {
            return $crate::support::skip("cgroups that this user may change: systemd-run --user --scope -p Delegate=yes cargo test");
        }
    };
}

/// Whether the memory controller is in version 2 here.
pub fn has_cgroup_v2() -> bool {
    fs::read_to_string("/sys/fs/cgroup/cgroup.controllers").is_ok_and(|all| all.contains("memory"))
}

/// The groups of the container `id`, wherever they are on this machine.
pub fn groups(id: &str) -> Vec<PathBuf> {
    let find = Command::new("find")
        .args(["/sys/fs/cgroup", "-name", id])
        .output()
        .unwrap();
    String::from_utf8_lossy(&find.stdout)
        .lines()
        .map(PathBuf::from)
        .collect()
}

/// The processes on this machine that have `word` in their command line.
pub fn processes_with(word: &str) -> Vec<i32> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let Ok(pid) = entry.file_name().to_string_lossy().parse() else {
            continue;
        };
        let command_line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        if String::from_utf8_lossy(&command_line).contains(word) {
            found.push(pid);
        }
    }
    found
}

/// The records in this test's state directory, by their ids.
pub fn records() -> Vec<PathBuf> {
    let entries = fs::read_dir(state().join("containers"));
    let entries = entries.into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).collect()
}

/// The names that are taken in this test's state directory.
pub fn names() -> Vec<String> {
    let entries = fs::read_dir(state().join("names"));
    let entries = entries.into_iter().flatten().flatten();
    let mut names: Vec<_> = entries
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// Checks that no record is left, not even a hidden one, and no name.
pub fn assert_nothing_is_kept() {
    assert_eq!((records(), names()), (Vec::new(), Vec::new()));
}

/// The record of the only container in this test's state directory.
pub fn only_record() -> PathBuf {
    let records = records();
    assert_eq!(records.len(), 1, "{records:?}");
    records[0].clone()
}

/// A table of `ps` with ID for each id, NAME for each random name, AGE for each age, and three spaces between all
/// columns.
pub fn without_ids(table: &str) -> String {
    let is_id = |word: &str| word.len() == 12 && word.bytes().all(|b| b.is_ascii_hexdigit());
    let mut lines = String::new();
    for line in table.lines() {
        let cells = line.split("   ").map(str::trim);
        let mut cells: Vec<_> = cells
            .filter(|cell| !cell.is_empty())
            .map(without_age)
            .collect();
        if is_id(&cells[0]) {
            cells[0] = "ID".to_owned();
            let name = cells.last_mut().unwrap();
            // The names that tests give have none.
            if name.contains('_') {
                *name = "NAME".to_owned();
            }
        }
        lines += &cells.join("   ");
        lines += "\n";
    }
    lines
}

/// A cell of `ps` with AGE in place of "2 minutes", in "Up 2 minutes", "2 minutes ago", "Exited (0) 2 minutes ago".
pub fn without_age(cell: &str) -> String {
    let (before, ago) = match cell.strip_suffix(" ago") {
        Some(before) => (before, " ago"),
        None => (cell, ""),
    };
    match before.split_once(") ").or(before.split_once(' ')) {
        Some((status, _)) if status.starts_with("Exited (") => format!("{status}) AGE{ago}"),
        Some((status @ ("Up" | "Exited"), age)) if !age.starts_with('(') => {
            format!("{status} AGE{ago}")
        }
        Some(_) if !ago.is_empty() => format!("AGE{ago}"),
        _ => cell.to_owned(),
    }
}

/// What `inspect` says about the container that `id` means.
pub fn inspect(id: &str) -> serde_json::Value {
    let seen = see(&["inspect", id]);
    assert_eq!((seen.code, seen.stderr.as_str()), (Some(0), ""));
    let mut all: Vec<_> = serde_json::from_str(&seen.stdout).unwrap();
    assert_eq!(all.len(), 1);
    all.remove(0)
}

/// A container in the background, which is killed if a test ends early.
pub struct Detached {
    pub id: String,
}

impl Detached {
    /// `tiny-docker run -d ARGUMENTS…`
    pub fn start(arguments: &[&str]) -> Self {
        let seen = see(&[&["run", "-d"], arguments].concat());
        assert_eq!((seen.code, seen.stderr.as_str()), (Some(0), ""));
        let id = seen.stdout.trim().to_owned();
        assert_eq!(id.len(), 12, "{}", seen.stdout);
        Self { id }
    }

    /// What the record says.
    pub fn record(&self) -> serde_json::Value {
        let config = state()
            .join("containers")
            .join(&self.id)
            .join("config.json");
        serde_json::from_slice(&fs::read(config).unwrap()).unwrap()
    }

    /// Its PID 1, as the host sees it.
    pub fn pid(&self) -> i32 {
        self.record()["pid"].as_i64().unwrap() as i32
    }

    /// What it has written, as the host sees it.
    pub fn layer(&self) -> PathBuf {
        self.log().with_file_name("layer/upper")
    }

    pub fn log(&self) -> PathBuf {
        state()
            .join("containers")
            .join(&self.id)
            .join("container.log")
    }

    /// The process that waits for it: the parent of its PID 1.
    pub fn supervisor(&self) -> i32 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid())).unwrap();
        let (_, after_name) = stat.rsplit_once(')').unwrap();
        after_name
            .split_whitespace()
            .nth(1)
            .unwrap()
            .parse()
            .unwrap()
    }

    /// What `ps -a` says about it once it has ended: "- stopped (137) sleep 1000".
    pub fn listed(&self) -> String {
        let json = see(&["ps", "-a", "--format", "json"]).stdout;
        let lines = json.lines();
        let mut lines = lines.map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        let line = lines.find(|line| line["ID"] == *self.id).unwrap();
        let record = self.record();
        // Docker has one word for both.
        let status = match record["status"] == "stopped" {
            true => "stopped",
            false => line["State"].as_str().unwrap(),
        };
        let code = without_age(line["Status"].as_str().unwrap());
        let code = code
            .find('(')
            .map(|start| &code[start..=code.rfind(')').unwrap()]);
        let words = record["command"].as_array().unwrap().iter();
        let words = words.map(|word| word.as_str().unwrap());
        let columns = ["-", status].into_iter().chain(code).chain(words);
        columns.collect::<Vec<_>>().join(" ")
    }

    /// The contents of a file in its cgroup, whose name is the first in version 2, and the other in version 1.
    pub fn in_its_group(&self, v2: &str, v1: &str) -> Option<String> {
        let groups = groups(&self.id);
        let mut files = groups
            .iter()
            .flat_map(|group| [group.join(v2), group.join(v1)]);
        files
            .find_map(|file| fs::read_to_string(file).ok())
            .map(|text| text.trim().to_owned())
    }

    pub fn is_running(&self) -> bool {
        see(&["ps"]).stdout.contains(&self.id)
    }

    pub fn wait_for_its_end(&self) {
        wait_until("its exit code", || !self.record()["exit_code"].is_null());
    }
}

impl Drop for Detached {
    fn drop(&mut self) {
        if self.is_running() {
            let _ = kill(Pid::from_raw(self.pid()), Signal::SIGKILL);
        }
    }
}
