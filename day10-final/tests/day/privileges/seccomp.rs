//! What a container may not ask of the kernel.

use insta::assert_snapshot;
use libc::*;

use crate::need_namespaces;
use crate::support::{see, skip};

/// `run OPTIONS… perl -e SCRIPT`
fn perl(options: &[&str], script: &str) -> String {
    let seen = see(&[&["run"], options, &["perl", "-e", script]].concat());
    assert_eq!(seen.stderr, "");
    seen.stdout
}

/// What comes of each of these system calls, in a container with these options.
fn call(options: &[&str], calls: &[(&str, c_long, &str)]) -> String {
    let mut script = String::new();
    for (name, number, arguments) in calls {
        script += &format!(
            r#"$result = syscall({number}, {arguments}); print "{name}: ", $result < 0 ? $! : "done", "\n";"#
        );
    }
    perl(options, &script)
}

const UNCONFINED: &[&str] = &["--security-opt", "seccomp=unconfined"];

/// Arguments that no system call takes: where it is not refused, something else is wrong.
const WRONG: &str = "(-1) x 6";

const REFUSED: &[(&str, c_long, &str)] = &[
    ("keyctl", SYS_keyctl, WRONG),
    ("add_key", SYS_add_key, WRONG),
    ("request_key", SYS_request_key, WRONG),
    ("setns", SYS_setns, WRONG),
    ("unshare", SYS_unshare, WRONG),
    ("mount", SYS_mount, WRONG),
    ("umount2", SYS_umount2, WRONG),
    ("get_mempolicy", SYS_get_mempolicy, WRONG),
    ("move_pages", SYS_move_pages, WRONG),
    ("process_madvise", SYS_process_madvise, WRONG),
    ("pidfd_getfd", SYS_pidfd_getfd, WRONG),
];

/// Without the filter, they may still be refused: for a capability, or by the machine's settings.
const REFUSED_TWICE: &[(&str, c_long, &str)] = &[
    ("bpf", SYS_bpf, WRONG),
    ("perf_event_open", SYS_perf_event_open, WRONG),
    ("userfaultfd", SYS_userfaultfd, WRONG),
    ("io_uring_setup", SYS_io_uring_setup, WRONG),
    ("io_uring_enter", SYS_io_uring_enter, WRONG),
    ("open_by_handle_at", SYS_open_by_handle_at, WRONG),
    ("pivot_root", SYS_pivot_root, WRONG),
    ("swapoff", SYS_swapoff, WRONG),
    ("clock_settime", SYS_clock_settime, WRONG),
];

#[test]
fn a_container_has_a_filter() {
    need_namespaces!();
    let script = r#"open STATUS, "/proc/self/status"; print grep /^Seccomp:/, <STATUS>"#;
    assert_eq!(perl(&[], script), "Seccomp:\t2\n");
    assert_eq!(perl(&["--init"], script), "Seccomp:\t2\n");
    assert_eq!(perl(UNCONFINED, script), "Seccomp:\t0\n");
}

#[test]
fn what_reaches_beyond_a_container_is_refused() {
    need_namespaces!();
    let refused = "Operation not permitted";
    for line in call(&[], &[REFUSED, REFUSED_TWICE].concat()).lines() {
        assert!(line.ends_with(refused), "{line}");
    }
    for line in call(UNCONFINED, REFUSED).lines() {
        assert!(
            !line.ends_with(refused) && !line.ends_with("done"),
            "{line}"
        );
    }
}

#[test]
fn what_is_unknown_is_not_there() {
    need_namespaces!();
    let calls = [
        ("clone3", SYS_clone3, "0, 0"),
        ("open_tree_attr", 467, WRONG),
        ("number 100000", 100_000, "0"),
        ("x32's getpid", 0x4000_0000 + SYS_getpid, "0"),
        ("number 400", 400, "0"),
    ];
    assert_snapshot!(call(&[], &calls), @"
    clone3: Function not implemented
    open_tree_attr: Function not implemented
    number 100000: Function not implemented
    x32's getpid: Function not implemented
    number 400: Function not implemented
    ");
    // It is the filter that says so.
    assert!(!call(UNCONFINED, &calls[..1]).contains("not implemented"));
}

#[test]
fn some_calls_depend_on_their_arguments() {
    need_namespaces!();
    let socket = |family| format!("{family}, 1, 0");
    // The kernel looks at the lower half of an ioctl's number, and so must the filter.
    let ioctl = |number: u64| format!("0, {number}, 0");
    let high = ioctl(TIOCSTI + (1 << 32));
    let calls = [
        ("socket(AF_UNIX)", SYS_socket, &*socket(AF_UNIX)),
        ("socket(AF_INET)", SYS_socket, &socket(AF_INET)),
        ("socket(AF_VSOCK)", SYS_socket, &socket(AF_VSOCK)),
        ("socket(AF_ALG)", SYS_socket, &socket(AF_ALG)),
        ("socket(1000)", SYS_socket, &socket(1000)),
        ("personality(Linux)", SYS_personality, "0"),
        ("personality(query)", SYS_personality, "0xffffffff"),
        ("personality(no ASLR)", SYS_personality, "0x40000"),
        ("clone(CLONE_NEWUSER)", SYS_clone, "0x10000011, (0) x 4"),
        ("clone(CLONE_NEWNET)", SYS_clone, "0x40000011, (0) x 4"),
        ("ioctl(TCGETS)", SYS_ioctl, &ioctl(TCGETS)),
        ("ioctl(TIOCSTI)", SYS_ioctl, &ioctl(TIOCSTI)),
        ("ioctl(TIOCSTI + 2^32)", SYS_ioctl, &high),
        ("ioctl(TIOCLINUX)", SYS_ioctl, &ioctl(TIOCLINUX)),
    ];
    assert_snapshot!(call(&[], &calls), @"
    socket(AF_UNIX): done
    socket(AF_INET): done
    socket(AF_VSOCK): Operation not permitted
    socket(AF_ALG): Operation not permitted
    socket(1000): Operation not permitted
    personality(Linux): done
    personality(query): done
    personality(no ASLR): Operation not permitted
    clone(CLONE_NEWUSER): Operation not permitted
    clone(CLONE_NEWNET): Operation not permitted
    ioctl(TCGETS): Inappropriate ioctl for device
    ioctl(TIOCSTI): Operation not permitted
    ioctl(TIOCSTI + 2^32): Operation not permitted
    ioctl(TIOCLINUX): Operation not permitted
    ");
}

#[test]
fn a_capability_opens_what_it_is_for() {
    need_namespaces!();
    let mount = r#"$source = "none", $target = "/tmp", $type = "tmpfs", 0, 0"#;
    let calls = [
        ("mount", SYS_mount, mount),
        ("unshare", SYS_unshare, "0x20000"),
        ("clone3", SYS_clone3, "0, 0"),
        ("setns", SYS_setns, WRONG),
        ("keyctl", SYS_keyctl, WRONG),
        ("kcmp", SYS_kcmp, "1, 1, 99, 0, 0"),
    ];
    assert_snapshot!(call(&[], &calls), @"
    mount: Operation not permitted
    unshare: Operation not permitted
    clone3: Function not implemented
    setns: Operation not permitted
    keyctl: Operation not permitted
    kcmp: Operation not permitted
    ");
    assert_snapshot!(call(&["--cap-add", "SYS_ADMIN"], &calls), @"
    mount: done
    unshare: done
    clone3: Invalid argument
    setns: Bad file descriptor
    keyctl: Operation not permitted
    kcmp: Operation not permitted
    ");
    assert_snapshot!(call(&["--cap-add", "SYS_PTRACE"], &calls[5..]), @"kcmp: Invalid argument");
}

#[test]
#[cfg(target_arch = "x86_64")]
fn a_32_bit_program_is_killed() {
    need_namespaces!();
    // ELF's header, the only segment's, and exit(42): mov $1, %eax; mov $42, %ebx; int $0x80.
    let program = r#"
        $code = "\xb8\x01\0\0\0\xbb\x2a\0\0\0\xcd\x80";
        $header = "\x7fELF\1\1\1" . "\0" x 9 . pack("SSLLLLLSSSSSS", 2, 3, 1, 0x8048054, 52, 0, 0, 52, 32, 1, 0, 0, 0);
        $segment = pack("LLLLLLLL", 1, 0, 0x8048000, 0x8048000, 96, 96, 5, 4096);
        $fd = syscall(MEMFD_CREATE, $name = "program", 0);
        open $file, ">&=", $fd;
        syswrite $file, $header . $segment . $code;
        exec "/proc/self/fd/$fd";
    "#;
    let program = program.replace("MEMFD_CREATE", &SYS_memfd_create.to_string());
    let run = |options: &[&str]| see(&[&["run"], options, &["perl", "-e", &program]].concat());
    if run(UNCONFINED).code != Some(42) {
        return skip("a kernel that runs 32-bit programs");
    }
    assert_eq!(run(&[]).code, Some(128 + SIGSYS));
}
