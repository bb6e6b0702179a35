//! A program whose first thread has ended, while its second one goes on: pthreads(7).

use std::fs;
use std::process::Command;

use tempfile::TempDir;

use crate::need_namespaces;
use crate::support::{
    Detached, Running, only_record, records, see, skip, state, tiny_docker, wait_until,
};

const PROGRAM: &str = "#include <pthread.h>\n#include <sys/syscall.h>\n#include <unistd.h>\n
    static void *second(void *none) { for (;;) pause(); }
    int main(void) { pthread_t id; pthread_create(&id, 0, second, 0); syscall(SYS_exit, 0); }";

/// A root filesystem in which that is /program, or None without a compiler.
fn with_program() -> Option<TempDir> {
    let rootfs = TempDir::new().unwrap();
    let mut cp = Command::new("cp");
    cp.arg("-a").arg(state().join("rootfs/default/."));
    assert!(cp.arg(rootfs.path()).status().unwrap().success());
    let source = rootfs.path().join("program.c");
    fs::write(&source, PROGRAM).unwrap();
    let mut cc = Command::new("cc");
    cc.arg("-pthread").arg(source).arg("-o");
    let compiled = cc.arg(rootfs.path().join("program")).status();
    compiled.is_ok_and(|cc| cc.success()).then_some(rootfs)
}

/// Waits until the first thread of the only container's PID 1 has ended, and returns its /proc/PID/stat.
fn first_thread_ended() -> String {
    let mut stat = String::new();
    wait_until("a record", || !records().is_empty());
    wait_until("the first thread ended", || {
        let config = fs::read(only_record().join("config.json")).unwrap_or_default();
        let config: serde_json::Value = serde_json::from_slice(&config).unwrap_or_default();
        stat = format!("/proc/{}/stat", config["pid"]);
        fs::read_to_string(&stat).is_ok_and(|stat| stat.contains(") Z "))
    });
    stat
}

#[test]
fn a_program_whose_first_thread_has_ended_is_running() {
    need_namespaces!();
    let Some(rootfs) = with_program() else {
        return skip("cc: sudo apt install gcc libc6-dev");
    };
    let rootfs = rootfs.path().to_str().unwrap();
    let _running = Running::start(&mut tiny_docker(&["run", "--rootfs", rootfs, "/program"]));
    first_thread_ended();
    let table = see(&["ps"]).stdout;
    assert!(table.contains("/program"), "{table}");
}

#[test]
fn stop_waits_until_its_other_threads_have_ended_too() {
    need_namespaces!();
    let Some(rootfs) = with_program() else {
        return skip("cc: sudo apt install gcc libc6-dev");
    };
    let container = Detached::start(&["--rootfs", rootfs.path().to_str().unwrap(), "/program"]);
    let stat = first_thread_ended();
    assert_eq!(see(&["stop", "-t", "0", &container.id]).code, Some(0));
    assert!(fs::read_to_string(stat).is_err());
    assert_eq!(container.record()["exit_code"], 137);
}
