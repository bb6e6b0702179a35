//! Comparing a system call's arguments: seccomp(2), and networking/filter.rst in the kernel's documentation.
//!
//! An argument has 64 bits, and the kernel's old BPF computes with 32. So each half is compared on its own, the upper
//! one first.

use std::mem::offset_of;

use libc::{BPF_ALU, BPF_AND, BPF_JEQ, BPF_JGE, BPF_JGT, BPF_K, seccomp_data, sock_filter};
use oci_spec::runtime::LinuxSeccompOperator;

use crate::oci::seccomp::rules::{Condition, Rule};
use crate::privileges::seccomp::{answer, instruction, jump, load_word};

// ANCHOR: compare
/// The program for one rule. If a condition does not hold, it jumps to its own end.
///
/// In 32-bit programs, where `wide` is false, only the lower halves count.
pub fn program(rule: &Rule, wide: bool) -> Vec<sock_filter> {
    let mut program = vec![answer(rule.action)];
    for condition in rule.conditions.iter().rev() {
        program.splice(0..0, compare(condition, wide, program.len()));
    }
    program
}

/// Goes on with the next instruction if the condition holds, and skips `rest` instructions if it does not.
fn compare(condition: &Condition, wide: bool, rest: usize) -> Vec<sock_filter> {
    use LinuxSeccompOperator::*;
    let (value, all) = (condition.value, u64::MAX);
    let test = Test {
        index: condition.index,
        wide,
    };
    match condition.operator {
        ScmpCmpEq => test.equal(all, value, 0, rest),
        ScmpCmpNe => test.equal(all, value, rest, 0),
        ScmpCmpGt => test.order(BPF_JGT, value, 0, rest),
        ScmpCmpGe => test.order(BPF_JGE, value, 0, rest),
        ScmpCmpLe => test.order(BPF_JGT, value, rest, 0),
        ScmpCmpLt => test.order(BPF_JGE, value, rest, 0),
        ScmpCmpMaskedEq => test.equal(value, condition.value_two, 0, rest),
    }
}
// ANCHOR_END: compare

// ANCHOR: test
/// A test of one argument. Its program skips `holds` instructions if the test holds, and `fails` if it does not.
struct Test {
    index: usize,
    wide: bool,
}

impl Test {
    /// Whether the argument's bits in `mask` are the same as those of `value`.
    fn equal(&self, mask: u64, value: u64, holds: usize, fails: usize) -> Vec<sock_filter> {
        let lower = equal_half(self.lower(), mask as u32, value as u32, holds, fails);
        let (mask, value) = ((mask >> 32) as u32, (value >> 32) as u32);
        let upper = equal_half(self.upper(), mask, value, 0, lower.len() + fails);
        match self.wide {
            true => [upper, lower].concat(),
            false => lower,
        }
    }

    /// Whether the argument is greater than the `value` (`test` is BPF_JGT), or at least equal (BPF_JGE).
    fn order(&self, test: u32, value: u64, holds: usize, fails: usize) -> Vec<sock_filter> {
        let lower = [self.lower(), jump(test, value as u32, holds, fails)];
        let value = (value >> 32) as u32;
        let upper = [
            self.upper(),
            jump(BPF_JGT, value, 1 + lower.len() + holds, 0),
            jump(BPF_JEQ, value, 0, lower.len() + fails),
        ];
        match self.wide {
            true => [&upper[..], &lower[..]].concat(),
            false => lower.to_vec(),
        }
    }

    /// The machine is little-endian: the lower half comes first.
    fn lower(&self) -> sock_filter {
        load_word(offset_of!(seccomp_data, args) + self.index * size_of::<u64>())
    }

    fn upper(&self) -> sock_filter {
        load_word(offset_of!(seccomp_data, args) + self.index * size_of::<u64>() + size_of::<u32>())
    }
}
// ANCHOR_END: test

/// The program for one half of an argument. With an empty mask, there is nothing to compare, and it holds.
fn equal_half(
    load: sock_filter,
    mask: u32,
    value: u32,
    holds: usize,
    fails: usize,
) -> Vec<sock_filter> {
    let compare = jump(BPF_JEQ, value & mask, holds, fails);
    match mask {
        0 => Vec::new(),
        u32::MAX => vec![load, compare],
        _ => vec![
            load,
            instruction(BPF_ALU | BPF_AND | BPF_K, mask, 0, 0),
            compare,
        ],
    }
}
