//! What the default seccomp filter refuses: the calls in Docker's default profile of 2026, and two further ioctls.
//! syscalls(2), capabilities(7).

use std::ops::RangeInclusive;

use caps::Capability::{self, *};
use libc::*;

// ANCHOR: known
/// The newest system call that these lists know: removexattrat(2), of Linux 6.13.
///
/// For a program, newer calls do not exist at all. It may have an older way.
pub const LAST: u32 = 466;

/// The numbers below it that no system call has.
#[cfg(target_arch = "x86_64")]
pub const GAPS: &[RangeInclusive<u32>] = &[336..=423];
#[cfg(target_arch = "aarch64")]
pub const GAPS: &[RangeInclusive<u32>] = &[244..=259, 295..=423];
// ANCHOR_END: known

// libc does not name these yet.
const SYS_LSM_GET_SELF_ATTR: c_long = 459;
const SYS_LSM_SET_SELF_ATTR: c_long = 460;
const SYS_LSM_LIST_MODULES: c_long = 461;

// And these are no longer in libc.
#[cfg(target_arch = "x86_64")]
const SYS_CREATE_MODULE: c_long = 174;
#[cfg(target_arch = "x86_64")]
const SYS_GET_KERNEL_SYMS: c_long = 177;
#[cfg(target_arch = "x86_64")]
const SYS_QUERY_MODULE: c_long = 178;

// ANCHOR: refused
/// System calls that fail with EPERM. Each group is allowed if the container has any of its capabilities.
#[rustfmt::skip]
pub const REFUSED: &[(&[Capability], &[c_long])] = &[
    // The kernel's keyrings, which no namespace separates.
    (&[], &[SYS_add_key, SYS_keyctl, SYS_request_key]),
    // io_uring: a second door to most of the kernel. It has had many holes, and this filter does not see what goes
    // through.
    (&[], &[SYS_io_uring_setup, SYS_io_uring_enter, SYS_io_uring_register]),
    // userfaultfd: a program that handles page faults can hold up the kernel in the middle of a system call.
    (&[], &[SYS_userfaultfd]),
    // Replace this kernel with another one.
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
    // Namespaces: in its own user namespace, a program is root as far as much of the kernel's code is concerned.
    (&[CAP_SYS_ADMIN], &[SYS_setns, SYS_unshare]),
    (&[CAP_SYS_ADMIN], &[SYS_sethostname, SYS_setdomainname]),
    // Mounts, and other ways around the container's root.
    (&[CAP_SYS_ADMIN], &[SYS_mount, SYS_umount2]),
    (&[CAP_SYS_ADMIN], &[SYS_fsopen, SYS_fsconfig, SYS_fsmount, SYS_fspick]),
    (&[CAP_SYS_ADMIN], &[SYS_open_tree, SYS_move_mount, SYS_mount_setattr]),
    (&[], &[SYS_pivot_root]),
    (&[CAP_SYS_CHROOT], &[SYS_chroot]),
    // Opens any file of a filesystem, even outside the container's root: "Shocker", 2014.
    (&[CAP_DAC_READ_SEARCH], &[SYS_open_by_handle_at]),
    // Other processes: their memory, and what they have open. (ptrace(2) is allowed: it reaches only the user's own.)
    (&[CAP_SYS_PTRACE], &[SYS_kcmp, SYS_pidfd_getfd, SYS_process_madvise]),
    // The clock, which everybody shares.
    (&[CAP_SYS_TIME], &[SYS_settimeofday, SYS_clock_settime]),
    // Which of the machine's memory banks to use: numa(7).
    (&[CAP_SYS_NICE], &[SYS_get_mempolicy, SYS_set_mempolicy, SYS_set_mempolicy_home_node]),
    (&[CAP_SYS_NICE], &[SYS_mbind]),
    (&[], &[SYS_migrate_pages, SYS_move_pages]),
    // Other things of which the machine has only one: swap, quotas, security modules, terminals.
    (&[], &[SYS_swapon, SYS_swapoff]),
    (&[CAP_SYS_ADMIN], &[SYS_quotactl, SYS_quotactl_fd]),
    (&[CAP_SYS_ADMIN], &[SYS_LSM_GET_SELF_ATTR, SYS_LSM_SET_SELF_ATTR, SYS_LSM_LIST_MODULES]),
    (&[CAP_SYS_TTY_CONFIG], &[SYS_vhangup]),
    // The machine's I/O ports, bypassing every driver.
    #[cfg(target_arch = "x86_64")]
    (&[CAP_SYS_RAWIO], &[SYS_iopl, SYS_ioperm]),
    // What no program has used for a long time, and most kernels no longer contain.
    (&[], &[SYS_nfsservctl]),
    #[cfg(target_arch = "x86_64")]
    (&[], &[SYS_sysfs, SYS_ustat, SYS_uselib, SYS__sysctl,
            SYS_CREATE_MODULE, SYS_GET_KERNEL_SYMS, SYS_QUERY_MODULE,
            SYS_getpmsg, SYS_putpmsg, SYS_afs_syscall, SYS_tuxcall, SYS_security, SYS_vserver]),
];
// ANCHOR_END: refused

// ANCHOR: arguments
/// The flags of clone(2) that ask for namespaces. Like unshare(2), they are refused without CAP_SYS_ADMIN.
pub const NAMESPACES: c_int = CLONE_NEWNS
    | CLONE_NEWCGROUP
    | CLONE_NEWUTS
    | CLONE_NEWIPC
    | CLONE_NEWUSER
    | CLONE_NEWPID
    | CLONE_NEWNET;

/// The values that personality(2) accepts: Linux, with the uname(2) of a 32-bit machine (8), of an old kernel, or of
/// both, and a query (-1). Others, such as ADDR_NO_RANDOMIZE, make a process easier to attack.
pub const PERSONALITIES: &[c_int] = &[0, 8, UNAME26, UNAME26 | 8, -1];

/// The address families that socket(2) refuses: the kernel's ciphers (AF_ALG), the channel between a virtual machine
/// and its host, which no network namespace closes (AF_VSOCK), and networks that the kernel has given up.
pub const FAMILIES: &[c_int] = &[
    AF_ALG, AF_VSOCK, AF_DECnet, AF_ECONET, AF_ATMSVC, AF_IRDA, AF_WANPIPE, AF_ISDN, AF_CAIF,
];

/// The newest family that we know: AF_MCTP, for management controllers.
pub const LAST_FAMILY: u32 = 45;

/// The requests that ioctl(2) refuses. A container without `-t` has its caller's terminal. With these two, it could
/// type or paste commands there, for the caller's shell to read (CVE-2017-5226, CVE-2023-28100).
pub const IOCTLS: &[Ioctl] = &[TIOCSTI, TIOCLINUX];
// ANCHOR_END: arguments
