//! The grader of this part's exercise. It fails until the exercise is solved, and says what is missing:
//!
//!     cargo test --test exercises -- --ignored ex1

use std::fs::{self, File};
use std::os::fd::AsRawFd;
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt;
use std::process::Command;

use nix::libc;
use nix::unistd::geteuid;
use serde_json::json;
use tempfile::TempDir;

/// Says what is in descriptors 3 to 9.
const LOOK: &str =
    "for n in 3 4 5 6 7 8 9; do (: <&$n) 2>/dev/null && echo \"$n: $(cat <&$n)\"; done; echo end";

/// Runs a look at the descriptors, of which `open` are left open from 3 on, with files that say their numbers.
fn look(open: i32, options: &[&str]) -> (Option<i32>, String, String) {
    let own = TempDir::new().unwrap();
    let program = own.path().join("tiny-runc");
    symlink(env!("CARGO_BIN_EXE_tiny-docker"), &program).unwrap();
    let process = json!({"args": ["sh", "-c", LOOK], "env": ["PATH=/usr/bin:/bin"], "cwd": "/"});
    let config = json!({"ociVersion": "1.2.1", "process": process, "root": {"path": "/"}});
    fs::write(own.path().join("config.json"), config.to_string()).unwrap();
    let mut command = match geteuid().is_root() {
        true => Command::new(program),
        false => {
            let mut command = Command::new("unshare");
            command.args(["--user", "--map-root-user"]).arg(program);
            command
        }
    };
    command.args(["run", "--bundle", own.path().to_str().unwrap()]);
    command.args(options);
    let files: Vec<_> = (3..3 + open)
        .map(|number| {
            let file = own.path().join(number.to_string());
            fs::write(&file, format!("file {number}")).unwrap();
            File::open(file).unwrap()
        })
        .collect();
    // SAFETY: fcntl(2), dup2(2) and close(2) only, between fork and exec.
    unsafe {
        command.pre_exec(move || {
            // Out of the way first.
            let copies = files
                .iter()
                .map(|file| libc::fcntl(file.as_raw_fd(), libc::F_DUPFD, 20));
            let mut copies = copies.collect::<Vec<_>>().into_iter();
            for number in 3..20 {
                match copies.next() {
                    Some(copy) => libc::dup2(copy, number),
                    // The way in which std learns of an exec that fails must stay open.
                    None => libc::fcntl(number, libc::F_SETFD, libc::FD_CLOEXEC),
                };
            }
            libc::syscall(
                libc::SYS_close_range,
                20,
                u32::MAX,
                libc::CLOSE_RANGE_CLOEXEC,
            );
            Ok(())
        });
    }
    let output = command.output().unwrap();
    let [stdout, stderr] =
        [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text).into_owned());
    (output.status.code(), stdout, stderr)
}

fn check(open: i32, options: &[&str], expected: &str) {
    let (code, stdout, stderr) = look(open, options);
    assert_eq!(
        (code, &stdout[..]),
        (Some(0), expected),
        "{options:?}: {stderr}"
    );
}

#[test]
#[ignore = "exercise 1: open on purpose"]
fn ex1_the_command_has_what_was_asked_for() {
    check(2, &["--preserve-fds", "2"], "3: file 3\n4: file 4\nend\n");
}

#[test]
#[ignore = "exercise 1: open on purpose"]
fn ex1_the_command_has_nothing_else() {
    check(3, &["--preserve-fds", "1"], "3: file 3\nend\n");
    check(3, &["--preserve-fds", "0"], "end\n");
    check(3, &[], "end\n");
}

#[test]
#[ignore = "exercise 1: open on purpose"]
fn ex1_what_is_not_open_is_an_error() {
    let (code, stdout, stderr) = look(1, &["--preserve-fds", "2"]);
    assert_eq!((code, &stdout[..]), (Some(1), ""));
    assert_eq!(
        stderr,
        "tiny-runc: --preserve-fds: descriptor 4 is not open\n"
    );
}
