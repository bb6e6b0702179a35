//! The grader of this part's exercise. It fails until the exercise is solved, and says what is missing:
//!
//!     cargo test --test exercises -- --ignored ex1

use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// Prints how many bytes there are on the filesystem of a directory.
const SIZE: &str = "size() { set -- $(stat -f -c '%b %S' $1); echo $(($1 * $2)); }";

/// A state directory for one test.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        let place = Self(TempDir::new().unwrap());
        let built = place.run(&[], "true");
        assert!(built.status.success(), "no container starts: {built:?}");
        place
    }

    /// `tiny-docker run OPTIONS… sh -c SCRIPT`, without a network.
    fn run(&self, options: &[&str], script: &str) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tiny-docker"));
        command.args(["run", "--net", "isolated"]).args(options);
        command.args(["sh", "-c", &format!("{SIZE}; {script}")]);
        command.env("TINY_DOCKER_ROOT", self.0.path());
        let seen = command.stdin(Stdio::null()).output().unwrap();
        let stderr = String::from_utf8_lossy(&seen.stderr);
        assert!(
            !stderr.contains("unexpected argument '--shm-size'"),
            "{options:?} is not understood yet:\n{stderr}"
        );
        seen
    }

    /// The container prints this.
    fn assert_prints(&self, options: &[&str], script: &str, expected: &str) {
        let seen = self.run(options, script);
        let stdout = String::from_utf8_lossy(&seen.stdout);
        let stderr = String::from_utf8_lossy(&seen.stderr);
        assert_eq!(
            stdout, expected,
            "{options:?}: {script}. On stderr: {stderr}"
        );
    }

    /// A usage error: nothing has run, and the exit code is 125.
    fn assert_refused(&self, size: &str) {
        let seen = self.run(&["--shm-size", size], "echo started");
        let stderr = String::from_utf8_lossy(&seen.stderr);
        let why = format!("--shm-size {size:?} should be refused. On stderr: {stderr}");
        assert_eq!(String::from_utf8_lossy(&seen.stdout), "", "{why}");
        assert_eq!(seen.status.code(), Some(125), "{why}");
        assert!(stderr.contains("--shm-size"), "{why}");
    }
}

#[test]
#[ignore = "exercise 1"]
fn ex1_a_dev_shm_of_its_own() {
    let place = Place::new();
    for (size, bytes) in [
        ("128m", "134217728\n"),
        ("1g", "1073741824\n"),
        ("64k", "65536\n"),
        ("65536", "65536\n"),
    ] {
        place.assert_prints(&["--shm-size", size], "size /dev/shm", bytes);
    }

    // Once it is full, it is full. Neither of the two takes space from the other.
    let option = ["--shm-size", "1m"];
    let fill = "head -c 2000000 /dev/zero 2>&1 >/dev/shm/big | grep -c 'No space left'
        stat -c %s /dev/shm/big; size /dev; echo x >/dev/file && cat /dev/file";
    place.assert_prints(&option, fill, "1\n1048576\n67108864\nx\n");
    let fill = "head -c 99000000 /dev/zero 2>/dev/null >/dev/big; echo x >/dev/shm/x && echo room";
    place.assert_prints(&option, fill, "room\n");

    // Every user may write there, even if / is read-only, but nobody finds programs or devices there.
    let read_only = [&option[..], &["--read-only"]].concat();
    let look = "stat -c %a /dev/shm; echo x >/dev/shm/x && cat /dev/shm/x
        for flag in nosuid nodev noexec; do grep ' /dev/shm ' /proc/mounts | grep -o $flag; done";
    place.assert_prints(&read_only, look, "1777\nx\nnosuid\nnodev\nnoexec\n");

    // A tmpfs that the user puts there wins. Without the option, everything is as it was.
    let covered = [&option[..], &["--tmpfs", "/dev/shm:size=2m"]].concat();
    place.assert_prints(&covered, "size /dev/shm", "2097152\n");
    place.assert_prints(&[], "size /dev/shm", "67108864\n");
    place.assert_prints(&[], "grep -c ' /dev/shm ' /proc/mounts", "0\n");

    for size in ["", "0", "0m", "-1", "m", "1.5x", "128q", "50%", "1m,mode=0"] {
        place.assert_refused(size);
    }
    // 64 bits cannot hold the first one. They can hold the second one, which the kernel rounds up to pages.
    for size in ["17179869184g", "18446744073709551615"] {
        place.assert_refused(size);
    }
}
