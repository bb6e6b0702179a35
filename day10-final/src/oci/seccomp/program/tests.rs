//! Asks the program, as the kernel would.

use libc::{BPF_ABS, BPF_ALU, BPF_AND, BPF_JGT, BPF_LD, BPF_RET, SECCOMP_RET_ALLOW};
use libc::{SECCOMP_RET_ERRNO, SECCOMP_RET_KILL_THREAD, SYS_getpgid, SYS_read, SYS_write, c_long};
use serde_json::{Value, json};

use super::*;
use crate::privileges::seccomp::ARCHITECTURE;

const EPERM: u32 = SECCOMP_RET_ERRNO | libc::EPERM as u32;
const ENOSYS: u32 = SECCOMP_RET_ERRNO | libc::ENOSYS as u32;

fn program(profile: Value) -> Vec<sock_filter> {
    assemble(&serde_json::from_value(profile).unwrap()).unwrap()
}

fn ask(program: &[sock_filter], architecture: u32, number: c_long, arguments: [u64; 2]) -> u32 {
    let (mut word, mut next) = (0, 0);
    loop {
        let instruction = program[next];
        let (code, k) = (u32::from(instruction.code), instruction.k);
        next += 1;
        let test = match code & !BPF_JMP {
            BPF_JEQ => word == k,
            BPF_JGT => word > k,
            _ => word >= k,
        };
        match code {
            _ if code == BPF_LD | BPF_ABS => {
                word = match k {
                    0 => number as u32,
                    4 => architecture,
                    k => (arguments[k as usize / 8 - 2] >> (k % 8 * 8)) as u32,
                }
            }
            _ if code == BPF_ALU | BPF_AND => word &= k,
            _ if code == BPF_RET => return k,
            _ if code == BPF_JMP | BPF_JA => next += k as usize,
            _ if test => next += usize::from(instruction.jt),
            _ => next += usize::from(instruction.jf),
        }
    }
}

#[test]
fn each_operator_compares_all_64_bits() {
    type Compare = fn(&u64, &u64) -> bool;
    let operators: [(&str, Compare); 6] = [
        ("NE", u64::ne),
        ("LT", u64::lt),
        ("LE", u64::le),
        ("EQ", u64::eq),
        ("GE", u64::ge),
        ("GT", u64::gt),
    ];
    let values = [
        0,
        1,
        0xffff_ffff,
        1 << 32,
        (1 << 32) + 1,
        5 << 32,
        (5 << 32) - 1,
        u64::MAX,
    ];
    for (name, compare) in operators {
        for value in values {
            let condition = json!({"index": 1, "value": value, "op": format!("SCMP_CMP_{name}")});
            let rule = json!({"names": ["read"], "action": "SCMP_ACT_ALLOW", "args": [condition]});
            let program = program(json!({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [rule]}));
            for argument in values {
                let answer = ask(&program, ARCHITECTURE, SYS_read, [0, argument]);
                let holds = compare(&argument, &value);
                assert_eq!(
                    answer == SECCOMP_RET_ALLOW,
                    holds,
                    "{argument:#x} {name} {value:#x}"
                );
            }
        }
    }
}

#[test]
fn a_mask_says_which_bits_count() {
    let condition = json!({"index": 0, "value": 0xf0_0000_000f_u64, "valueTwo": 0x10_0000_0001_u64,
        "op": "SCMP_CMP_MASKED_EQ"});
    let rule = json!({"names": ["read"], "action": "SCMP_ACT_ALLOW", "args": [condition]});
    let program = program(json!({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [rule]}));
    let ask = |argument| ask(&program, ARCHITECTURE, SYS_read, [argument, 0]);
    assert_eq!(ask(0xa11_aaaa_aaa1), SECCOMP_RET_ALLOW);
    assert_eq!(ask(0xa11_aaaa_aaa2), EPERM);
    assert_eq!(ask(0xa21_aaaa_aaa1), EPERM);
}

#[test]
fn calls_that_are_newer_than_the_profile_do_not_exist() {
    let profile = |default| {
        let names = ["getpgid", "a_call_of_tomorrow"];
        let rule = json!({"names": names, "action": "SCMP_ACT_KILL"});
        program(json!({"defaultAction": default, "syscalls": [rule]}))
    };
    let strict = profile("SCMP_ACT_ERRNO");
    assert_eq!(
        ask(&strict, ARCHITECTURE, SYS_getpgid, [0, 0]),
        SECCOMP_RET_KILL_THREAD
    );
    assert_eq!(ask(&strict, ARCHITECTURE, SYS_getpgid - 1, [0, 0]), EPERM);
    assert_eq!(ask(&strict, ARCHITECTURE, SYS_getpgid + 1, [0, 0]), ENOSYS);
    let lenient = profile("SCMP_ACT_ALLOW");
    assert_eq!(ask(&lenient, ARCHITECTURE, 1000, [0, 0]), SECCOMP_RET_ALLOW);
}

#[test]
fn the_more_specific_rule_decides() {
    let rule = |errno: u32, args: &[Value]| {
        json!({"names": ["read"], "action": "SCMP_ACT_ERRNO",
            "errnoRet": errno, "args": args})
    };
    let over = |value| json!({"index": 0, "value": value, "op": "SCMP_CMP_GT"});
    let equal = |index, value| json!({"index": index, "value": value, "op": "SCMP_CMP_EQ"});
    let mut rules = vec![
        rule(10, &[over(3)]),
        rule(11, &[over(5)]),
        // About the same argument: one is enough. About two: both must hold.
        rule(12, &[equal(0, 1), equal(0, 2)]),
        rule(13, &[equal(0, 1), equal(1, 2)]),
    ];
    let allow =
        |rules: &[Value]| program(json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": rules}));
    let errno = |rules: &[Value], arguments| {
        ask(&allow(rules), ARCHITECTURE, SYS_read, arguments) - SECCOMP_RET_ERRNO
    };
    assert_eq!(errno(&rules, [4, 0]), 10);
    assert_eq!(errno(&rules, [6, 0]), 11);
    assert_eq!(errno(&rules, [2, 0]), 12);
    assert_eq!(errno(&rules[3..], [1, 2]), 13);
    assert_eq!(
        ask(&allow(&rules[3..]), ARCHITECTURE, SYS_read, [1, 3]),
        SECCOMP_RET_ALLOW
    );
    rules.push(rule(14, &[]));
    assert_eq!(errno(&rules, [6, 0]), 14);
}

#[cfg(target_arch = "x86_64")]
#[test]
fn only_programs_of_the_listed_kinds_run() {
    const X86: u32 = 0x4000_0003;
    const X32: c_long = 1 << 30;
    let rule = json!({"names": ["write", "socket"], "action": "SCMP_ACT_ALLOW"});
    let profile = |kinds: Value| {
        program(
            json!({"defaultAction": "SCMP_ACT_ERRNO", "architectures": kinds, "syscalls": [rule]}),
        )
    };
    let own = profile(json!([]));
    assert_eq!(
        ask(&own, ARCHITECTURE, SYS_write, [0, 0]),
        SECCOMP_RET_ALLOW
    );
    assert_eq!(
        ask(&own, ARCHITECTURE, X32 | SYS_write, [0, 0]),
        SECCOMP_RET_KILL_THREAD
    );
    assert_eq!(ask(&own, ARCHITECTURE, -1, [0, 0]), EPERM);
    assert_eq!(ask(&own, X86, 4, [0, 0]), SECCOMP_RET_KILL_THREAD);
    let all = profile(json!(["SCMP_ARCH_X86", "SCMP_ARCH_X32"]));
    assert_eq!(
        ask(&all, ARCHITECTURE, X32 | SYS_write, [0, 0]),
        SECCOMP_RET_ALLOW
    );
    assert_eq!(ask(&all, X86, 4, [0, 0]), SECCOMP_RET_ALLOW);
    // socket(2), then socketcall(2) with SYS_SOCKET and SYS_BIND.
    assert_eq!(ask(&all, X86, 359, [0, 0]), SECCOMP_RET_ALLOW);
    assert_eq!(ask(&all, X86, 102, [1, 0]), SECCOMP_RET_ALLOW);
    assert_eq!(ask(&all, X86, 102, [2, 0]), EPERM);
}
