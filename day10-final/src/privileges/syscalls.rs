//! What the default seccomp filter refuses: as Docker's default profile of 2026 does, and two ioctls more.
//! syscalls(2), capabilities(7).

use std::ops::RangeInclusive;

use caps::Capability::{self, *};
use libc::*;

// ANCHOR: known
/// The newest system call that these lists know: removexattrat(2), of Linux 6.13.
///
/// To a program, what has come since is not there at all: it may have an older way.
pub const LAST: u32 = 466;

/// The numbers below that which belonged to no system call.
#[cfg(target_arch = "x86_64")]
pub const GAPS: &[RangeInclusive<u32>] = &[336..=423];
#[cfg(target_arch = "aarch64")]
pub const GAPS: &[RangeInclusive<u32>] = &[244..=259, 295..=423];
// ANCHOR_END: known

// libc does not name these yet.
const SYS_LSM_GET_SELF_ATTR: c_long = 459;
const SYS_LSM_SET_SELF_ATTR: c_long = 460;
const SYS_LSM_LIST_MODULES: c_long = 461;

// And these no more.
#[cfg(target_arch = "x86_64")]
const SYS_CREATE_MODULE: c_long = 174;
#[cfg(target_arch = "x86_64")]
const SYS_GET_KERNEL_SYMS: c_long = 177;
#[cfg(target_arch = "x86_64")]
const SYS_QUERY_MODULE: c_long = 178;

// ANCHOR: refused
/// System calls that fail with EPERM, each group with the capabilities of which any one opens it.
#[rustfmt::skip]
pub const REFUSED: &[(&[Capability], &[c_long])] = &[
    // The kernel's keys: no namespace keeps one container's from another's.
    (&[], &[SYS_add_key, SYS_keyctl, SYS_request_key]),
    // io_uring: a second door to most of the kernel, with many a hole so far, and no filter in it.
    (&[], &[SYS_io_uring_setup, SYS_io_uring_enter, SYS_io_uring_register]),
    // A program that answers for page faults can hold up the kernel in the middle of a system call.
    (&[], &[SYS_userfaultfd]),
    // Another kernel in place of this one.
    (&[], &[SYS_kexec_load, SYS_kexec_file_load]),
    (&[CAP_SYS_BOOT], &[SYS_reboot]),
    // Code that runs in the kernel.
    (&[CAP_SYS_MODULE], &[SYS_init_module, SYS_finit_module, SYS_delete_module]),
    (&[CAP_SYS_ADMIN, CAP_BPF], &[SYS_bpf]),
    // What the kernel and the rest of the machine are doing.
    (&[CAP_SYS_ADMIN, CAP_PERFMON], &[SYS_perf_event_open]),
    (&[CAP_SYS_ADMIN, CAP_SYSLOG], &[SYS_syslog]),
    (&[CAP_SYS_ADMIN], &[SYS_fanotify_init, SYS_lookup_dcookie]),
    (&[CAP_SYS_PACCT], &[SYS_acct]),
    // Namespaces: in a user namespace of its own a program is root, to a great deal of the kernel's code.
    (&[CAP_SYS_ADMIN], &[SYS_setns, SYS_unshare]),
    (&[CAP_SYS_ADMIN], &[SYS_sethostname, SYS_setdomainname]),
    // Mounts, and other ways around the container's root.
    (&[CAP_SYS_ADMIN], &[SYS_mount, SYS_umount2]),
    (&[CAP_SYS_ADMIN], &[SYS_fsopen, SYS_fsconfig, SYS_fsmount, SYS_fspick]),
    (&[CAP_SYS_ADMIN], &[SYS_open_tree, SYS_move_mount, SYS_mount_setattr]),
    (&[], &[SYS_pivot_root]),
    (&[CAP_SYS_CHROOT], &[SYS_chroot]),
    // Opens any file of a file system, below the container's root or not: the "Shocker" of 2014.
    (&[CAP_DAC_READ_SEARCH], &[SYS_open_by_handle_at]),
    // Other processes: their memory, and what they have open. (ptrace(2) may be used: it only reaches one's own.)
    (&[CAP_SYS_PTRACE], &[SYS_kcmp, SYS_pidfd_getfd, SYS_process_madvise]),
    // The one clock that all share.
    (&[CAP_SYS_TIME], &[SYS_settimeofday, SYS_clock_settime]),
    // On which of the machine's memories something lies: numa(7).
    (&[CAP_SYS_NICE], &[SYS_get_mempolicy, SYS_set_mempolicy, SYS_set_mempolicy_home_node]),
    (&[CAP_SYS_NICE], &[SYS_mbind]),
    (&[], &[SYS_migrate_pages, SYS_move_pages]),
    // Other things of which the machine has one: its swap, its quotas, its security modules, its terminals.
    (&[], &[SYS_swapon, SYS_swapoff]),
    (&[CAP_SYS_ADMIN], &[SYS_quotactl, SYS_quotactl_fd]),
    (&[CAP_SYS_ADMIN], &[SYS_LSM_GET_SELF_ATTR, SYS_LSM_SET_SELF_ATTR, SYS_LSM_LIST_MODULES]),
    (&[CAP_SYS_TTY_CONFIG], &[SYS_vhangup]),
    // The machine's ports, past every driver.
    #[cfg(target_arch = "x86_64")]
    (&[CAP_SYS_RAWIO], &[SYS_iopl, SYS_ioperm]),
    // What no program has used for a long time, and most kernels no longer have.
    (&[], &[SYS_nfsservctl]),
    #[cfg(target_arch = "x86_64")]
    (&[], &[SYS_sysfs, SYS_ustat, SYS_uselib, SYS__sysctl,
            SYS_CREATE_MODULE, SYS_GET_KERNEL_SYMS, SYS_QUERY_MODULE,
            SYS_getpmsg, SYS_putpmsg, SYS_afs_syscall, SYS_tuxcall, SYS_security, SYS_vserver]),
];
// ANCHOR_END: refused

// ANCHOR: arguments
/// The flags of clone(2) that ask for namespaces: refused without CAP_SYS_ADMIN, as unshare(2) is.
pub const NAMESPACES: c_int = CLONE_NEWNS
    | CLONE_NEWCGROUP
    | CLONE_NEWUTS
    | CLONE_NEWIPC
    | CLONE_NEWUSER
    | CLONE_NEWPID
    | CLONE_NEWNET;

/// What personality(2) may be asked for: Linux, with the uname(2) of a 32-bit machine (8), of an old kernel, of both,
/// and what is set (-1). Others, such as ADDR_NO_RANDOMIZE, make a process easier to attack.
pub const PERSONALITIES: &[c_int] = &[0, 8, UNAME26, UNAME26 | 8, -1];

/// The families that socket(2) makes no socket of: the kernel's ciphers, the way to the host of a virtual
/// machine or to its guests, which no network namespace closes, and networks that the kernel has given up.
pub const FAMILIES: &[c_int] = &[
    AF_ALG, AF_VSOCK, AF_DECnet, AF_ECONET, AF_ATMSVC, AF_IRDA, AF_WANPIPE, AF_ISDN, AF_CAIF,
];

/// The newest family that is known: it is management controllers'.
pub const LAST_FAMILY: u32 = 45;

/// What ioctl(2) may not do. A container without `-t` has its caller's terminal: with these two it could
/// type there, or paste, what the caller's shell would read as commands (CVE-2017-5226, CVE-2023-28100).
pub const IOCTLS: &[Ioctl] = &[TIOCSTI, TIOCLINUX];
// ANCHOR_END: arguments
