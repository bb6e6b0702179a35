//! The program that decides about devices in version 2: "Device controller" in cgroup-v2.rst.
//!
//! The kernel runs it whenever a process of the cgroup opens or creates a device, and passes a struct
//! bpf_cgroup_dev_ctx (linux/bpf.h): three words. The program answers 1 to allow it, and 0 to refuse.

use anyhow::{Result, ensure};

use crate::oci::cgroup::devices::instruction::{
    ACCESS, ANSWER, ARGUMENT, Instruction, KIND, MAJOR, MINOR, SCRATCH, and, copy, exit, load_word,
    set, shift_right, skip_if, skip_if_different, skip_unless,
};
use crate::oci::cgroup::devices::policy::{ANY, Devices, Policy};

/// Values of the lower half of the first word: BPF_DEVCG_DEV_BLOCK and BPF_DEVCG_DEV_CHAR.
const BLOCK: i32 = 1;
const CHARACTER: i32 = 2;

/// Before Linux 5.2, the kernel takes no longer program.
const LONGEST: usize = 4096;

// ANCHOR: assemble
/// Translates `policy` into instructions.
pub fn assemble(policy: &Policy) -> Result<Vec<Instruction>> {
    let mut program = vec![
        // The lower half of the first word is the kind of device, and the upper half the ways to use it.
        load_word(KIND, ARGUMENT, 0),
        and(KIND, 0xffff),
        load_word(ACCESS, ARGUMENT, 0),
        shift_right(ACCESS, 16),
        load_word(MAJOR, ARGUMENT, 4),
        load_word(MINOR, ARGUMENT, 8),
    ];
    for (devices, access) in &policy.exceptions {
        program.extend(exception(policy.allows, *devices, *access));
    }
    program.extend([set(ANSWER, policy.allows.into()), exit()]);
    ensure!(
        program.len() <= LONGEST,
        "there are too many rules: the program would have {} instructions, and may have {LONGEST}",
        program.len()
    );
    Ok(program)
}
// ANCHOR_END: assemble

// ANCHOR: exception
/// Answers if the device is one of `devices`, and goes on after it if not.
fn exception(allows: bool, devices: Devices, access: u8) -> Vec<Instruction> {
    let verdict = [set(ANSWER, (!allows).into()), exit()];
    // Built from its end, so that each test knows how much there is to skip if it fails.
    let mut block = verdict.to_vec();
    let rest = |block: &Vec<Instruction>| block.len() as i16;
    for (register, number) in [(MINOR, devices.minor), (MAJOR, devices.major)] {
        if let Some(number) = number {
            block.insert(0, skip_unless(register, number as i32, rest(&block)));
        }
    }
    if access != ANY {
        let test = match allows {
            // A process may want to read and write at once. To be allowed, all of it has to be...
            false => skip_if_different(SCRATCH, ACCESS, rest(&block)),
            // ...and to be refused, one of it.
            true => skip_if(SCRATCH, 0, rest(&block)),
        };
        block.splice(
            0..0,
            [copy(SCRATCH, ACCESS), and(SCRATCH, access.into()), test],
        );
    }
    let kind = if devices.is_block { BLOCK } else { CHARACTER };
    block.insert(0, skip_unless(KIND, kind, rest(&block)));
    block
}
// ANCHOR_END: exception

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oci::cgroup::devices::policy::{READ, WRITE};

    #[test]
    fn a_test_that_fails_skips_the_rest_of_its_exception() {
        let null = Devices {
            major: Some(1),
            minor: Some(3),
            is_block: false,
        };
        let block = exception(false, null, READ | WRITE);
        assert_eq!(
            block,
            [
                skip_unless(KIND, CHARACTER, 7),
                copy(SCRATCH, ACCESS),
                and(SCRATCH, 6),
                skip_if_different(SCRATCH, ACCESS, 4),
                skip_unless(MAJOR, 1, 3),
                skip_unless(MINOR, 3, 2),
                set(ANSWER, 1),
                exit(),
            ]
        );
    }
}
