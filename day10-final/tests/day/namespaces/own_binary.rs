//! Attacks: on the runtime's own file, which the next container starts from. CVE-2019-5736.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::ground::Ground;
use crate::need_namespaces;
use crate::pair::earlier;
use crate::support::{Seen, TINY_DOCKER, copy_program, skip, state, wait_until};

/// A copy of `program` to lose.
fn copy(program: &Path, ground: &Ground) -> PathBuf {
    let copy = ground.place(program.file_name().unwrap().to_str().unwrap());
    copy_program(program, &copy);
    copy
}

fn run(program: &Path, arguments: &[&str]) -> Seen {
    let mut run = Command::new(program);
    run.args(["run", "--net", "isolated"]).args(arguments);
    run.env("TINY_DOCKER_ROOT", state()).stdin(Stdio::null());
    run.output().unwrap().into()
}

/// PID 1 is the runtime itself. Made setuid, its file would make root of any user of the host.
#[test]
fn the_file_that_init_runs_keeps_its_mode() {
    need_namespaces!();
    let ground = Ground::new();
    let rootfs = ground.rootfs();
    let attack = |program: &Path| {
        let copy = copy(program, &ground);
        let arguments = ["--init", "--rootfs", rootfs.to_str().unwrap()];
        let chmod = ["chmod", "4755", "/proc/1/exe"];
        let seen = run(&copy, &[arguments, chmod].concat());
        let mode = fs::metadata(&copy).unwrap().permissions().mode() & 0o7777;
        (seen, mode)
    };
    let Some(day_9) = earlier("day09-bridge") else {
        return;
    };
    let (seen, mode) = attack(&day_9);
    assert_eq!(mode, 0o4755, "{}", seen.stderr);
    let (seen, mode) = attack(Path::new(TINY_DOCKER));
    assert_eq!(mode, 0o755);
    assert!(
        seen.stderr.contains("Read-only file system"),
        "{}",
        seen.stderr
    );
}

/// The command is the runtime, once more. But the libraries that it loads are those of a hostile rootfs.
pub const LIBRARY: &str = r#"
    #include <fcntl.h>
    #include <stdlib.h>
    #include <unistd.h>
    __attribute__((constructor)) static void attack(void) {
        if (getenv("AGAIN")) return;
        setenv("AGAIN", "1", 1);
        open("/proc/self/exe", O_RDONLY);
        execl("/bin/sh", "sh", "/attack", (char *)0);
    }"#;

/// With the file still open, it waits until nobody runs that any more. That may be long after: here, it is soon.
pub const SCRIPT: &str = "while ! why=$({ echo changed >>/proc/self/fd/3; } 2>&1); do
    case $why in *busy*) sleep 0.05;; *) echo $why; exit;; esac; done; echo written";

#[test]
fn the_file_cannot_be_written_when_it_is_no_longer_busy() {
    need_namespaces!();
    let ground = Ground::new();
    let (source, library) = (ground.place("attack.c"), ground.rootfs().join("attack.so"));
    fs::write(&source, LIBRARY).unwrap();
    let mut cc = Command::new("cc");
    cc.args(["-shared", "-fPIC", "-o"]).arg(library).arg(source);
    if !cc.status().is_ok_and(|status| status.success()) {
        return skip("cc: sudo apt install gcc libc6-dev");
    }
    fs::write(ground.rootfs().join("etc/ld.so.preload"), "/attack.so\n").unwrap();
    fs::write(ground.rootfs().join("attack"), SCRIPT).unwrap();

    let Some(day_9) = earlier("day09-bridge") else {
        return;
    };
    assert_eq!(overwrite(&day_9, &ground), ("written\n".to_owned(), true));
    let (log, changed) = overwrite(Path::new(TINY_DOCKER), &ground);
    assert!(log.ends_with("Read-only file system\n"), "{log}");
    assert!(!changed);
}

/// What the attack says, and whether the file of `program` is another one since.
fn overwrite(program: &Path, ground: &Ground) -> (String, bool) {
    let copy = copy(program, ground);
    let rootfs = ground.rootfs();
    let arguments = ["-d", "--rootfs", rootfs.to_str().unwrap(), "/proc/self/exe"];
    let seen = run(&copy, &arguments);
    assert_eq!((seen.code, seen.stderr.as_str()), (Some(0), ""));
    let record = state().join("containers").join(seen.stdout.trim());
    let config = fs::read(record.join("config.json")).unwrap();
    let config: serde_json::Value = serde_json::from_slice(&config).unwrap();
    let stat = fs::read_to_string(format!("/proc/{}/stat", config["pid"])).unwrap();
    let (_, after_name) = stat.rsplit_once(')').unwrap();
    let supervisor = after_name.split_whitespace().nth(1).unwrap();
    kill(Pid::from_raw(supervisor.parse().unwrap()), Signal::SIGKILL).unwrap();

    let log = || fs::read_to_string(record.join("container.log")).unwrap();
    wait_until("the attack's end", || log().ends_with('\n'));
    (log(), fs::read(program).unwrap() != fs::read(copy).unwrap())
}

/// What is at the place of a program that was removed while it runs is another one.
#[test]
fn a_program_that_was_replaced_is_not_run_in_its_place() {
    need_namespaces!();
    let ground = Ground::new();
    let copy = copy(Path::new(TINY_DOCKER), &ground);
    let line = r#"
        exec 5<"$COPY"; rm "$COPY"
        # So the kernel calls it from now on.
        printf '#!/bin/sh\necho another\n' >"$COPY (deleted)"; chmod +x "$COPY (deleted)"
        /proc/self/fd/5 run --net isolated --init readlink /proc/1/exe
        /proc/self/fd/5 run --net isolated --init chmod 700 /proc/1/exe"#;
    let mut sh = Command::new("sh");
    sh.args(["-c", line]).env("COPY", copy);
    sh.env("TINY_DOCKER_ROOT", state()).stdin(Stdio::null());
    let seen: Seen = sh.output().unwrap().into();
    // It is in memory, and goes with the container, so its mode is nobody else's business.
    assert_eq!(
        seen.stdout, "/memfd:tiny-docker (deleted)\n",
        "{}",
        seen.stderr
    );
    assert_eq!(seen.stderr, "");
}
