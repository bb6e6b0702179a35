//! Graders for the exercises. Each fails until its exercise is solved, and says what it misses:
//!
//!     cargo test -p day03-rootfs --test exercises -- --ignored ex1

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// What a user sees of a finished command.
struct Seen {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

/// A default root filesystem for one test, and a directory on the host that the container must not reach.
struct Place {
    state: TempDir,
    host: TempDir,
}

impl Place {
    fn new() -> Self {
        let place = Self {
            state: TempDir::new().unwrap(),
            host: TempDir::new().unwrap(),
        };
        let built = place.see(&["run", "true"]);
        assert_eq!(built.code, Some(0), "no container starts: {}", built.stderr);
        place
    }

    /// Runs `tiny-docker ARGUMENTS…` to its end. None of the graders' own commands exits 2: that is clap, at an
    /// unknown option.
    fn see(&self, arguments: &[&str]) -> Seen {
        let mut command = Command::new(env!(concat!("CARGO_BIN_EXE_", env!("CARGO_PKG_NAME"))));
        command.args(arguments).stdin(Stdio::null());
        command.env("TINY_DOCKER_ROOT", self.state.path());
        let Output {
            status,
            stdout,
            stderr,
        } = command.output().unwrap();
        let stderr = String::from_utf8_lossy(&stderr).into_owned();
        assert_ne!(
            status.code(),
            Some(2),
            "tiny-docker {arguments:?} is not understood yet:\n{stderr}"
        );
        Seen {
            code: status.code(),
            stdout: String::from_utf8_lossy(&stdout).into_owned(),
            stderr,
        }
    }

    /// Where the host keeps the container's file `path`.
    fn in_rootfs(&self, path: impl AsRef<Path>) -> PathBuf {
        let rootfs = self.state.path().join("rootfs/default");
        rootfs.join(path.as_ref().strip_prefix("/").unwrap())
    }

    /// Puts a link into the rootfs: /link, to a directory that is there inside *and* on the host.
    ///
    /// Inside, it must lead to the one inside. Followed from the host's side, it leads out.
    fn lay_link(&self) {
        fs::create_dir_all(self.in_rootfs(self.host.path())).unwrap();
        symlink(self.host.path(), self.in_rootfs("/link")).unwrap();
    }

    /// A file that only the host has.
    fn secret(&self) -> String {
        let file = self.host.path().join("secret");
        fs::write(&file, "the host's\n").unwrap();
        file.to_str().unwrap().to_owned()
    }
}

// Exercise 1: run -w DIR

#[test]
#[ignore = "exercise"]
fn ex1_the_command_starts_in_the_directory_asked_for() {
    let place = Place::new();
    for option in ["-w", "--workdir"] {
        let seen = place.see(&["run", option, "/etc", "pwd"]);
        assert_eq!(
            seen.stdout, "/etc\n",
            "run {option} /etc pwd should print /etc. On stderr: {}",
            seen.stderr
        );
    }
    let seen = place.see(&["run", "pwd"]);
    assert_eq!(seen.stdout, "/\n", "without -w, it starts in /");
}

#[test]
#[ignore = "exercise"]
fn ex1_a_missing_directory_is_created_in_the_container() {
    let place = Place::new();
    let new = place.host.path().join("new/deeper");
    let seen = place.see(&["run", "-w", new.to_str().unwrap(), "pwd"]);
    assert!(
        !place.host.path().join("new").exists(),
        "it was created on the host: too early, the root has not changed yet"
    );
    assert_eq!(
        seen.stdout,
        format!("{}\n", new.display()),
        "what is missing should be created, and entered. On stderr: {}",
        seen.stderr
    );
    assert!(
        place.in_rootfs(&new).is_dir(),
        "it should be in the container's root filesystem"
    );
}

#[test]
#[ignore = "exercise"]
fn ex1_a_link_in_the_rootfs_does_not_lead_outside() {
    let place = Place::new();
    place.lay_link();
    let seen = place.see(&["run", "-w", "/link/new", "pwd"]);
    let new = place.host.path().join("new");
    assert!(
        !new.exists(),
        "a link in the rootfs made the runtime create a directory on the host: it should do that from inside"
    );
    assert_eq!(
        seen.stdout,
        format!("{}\n", new.display()),
        "inside, the link leads to the container's own directory. On stderr: {}",
        seen.stderr
    );
}

// Exercise 2: run --tmpfs DIR

#[test]
#[ignore = "exercise"]
fn ex2_what_is_written_to_a_tmpfs_never_reaches_the_rootfs() {
    let place = Place::new();
    let seen = place.see(&[
        "run",
        "--tmpfs",
        "/tmp",
        "--tmpfs",
        "/var",
        "sh",
        "-c",
        "echo one >/tmp/file && echo two >/var/file && echo three >/root/file && cat /tmp/file /var/file",
    ]);
    assert_eq!(
        seen.stdout, "one\ntwo\n",
        "the container should be able to write to both. On stderr: {}",
        seen.stderr
    );
    for lost in ["/tmp/file", "/var/file"] {
        assert!(
            !place.in_rootfs(lost).exists(),
            "{lost} is in the rootfs, so it was not written to memory"
        );
    }
    assert!(
        place.in_rootfs("/root/file").exists(),
        "what is elsewhere should be kept"
    );
}

#[test]
#[ignore = "exercise"]
fn ex2_a_tmpfs_is_mounted_nosuid_and_nodev() {
    let place = Place::new();
    let seen = place.see(&["run", "--tmpfs", "/tmp", "cat", "/proc/mounts"]);
    // As in "tmpfs /tmp tmpfs rw,nosuid,nodev,relatime 0 0".
    let mounts = seen.stdout.lines().map(|line| line.split(' ').collect());
    let tmp = mounts
        .into_iter()
        .find(|fields: &Vec<_>| fields[1..3] == ["/tmp", "tmpfs"]);
    let Some(tmp) = tmp else {
        panic!(
            "/proc/mounts should have a tmpfs at /tmp, and is:\n{}{}",
            seen.stdout, seen.stderr
        );
    };
    for flag in ["nosuid", "nodev"] {
        assert!(
            tmp[3].split(',').any(|option| option == flag),
            "/tmp should be mounted {flag}, and its options are {}",
            tmp[3]
        );
    }
}

#[test]
#[ignore = "exercise"]
fn ex2_a_link_in_the_rootfs_does_not_lead_the_mount_elsewhere() {
    let place = Place::new();
    place.lay_link();
    // Whether it is refused or mounted, no file may end up where the user wanted none.
    place.see(&["run", "--tmpfs", "/link", "touch", "/link/file"]);
    let file = place.host.path().join("file");
    assert!(
        !place.in_rootfs(&file).exists(),
        "the tmpfs was mounted where the link leads on the host, so the file was written to the rootfs"
    );
    assert!(!file.exists(), "the file was written to the host");
}

// Exercise 3: pivot_root

#[test]
#[ignore = "exercise"]
fn ex3_entering_the_mount_namespace_again_leads_to_the_container() {
    let place = Place::new();
    let enter = ["run", "nsenter", "-t", "1", "-m", "cat"];
    let seen = place.see(&[&enter[..], &["/etc/os-release"]].concat());
    assert!(
        seen.stdout.contains("ID=tiny\n"),
        "the namespace's root should be the container's, but nsenter -t 1 -m cat /etc/os-release printed:\n{}{}",
        seen.stdout,
        seen.stderr
    );
    let seen = place.see(&[&enter[..], &[&place.secret()]].concat());
    assert_eq!(
        seen.stdout, "",
        "nsenter -t 1 -m still reads the host's files"
    );
}

#[test]
#[ignore = "exercise"]
fn ex3_climbing_out_of_a_second_chroot_leads_nowhere() {
    let place = Place::new();
    if !place.in_rootfs("/bin/perl").exists() {
        return eprintln!("skipped: needs perl");
    }
    // The working directory stays outside the new root, and above that there is nothing to stop it.
    let climb = r#"
        mkdir "/tmp/deeper"; chroot "/tmp/deeper" or die "cannot chroot: $!";
        chdir ".." for 1..100;
        chroot "." or die "cannot chroot: $!";
        print "up\n"; print <FILE> if open FILE, "<", shift"#;
    let seen = place.see(&["run", "perl", "-e", climb, &place.secret()]);
    assert_eq!(
        seen.stdout, "up\n",
        "climbing should end at the container's own root, without the host's file. On stderr: {}",
        seen.stderr
    );
}

#[test]
#[ignore = "exercise"]
fn ex3_nothing_of_the_host_is_mounted_but_its_devices() {
    let place = Place::new();
    let seen = place.see(&["run", "cut", "-d", " ", "-f", "2", "/proc/mounts"]);
    let (devices, mut others): (Vec<_>, Vec<_>) = seen
        .stdout
        .lines()
        .partition(|point| point.starts_with("/dev/"));
    others.sort();
    assert_eq!(
        others,
        ["/", "/dev", "/proc"],
        "with pivot_root, the root is a mount of its own, once, and the host's are gone. On stderr: {}",
        seen.stderr
    );
    assert_eq!(devices.len(), 6, "the devices in /dev are {devices:?}");

    let script = "pwd; echo lost >/dev/null && head -c 3 /dev/zero | wc -c && ls -d /proc/1";
    let seen = place.see(&["run", "sh", "-c", script]);
    assert_eq!(
        seen.stdout, "/\n3\n/proc/1\n",
        "the working directory, /dev and /proc should be as before. On stderr: {}",
        seen.stderr
    );
}
