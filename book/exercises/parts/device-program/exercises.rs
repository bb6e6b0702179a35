//! The grader of this part's exercise. It fails until the exercise is solved, and says what is missing:
//!
//!     cargo test --test exercises -- --ignored ex1

#[allow(dead_code)]
#[path = "../src/oci/cgroup/devices/instruction.rs"]
pub mod instruction;
#[allow(dead_code)]
#[path = "../src/oci/cgroup/devices/policy.rs"]
pub mod policy;
#[allow(dead_code)]
#[path = "../src/oci/cgroup/devices/program.rs"]
pub mod program;

/// Where these three look for each other.
mod oci {
    pub mod cgroup {
        pub mod devices {
            pub use crate::{instruction, policy};
        }
    }
}

use instruction::Instruction;
use policy::{ANY, Policy};
use serde_json::{Value, json};

/// The kinds of devices, as the kernel passes them.
const KINDS: [(u32, bool); 2] = [(1, true), (2, false)];

/// An instruction's parts: the code, the two registers, the offset and the immediate value.
fn parts(instruction: Instruction) -> (u8, usize, usize, i16, i32) {
    // SAFETY: it has eight bytes, and any eight bytes are an array.
    let [code, registers, a, b, rest @ ..] =
        unsafe { std::mem::transmute::<Instruction, [u8; 8]>(instruction) };
    let registers = if cfg!(target_endian = "big") {
        registers.rotate_left(4)
    } else {
        registers
    };
    let (to, from) = (registers & 15, registers >> 4);
    let offset = i16::from_ne_bytes([a, b]);
    (
        code,
        to.into(),
        from.into(),
        offset,
        i32::from_ne_bytes(rest),
    )
}

/// What the program answers to these three words.
fn answer(program: &[Instruction], words: [u32; 3]) -> u32 {
    let mut registers = [0u32; 11];
    let mut next = 0usize;
    for _ in 0..program.len() {
        let instruction = program.get(next).expect("the program runs past its end");
        let (code, to, from, offset, value) = parts(*instruction);
        let jumps = match code {
            0x05 => true,
            0x15 => registers[to] == value as u32,
            0x55 => registers[to] != value as u32,
            0x1d => registers[to] == registers[from],
            0x5d => registers[to] != registers[from],
            0x95 => return registers[0],
            _ => {
                registers[to] = match code {
                    0x61 => words[offset as usize / 4],
                    0x54 => registers[to] & value as u32,
                    0x74 => registers[to] >> value,
                    0xb4 => value as u32,
                    0xbc => registers[from],
                    _ => panic!("this machine does not know the instruction {code:#x}"),
                };
                false
            }
        };
        assert!(!jumps || offset >= 0, "a jump goes back");
        next += 1 + if jumps { offset as usize } else { 0 };
    }
    panic!("the program has no end");
}

/// What the policy says about it.
fn expected(policy: &Policy, is_block: bool, asked: u8, major: u32, minor: u32) -> u32 {
    let fits = |number: Option<u32>, wanted| number.is_none_or(|number| number == wanted);
    let is_exception = policy.exceptions.iter().any(|(devices, access)| {
        let all = asked & !access == 0;
        let one = asked & access != 0;
        devices.is_block == is_block
            && fits(devices.major, major)
            && fits(devices.minor, minor)
            && if policy.allows { one } else { all }
    });
    u32::from(policy.allows != is_exception)
}

fn policies() -> Vec<Policy> {
    let all = |allow: bool| json!({"allow": allow, "access": "rwm"});
    let one = |allow: bool, kind: &str, major, minor, access: &str| json!({"allow": allow, "type": kind, "major": major, "minor": minor, "access": access});
    let rules: [Value; 6] = [
        json!([]),
        json!([all(true)]),
        json!([all(true), one(false, "c", 1, 11, "w")]),
        json!([
            all(true),
            one(false, "c", 1, 11, "rw"),
            one(false, "b", 8, -1, "rwm")
        ]),
        json!([
            all(false),
            one(true, "c", 1, 11, "r"),
            one(true, "b", 8, 1, "rw")
        ]),
        json!([
            all(false),
            one(true, "b", -1, -1, "r"),
            one(true, "c", 7, -1, "rwm")
        ]),
    ];
    let of = |rules: Value| Policy::of(&serde_json::from_value::<Vec<_>>(rules).unwrap()).unwrap();
    rules.map(of).into()
}

#[test]
#[ignore = "exercise 1: one answer for all"]
fn ex1_each_answer_is_given_once() {
    for policy in policies() {
        let program = program::assemble(&policy).unwrap();
        let exits = program.iter().filter(|one| parts(**one).0 == 0x95).count();
        let answers = 1 + usize::from(!policy.exceptions.is_empty());
        assert_eq!(exits, answers, "how many exits for {policy:?}?");
        let tests = policy.exceptions.iter().map(|(devices, access)| {
            let numbers = [devices.major, devices.minor].into_iter().flatten();
            // The kind, the access, the numbers, and the jump.
            1 + if *access == ANY { 0 } else { 3 } + numbers.count() + 1
        });
        let length = 6 + tests.sum::<usize>() + 2 * answers;
        assert_eq!(program.len(), length, "how long is it for {policy:?}?");
    }
}

#[test]
#[ignore = "exercise 1: one answer for all"]
fn ex1_the_answers_are_those_of_the_policy() {
    for policy in policies() {
        let program = program::assemble(&policy).unwrap();
        let jumps = program.iter().filter(|one| parts(**one).0 == 0x05).count();
        assert_eq!(jumps, policy.exceptions.len(), "a jump for each exception");
        for (kind, is_block) in KINDS {
            for asked in 1..=ANY {
                for (major, minor) in [
                    (1, 3),
                    (1, 11),
                    (8, 0),
                    (8, 1),
                    (7, 200),
                    (136, 5),
                    (99, 99),
                ] {
                    let words = [kind | u32::from(asked) << 16, major, minor];
                    let said = answer(&program, words);
                    let right = expected(&policy, is_block, asked, major, minor);
                    assert_eq!(
                        said, right,
                        "kind {kind}, access {asked}, {major}:{minor}, {policy:?}"
                    );
                }
            }
        }
    }
}
