//! Attacks: the kernel's settings, and what it tells. proc(5), sysfs(5).

use std::path::Path;

use nix::unistd::geteuid;

use crate::ground::Ground;
use crate::need_namespaces;
use crate::pair::{UNPROTECTED, now, pair};

/// The machine's core_pattern names a program that the kernel starts, as root, on the host. Opened is enough.
#[test]
fn settings_cannot_be_opened_for_writing() {
    need_namespaces!();
    let ground = Ground::new();
    let line = ground.line("sh -c");
    let mut files = vec!["sys/net/ipv4/ip_forward"];
    if geteuid().is_root() {
        // To others, the machine's are closed anyway.
        files.extend(["sys/kernel/core_pattern", "sysrq-trigger"]);
        // Not every kernel has that one.
        files.retain(|file| Path::new("/proc").join(file).exists());
    }
    for file in files {
        let attack = format!(": >>/proc/{file} && echo opened");
        let Some([before, today]) = pair("day09-bridge", &line, &attack) else {
            return;
        };
        assert_eq!(before.stdout, "opened\n", "{file}: {}", before.stderr);
        assert_eq!(today.stdout, "", "{file}");
        // Not for want of a capability, or because of the filter.
        let seen = now(UNPROTECTED, &line, &attack);
        assert_eq!(seen.stdout, "", "{file}");
        assert!(
            seen.stderr.contains("Read-only file system"),
            "{}",
            seen.stderr
        );
    }
}

/// On earlier days there is no /sys, but whoever is root mounts it. Opened is enough here, too.
#[test]
fn drivers_cannot_be_opened_for_writing() {
    need_namespaces!();
    let ground = Ground::new();
    let attack = "mount -t sysfs none /sys 2>/dev/null
        find /sys -maxdepth 3 -type f -perm -200 | head -n 20 | while read file; do
            (: >>$file) 2>/dev/null && echo $file || echo refused; done";
    let line = ground.line("sh -c");
    let Some([before, today]) = pair("day09-bridge", &line, attack) else {
        return;
    };
    if geteuid().is_root() {
        assert!(before.stdout.contains("/sys/"), "{}", before.stdout);
    }
    assert!(today.stdout.contains("refused"), "{}", today.stderr);
    assert_eq!(today.stdout.replace("refused\n", ""), "");
}

/// Addresses in the kernel, keys, timers, the machine's memory: the list is Docker's.
#[test]
fn what_the_kernel_tells_of_the_whole_machine_is_hidden() {
    need_namespaces!();
    let ground = Ground::new();
    let line = ground.line("sh -c");
    let attack = "cd /proc; for file in interrupts kcore keys latency_stats sched_debug timer_list timer_stats
        do test -e $file && test -n \"$(head -c 1 $file 2>/dev/null | tr '\\0' .)\" && echo $file; done";
    let Some([before, today]) = pair("day09-bridge", &line, attack) else {
        return;
    };
    assert!(before.stdout.contains("interrupts\n"), "{}", before.stderr);
    assert_eq!(today.stdout, "");
    let seen = now(
        "",
        &line,
        "ls -A /proc/acpi /proc/scsi /proc/asound /sys/firmware 2>/dev/null | grep -v '^/\\|^$'",
    );
    assert_eq!(seen.stdout, "");
}
