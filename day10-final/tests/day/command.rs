//! What the command is started with, and what happens where it cannot be.

pub mod environment;
pub mod init;
pub mod workdir;

use std::fs::File;
use std::os::fd::AsRawFd;

use insta::assert_snapshot;
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use tempfile::TempDir;

use crate::need_namespaces;
use crate::support::{see, shell, tiny_docker, write_program};

#[test]
fn nothing_of_the_callers_environment_leaks_in() {
    need_namespaces!();
    let mut command = tiny_docker(&["run", "--hostname", "web", "env"]);
    let output = command.env("SECRET", "of the host").output().unwrap();
    let mut lines: Vec<_> = str::from_utf8(&output.stdout).unwrap().lines().collect();
    lines.sort();
    assert_snapshot!(lines.join("\n"), @"
    HOME=/root
    HOSTNAME=web
    PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
    TERM=xterm
    ");
}

#[test]
fn no_descriptor_of_the_caller_leaks_in() {
    need_namespaces!();
    let root = File::open("/").unwrap();
    fcntl(&root, FcntlArg::F_SETFD(FdFlag::empty())).unwrap();
    assert!(root.as_raw_fd() > 2);
    // One more than 0 to 2: ls has the directory that it lists open.
    let seen = see(&["run", "sh", "-c", "ls /proc/self/fd | wc -l"]);
    assert_eq!(seen.stdout.trim(), "4");
}

#[test]
fn the_command_starts_with_no_signal_blocked_or_ignored() {
    need_namespaces!();
    let seen = shell("trap '' INT QUIT; $TD run grep -E '^Sig(Blk|Ign)' /proc/self/status");
    let masks: Vec<_> = seen.stdout.lines().map(|line| &line[8..]).collect();
    assert_eq!(masks.len(), 2);
    for mask in masks {
        // Bits 31 and 32, signals 32 and 33, are the C library's own business.
        let mask = u64::from_str_radix(mask, 16).unwrap();
        assert_eq!(mask & 0xffff_fffe_7fff_ffff, 0, "{}", seen.stdout);
    }
}

#[test]
fn the_callers_umask_stays_outside() {
    need_namespaces!();
    assert_eq!(shell("umask 077; $TD run sh -c umask").stdout, "0022\n");
}

#[test]
fn a_script_without_its_interpreter_exits_127() {
    need_namespaces!();
    let directory = TempDir::new().unwrap();
    let script = directory.path().join("script");
    write_program(&script, "#!/no/such/interpreter\n");
    let volume = format!("{}:/there", directory.path().display());
    let seen = see(&["run", "-v", &volume, "/there/script"]);
    assert_eq!(seen.code, Some(127));
    assert_snapshot!(seen.stderr, @"tiny-docker: cannot run /there/script: the file exists, but the interpreter or loader that it names does not");
}

#[test]
fn a_file_that_is_neither_program_nor_script_exits_126() {
    need_namespaces!();
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("file");
    write_program(&file, "words\n");
    let volume = format!("{}:/there", directory.path().display());
    let seen = see(&["run", "-v", &volume, "/there/file"]);
    assert_eq!(seen.code, Some(126));
    assert_snapshot!(seen.stderr, @"tiny-docker: cannot run /there/file: ENOEXEC: Exec format error");
}

#[test]
fn an_empty_command_exits_127() {
    need_namespaces!();
    assert_eq!(see(&["run", ""]).code, Some(127));
}

#[test]
fn child_is_not_for_the_user() {
    // Without what another test's terminal, at the same moment, may have left open there.
    let seen = shell("exec $TD child 3<&-");
    assert_eq!(seen.code, Some(125));
    assert_snapshot!(seen.stderr, @"tiny-docker: cannot run as a child: only `run` starts one: EBADF: Bad file number");
}
