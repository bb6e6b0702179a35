//! The names of system calls, and their numbers: syscalls(2).
//!
//! A profile has names, and a filter sees numbers. Which number a call has depends on the kind of program. Linux runs
//! several kinds of them: a 64-bit kernel also takes calls from 32-bit programs.

#[cfg(target_arch = "aarch64")]
mod arm;
#[cfg(target_arch = "x86_64")]
mod x86;

use oci_spec::runtime::Arch;

use crate::privileges::seccomp::ARCHITECTURE;

// ANCHOR: abi
/// How programs of one kind make their calls.
pub struct Abi {
    /// Its name in config.json.
    pub name: Arch,
    /// The kernel's number for the architecture, in linux/audit.h. Several kinds may share one.
    pub architecture: u32,
    /// All numbers of this kind are this one or larger.
    pub first: u32,
    /// Whether arguments have 64 bits.
    pub wide: bool,
    /// Lists for [`numbers`], which count from `first`.
    lists: &'static [&'static str],
    /// Calls whose first argument says what they do, with a list of what that can be.
    pub doors: &'static [(&'static str, &'static str)],
}
// ANCHOR_END: abi

// ANCHOR: abis
/// What programs of this kernel can be, our own kind first.
#[cfg(target_arch = "x86_64")]
pub const ABIS: &[Abi] = &[
    Abi {
        name: Arch::ScmpArchX86_64,
        architecture: ARCHITECTURE,
        first: 0,
        wide: true,
        lists: &[x86::X86_64, COMMON],
        doors: &[],
    },
    // For some calls, the first list has numbers that x32 does not use: there, the last list counts. With a rule for
    // both, nothing goes wrong: the kernel does not know the others.
    Abi {
        name: Arch::ScmpArchX32,
        architecture: ARCHITECTURE,
        first: X32,
        wide: false,
        lists: &[x86::X86_64, COMMON, x86::X32],
        doors: &[],
    },
    Abi {
        name: Arch::ScmpArchX86,
        architecture: 0x4000_0003,
        first: 0,
        wide: false,
        lists: &[x86::X86, COMMON],
        doors: &[("socketcall", x86::SOCKETCALL), ("ipc", x86::IPC)],
    },
];
// ANCHOR_END: abis
#[cfg(target_arch = "aarch64")]
pub const ABIS: &[Abi] = &[
    Abi {
        name: Arch::ScmpArchAarch64,
        architecture: ARCHITECTURE,
        first: 0,
        wide: true,
        lists: &[arm::AARCH64, COMMON],
        doors: &[],
    },
    Abi {
        name: Arch::ScmpArchArm,
        architecture: 0x4000_0028,
        first: 0,
        wide: false,
        lists: &[arm::ARM, COMMON],
        doors: &[],
    },
    Abi {
        name: Arch::ScmpArchArm,
        architecture: 0x4000_0028,
        first: ARM_PRIVATE,
        wide: false,
        lists: &[arm::PRIVATE],
        doors: &[],
    },
];

/// x32 is a 64-bit program with 32-bit pointers. The kernel knows it by this bit in the number: __X32_SYSCALL_BIT.
#[cfg(target_arch = "x86_64")]
const X32: u32 = 1 << 30;

/// __ARM_NR_BASE.
#[cfg(target_arch = "aarch64")]
const ARM_PRIVATE: u32 = 0xf0000;

/// Since 2019, a new call gets the same number everywhere.
const COMMON: &str = "
    424 pidfd_send_signal io_uring_setup io_uring_enter io_uring_register open_tree move_mount
    fsopen fsconfig fsmount fspick pidfd_open clone3 close_range openat2 pidfd_getfd faccessat2
    process_madvise epoll_pwait2 mount_setattr quotactl_fd landlock_create_ruleset landlock_add_rule
    landlock_restrict_self memfd_secret process_mrelease futex_waitv set_mempolicy_home_node
    cachestat fchmodat2 map_shadow_stack futex_wake futex_wait futex_requeue statmount listmount
    lsm_get_self_attr lsm_set_self_attr lsm_list_modules mseal setxattrat getxattrat listxattrat
    removexattrat open_tree_attr file_getattr file_setattr listns rseq_slice_yield
";

impl Abi {
    /// Its calls with their numbers, in the order of the numbers.
    pub fn calls(&self) -> impl Iterator<Item = (&'static str, u32)> {
        let calls = self.lists.iter().copied().flat_map(numbers);
        calls.map(|(name, number)| (name, self.first + number))
    }
}

// ANCHOR: numbers
/// Reads a list: names, whose numbers follow one another, and numbers, each for the name after it. A call with two
/// names is written as `one|other`.
pub fn numbers(list: &'static str) -> impl Iterator<Item = (&'static str, u32)> {
    let mut next = 0;
    list.split_ascii_whitespace().filter_map(move |word| {
        if let Ok(number) = word.parse() {
            next = number;
            return None;
        }
        next += 1;
        Some((word, next - 1))
    })
}
// ANCHOR_END: numbers
