//! The program that the kernel runs before each system call: seccomp(2).
//!
//! First it looks at the architecture. For each one, think of the numbers of system calls as a line. The profile
//! divides this line into segments with the same answer, and a binary search finds the segment. Podman's default
//! profile names more than 400 calls, but there are fewer than 100 segments.

use std::mem::offset_of;

use anyhow::{Result, ensure};
use libc::{BPF_JA, BPF_JEQ, BPF_JGE, BPF_JMP, seccomp_data, sock_filter};
use oci_spec::runtime::LinuxSeccomp;

use crate::oci::seccomp::calls::{ABIS, Abi};
use crate::oci::seccomp::rules::Rules;
use crate::privileges::seccomp::{answer, instruction, jump, load_word};

/// BPF_MAXINSNS in linux/bpf_common.h.
const LONGEST: usize = 4096;

/// For kinds of programs that the profile does not list. Only the thread that tries ends, as with libseccomp.
const WRONG_KIND: sock_filter = answer(libc::SECCOMP_RET_KILL_THREAD);

/// With this error, the C library falls back on an older call, as it does on an older kernel.
const UNKNOWN: sock_filter = answer(libc::SECCOMP_RET_ERRNO | libc::ENOSYS as u32);

/// A tracer that does not want a call to happen sets its number to -1. The filter sees that, too: ptrace(2).
const SKIPPED: u32 = u32::MAX;

/// The largest number that jt and jf, the jumps of a test, can skip.
const NEAR: usize = u8::MAX as usize;

/// All numbers from `first` up to the next segment's.
struct Segment {
    first: u32,
    /// A program that always ends with an answer.
    answer: Vec<sock_filter>,
}

// ANCHOR: assemble
/// Translates a profile that [`check`](super::check::check) has accepted.
///
/// # Errors
///
/// Fails if the program is longer than the kernel allows.
pub fn assemble(profile: &LinuxSeccomp) -> Result<Vec<sock_filter>> {
    let mut calls = profile.syscalls().iter().flatten();
    let simple = calls.all(|call| call.args().as_ref().is_none_or(Vec::is_empty));
    ensure!(simple, "linux.seccomp.syscalls: args are not supported");
    let rules = Rules::new(profile);
    let mut program = vec![load_word(offset_of!(seccomp_data, arch))];
    // The kinds of one architecture are neighbours.
    for kinds in ABIS.chunk_by(|one, other| one.architecture == other.architecture) {
        if kinds.iter().any(|abi| is_listed(abi, profile)) {
            let line = divide(kinds, &rules, profile);
            let mut search = vec![load_word(offset_of!(seccomp_data, nr))];
            search.extend(find(&line));
            program.push(jump(BPF_JEQ, kinds[0].architecture, 1, 0));
            program.push(skip(search.len()));
            program.extend(search);
        }
    }
    program.push(WRONG_KIND);
    let length = program.len();
    ensure!(
        length <= LONGEST,
        "linux.seccomp.syscalls: too many rules: the filter would have {length} instructions, \
         and the kernel takes {LONGEST}"
    );
    Ok(program)
}
// ANCHOR_END: assemble

/// Our own kind always is.
fn is_listed(abi: &Abi, profile: &LinuxSeccomp) -> bool {
    let listed = profile.architectures().as_deref().unwrap_or_default();
    abi.name == ABIS[0].name || listed.contains(&abi.name)
}

// ANCHOR: divide
/// Divides the numbers of one architecture into segments.
fn divide(kinds: &[Abi], rules: &Rules, profile: &LinuxSeccomp) -> Vec<Segment> {
    let mut line = Vec::new();
    let default = answer(rules.default);
    for abi in kinds {
        if !is_listed(abi, profile) {
            begin(&mut line, abi.first, vec![WRONG_KIND]);
            begin(&mut line, SKIPPED, vec![default]);
            continue;
        }
        begin(&mut line, abi.first, vec![default]);
        let mut newer = None;
        for (name, number) in abi.calls() {
            let Some(all) = rules.of(name) else {
                continue;
            };
            let answer = vec![all.first().map_or(default, |rule| answer(rule.action))];
            begin(&mut line, number, answer);
            begin(&mut line, number + 1, vec![default]);
            newer = Some(number + 1);
        }
        if let Some(newer) = newer.filter(|_| rules.hide_newer) {
            begin(&mut line, newer, vec![UNKNOWN]);
        }
    }
    line
}

/// Begins a segment, unless the last one has the same answer.
fn begin(line: &mut Vec<Segment>, first: u32, answer: Vec<sock_filter>) {
    // Nothing is left of a segment that would have begun here.
    line.pop_if(|last| last.first == first);
    if line.last().is_none_or(|last| last.answer != answer) {
        line.push(Segment { first, answer });
    }
}
// ANCHOR_END: divide

// ANCHOR: find
/// A binary search, because the kernel tries each filter on every number when it is loaded.
fn find(line: &[Segment]) -> Vec<sock_filter> {
    if let [one] = line {
        return one.answer.clone();
    }
    let (smaller, larger) = line.split_at(line.len() / 2);
    let (first, smaller, larger) = (larger[0].first, find(smaller), find(larger));
    let test = match smaller.len() {
        0..=NEAR => vec![jump(BPF_JGE, first, smaller.len(), 0)],
        far => vec![jump(BPF_JGE, first, 0, 1), skip(far)],
    };
    [test, smaller, larger].concat()
}

/// Skips any number of instructions.
const fn skip(distance: usize) -> sock_filter {
    instruction(BPF_JMP | BPF_JA, distance as u32, 0, 0)
}
// ANCHOR_END: find

#[cfg(test)]
mod tests;
