//! The default filter of system calls: seccomp(2).

use std::mem::offset_of;

use anyhow::{Context, Result};
use caps::{Capability, CapsHashSet};
use libc::{BPF_ABS, BPF_JEQ, BPF_JGE, BPF_JGT, BPF_JMP, BPF_JSET, BPF_K, BPF_LD, BPF_RET, BPF_W};
use libc::{c_long, seccomp_data, sock_filter};
use nix::errno::Errno;

use crate::privileges::syscalls::{
    FAMILIES, GAPS, IOCTLS, LAST, LAST_FAMILY, NAMESPACES, PERSONALITIES, REFUSED,
};

/// The kernel's number for this architecture: AUDIT_ARCH_X86_64 or AUDIT_ARCH_AARCH64 in linux/audit.h.
#[cfg(target_arch = "x86_64")]
pub const ARCHITECTURE: u32 = 0xc000_003e;
#[cfg(target_arch = "aarch64")]
pub const ARCHITECTURE: u32 = 0xc000_00b7;

const ALLOW: sock_filter = answer(libc::SECCOMP_RET_ALLOW);
const REFUSE: sock_filter = answer(libc::SECCOMP_RET_ERRNO | libc::EPERM as u32);
/// With this error, the C library falls back on an older call, as it does on an older kernel.
const UNKNOWN: sock_filter = answer(libc::SECCOMP_RET_ERRNO | libc::ENOSYS as u32);
const KILL: sock_filter = answer(libc::SECCOMP_RET_KILL_PROCESS);

// ANCHOR: load
/// From now on, filters the system calls of this process and of all its descendants, until they end.
///
/// `capabilities` are those that the container has: the calls that they are for stay allowed. Needs no_new_privs.
pub fn load(capabilities: &CapsHashSet) -> Result<()> {
    install(&filter(capabilities)).context("cannot load the seccomp filter")
}
// ANCHOR_END: load

// ANCHOR: filter
/// The program that the kernel runs before each system call, from the top to the first answer.
fn filter(capabilities: &CapsHashSet) -> Vec<sock_filter> {
    let open = |by: &[Capability]| by.iter().any(|each| capabilities.contains(each));
    let mut filter = vec![
        // In a 32-bit program, the same numbers mean different calls.
        load_word(offset_of!(seccomp_data, arch)),
        jump(BPF_JEQ, ARCHITECTURE, 1, 0),
        KILL,
        load_word(offset_of!(seccomp_data, nr)),
    ];
    // This includes the numbers of x32, which have bit 30 set.
    filter.extend(when(BPF_JGT, LAST, &[UNKNOWN]));
    for gap in GAPS {
        let in_gap = [jump(BPF_JGT, *gap.end(), 1, 0), UNKNOWN];
        filter.extend(when(BPF_JGE, *gap.start(), &in_gap));
    }
    filter.extend(check_arguments());
    if !open(&[Capability::CAP_SYS_ADMIN]) {
        filter.extend(check_clone());
    }
    let refused = REFUSED.iter().filter(|(by, _)| !open(by));
    let mut refused: Vec<_> = refused.flat_map(|(_, calls)| *calls).collect();
    refused.sort();
    search(&refused, &mut filter);
    filter
}

/// Refuses the calls with these numbers, which are sorted, and allows all others.
///
/// A binary search, because the kernel tries each filter on every number when it is loaded.
fn search(refused: &[&c_long], filter: &mut Vec<sock_filter>) {
    match refused {
        [] => filter.push(ALLOW),
        [one] => filter.extend([jump(BPF_JEQ, **one as u32, 0, 1), REFUSE, ALLOW]),
        more => {
            let (smaller, larger) = more.split_at(more.len() / 2);
            let question = filter.len();
            // Only now do we know how far "no" has to jump.
            filter.push(ALLOW);
            search(larger, filter);
            let larger_take = filter.len() - question - 1;
            filter[question] = jump(BPF_JGE, *larger[0] as u32, 0, larger_take);
            search(smaller, filter);
        }
    }
}
// ANCHOR_END: filter

// ANCHOR: check_clone
/// Refuses clone(2) with flags for namespaces, and clone3(2), whose flags are in memory, where a filter cannot look.
fn check_clone() -> Vec<sock_filter> {
    let mut clone = vec![load_argument(0)];
    clone.extend(when(BPF_JSET, NAMESPACES as u32, &[REFUSE]));
    clone.push(ALLOW);
    [
        when(BPF_JEQ, libc::SYS_clone as u32, &clone),
        when(BPF_JEQ, libc::SYS_clone3 as u32, &[UNKNOWN]),
    ]
    .concat()
}
// ANCHOR_END: check_clone

// ANCHOR: check_arguments
/// The system calls that are allowed with some arguments only.
fn check_arguments() -> Vec<sock_filter> {
    let mut ioctl = vec![load_argument(1)];
    for request in IOCTLS {
        ioctl.extend(when(BPF_JEQ, *request as u32, &[REFUSE]));
    }
    ioctl.push(ALLOW);

    let mut socket = vec![load_argument(0)];
    for family in FAMILIES {
        socket.extend(when(BPF_JEQ, *family as u32, &[REFUSE]));
    }
    socket.extend(when(BPF_JGT, LAST_FAMILY, &[REFUSE]));
    socket.push(ALLOW);

    let mut personality = vec![load_argument(0)];
    for value in PERSONALITIES {
        personality.extend(when(BPF_JEQ, *value as u32, &[ALLOW]));
    }
    personality.push(REFUSE);
    [
        when(BPF_JEQ, libc::SYS_ioctl as u32, &ioctl),
        when(BPF_JEQ, libc::SYS_socket as u32, &socket),
        when(BPF_JEQ, libc::SYS_personality as u32, &personality),
    ]
    .concat()
}
// ANCHOR_END: check_arguments

// ANCHOR: instructions
/// Loads the word at `offset` of a [`seccomp_data`], for the following instructions to compare.
pub const fn load_word(offset: usize) -> sock_filter {
    instruction(BPF_LD | BPF_W | BPF_ABS, offset as u32, 0, 0)
}

/// Loads the lower half of an argument, which comes first. In the calls that we filter, the kernel ignores the rest.
const fn load_argument(index: usize) -> sock_filter {
    load_word(offset_of!(seccomp_data, args) + index * size_of::<u64>())
}

/// If the word compares with the `value` (equal for BPF_JEQ, greater for BPF_JGT, …), goes on with `then`; if not,
/// skips it.
fn when(test: u32, value: u32, then: &[sock_filter]) -> Vec<sock_filter> {
    [&[jump(test, value, 0, then.len())], then].concat()
}

/// Skips a number of instructions: one number if the test holds, the other if it does not.
pub const fn jump(test: u32, value: u32, holds: usize, fails: usize) -> sock_filter {
    assert!(holds < 256 && fails < 256, "the jump is too long");
    instruction(BPF_JMP | test | BPF_K, value, holds as u8, fails as u8)
}

pub const fn answer(action: u32) -> sock_filter {
    instruction(BPF_RET | BPF_K, action, 0, 0)
}

pub const fn instruction(code: u32, k: u32, jt: u8, jf: u8) -> sock_filter {
    sock_filter {
        code: code as u16,
        jt,
        jf,
        k,
    }
}
// ANCHOR_END: instructions

fn install(filter: &[sock_filter]) -> nix::Result<()> {
    let program = libc::sock_fprog {
        len: filter.len() as u16,
        filter: filter.as_ptr().cast_mut(),
    };
    let (call, operation) = (libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER);
    // SAFETY: seccomp(2) reads the program, which is as long as it says.
    Errno::result(unsafe { libc::syscall(call, operation, 0, &program) }).map(drop)
}
