//! What the proofs of the book share.

use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::unistd::geteuid;

/// The repository.
pub fn root() -> PathBuf {
    let proofs = Path::new(env!("CARGO_MANIFEST_DIR"));
    proofs.ancestors().nth(2).unwrap().to_owned()
}

/// Where cargo put the programs: `target/debug` or similar.
pub fn built() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.ancestors().nth(2).unwrap().to_owned()
}

/// A copy of the repository, in which the exercises are solved: `target/debug/exercises/repository`.
pub fn sandbox() -> PathBuf {
    built().join("exercises/repository")
}

/// Where `book/parts/at` puts a part, below the repository or the sandbox.
pub fn place(repository: &Path, part: &str) -> PathBuf {
    repository.join("target/parts").join(&part[..2])
}

/// Replaces a program, which may be running.
pub fn put_program(from: &Path, to: &Path) -> std::io::Result<()> {
    let new = to.with_extension("new");
    fs::copy(from, &new)?;
    fs::rename(new, to)
}

/// The names in a directory, sorted.
pub fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory)
        .unwrap_or_else(|error| panic!("cannot list {}: {error}", directory.display()));
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// The days' crates, such as `day02-namespaces`, in order.
pub fn days() -> Vec<String> {
    let mut names = names(&root());
    names.retain(|name| name.starts_with("day") && name.contains('-'));
    names
}

/// The parts of day 10, such as `03-a-layer`, in order.
pub fn parts() -> Vec<String> {
    let names = names(&root().join("book/parts")).into_iter();
    let parts = names.filter_map(|name| name.strip_suffix(".patch").map(str::to_owned));
    parts.collect()
}

/// A text of the repository.
pub fn read(path: &Path) -> String {
    fs::read_to_string(path)
        .unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()))
}

/// Runs a command to its end: whether it succeeded, and all that it said.
pub fn run(command: &mut Command) -> (bool, String) {
    let output = command.stdin(Stdio::null()).output();
    let output = output.unwrap_or_else(|error| panic!("cannot run {command:?}: {error}"));
    let said = [output.stdout, output.stderr].concat();
    (
        output.status.success(),
        String::from_utf8_lossy(&said).into_owned(),
    )
}

/// `git apply ARGUMENTS… PATCH` in a directory of files, whatever repository may be around it.
pub fn git_apply(directory: &Path, arguments: &[&str], patch: &Path) -> Result<(), String> {
    let mut git = Command::new("git");
    git.arg("apply")
        .args(arguments)
        .arg(patch)
        .current_dir(directory);
    git.env("GIT_CEILING_DIRECTORIES", directory.parent().unwrap());
    match run(&mut git) {
        (true, _) => Ok(()),
        (false, said) => Err(said),
    }
}

/// Says that this machine cannot run a proof: aloud, although the test passes.
///
/// With `TINY_DOCKER_REQUIRE=all`, nothing may be skipped.
pub fn skip(needed: &str, proof: &str) {
    let required = std::env::var_os("TINY_DOCKER_REQUIRE").is_some_and(|tests| tests == "all");
    assert!(!required, "needs {needed}");
    // Not eprintln: the test harness would hide it.
    let how = how_to_get(needed);
    let _ = writeln!(
        std::io::stderr(),
        "skipped: needs {needed} ({proof}): {how}"
    );
}

/// What to type for something that `has` does not find.
fn how_to_get(needed: &str) -> &'static str {
    match needed {
        "root" => r#"sudo -E env "PATH=$PATH" cargo test"#,
        "limits" => "systemd-run --user --scope -p Delegate=yes cargo test",
        "cargo" => "cargo test -p proofs -- --ignored",
        "cgroup-v1" => "start Linux with systemd.unified_cgroup_hierarchy=0",
        "namespaces" => "see book/src/troubleshooting.md",
        "ip" => "sudo apt install iproute2",
        "nft" => "sudo apt install nftables",
        "ping" => "sudo apt install iputils-ping",
        "newuidmap" => "sudo apt install uidmap",
        "capsh" => "sudo apt install libcap2-bin",
        "git" => "sudo apt install git",
        "perl" => "sudo apt install perl",
        "python3" => "sudo apt install python3",
        "skopeo" => "sudo apt install skopeo",
        "umoci" => "sudo apt install umoci",
        "pgrep" => "sudo apt install procps",
        "iptables" => "sudo apt install iptables",
        "jq" => "sudo apt install jq",
        "strace" => "sudo apt install strace",
        _ => "sudo apt install util-linux",
    }
}

/// Whether this machine has a program, or `root`.
pub fn has(needed: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let installed = std::env::split_paths(&path).any(|directory| directory.join(needed).is_file());
    match needed {
        "root" => geteuid().is_root(),
        // A directory for each controller: with version 2 alone, there is one for all.
        "cgroup-v1" => Path::new("/sys/fs/cgroup/pids/cgroup.procs").exists(),
        // Not each container allows ptrace(2).
        "strace" => installed && run(Command::new("strace").args(["-o", "/dev/null", "true"])).0,
        _ => installed,
    }
}

/// Whether this machine lets us have namespaces at all: many containers do not.
pub fn can_have_namespaces() -> bool {
    let mut unshare = Command::new("unshare");
    if !geteuid().is_root() {
        unshare.args(["--user", "--map-root-user"]);
    }
    unshare.args(["--pid", "--uts", "--mount", "--fork", "true"]);
    unshare.output().is_ok_and(|output| output.status.success())
}

/// Ends what still runs with its files below `directory`, and removes all of that: layers too, which nobody may enter.
pub fn tidy_up(directory: &Path) {
    let script = root().join("day10-final/tests/day/tidy_up.sh");
    run(Command::new("sh").arg(script).arg(directory));
}

/// Copies what `cargo` needs of the repository, or a part of it.
pub fn copy(what: &[impl AsRef<OsStr>], to: &Path) {
    let mut cp = Command::new("cp");
    cp.arg("-r").args(what).arg(to).current_dir(root());
    let (copied, said) = run(&mut cp);
    assert!(copied, "{said}");
}
