//! Programs of other kinds than our own, and profiles that cannot be loaded.

use serde_json::json;

use crate::oci::filter::{except, filtered, need_filter};

/// An ELF file without a compiler. It makes one call, and exits with the call's error, or with 0. Both kinds of
/// programs do it with `int 0x80`, which makes calls of 32-bit programs.
#[cfg(target_arch = "x86_64")]
fn program(bits: u8, number: u32, argument: u32) -> Vec<u8> {
    let words = |words: &[u32], size: usize| {
        let bytes = words.iter().flat_map(|word| {
            let mut bytes = word.to_le_bytes().to_vec();
            bytes.resize(size.max(4), 0);
            bytes.truncate(size);
            bytes
        });
        bytes.collect::<Vec<u8>>()
    };
    let (start, page) = (0x800_0000, 4096);
    let mut file = b"\x7fELF".to_vec();
    file.extend([bits / 32, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    if bits == 32 {
        file.extend(words(&[2, 3], 2));
        file.extend(words(&[1, start + 84, 52, 0, 0], 4));
        file.extend(words(&[52, 32, 1, 0, 0, 0], 2));
        file.extend(words(&[1, 0, start, 0, page, page, 5, page], 4));
    } else {
        file.extend(words(&[2, 62], 2));
        file.extend(words(&[1], 4));
        file.extend(words(&[start + 120, 64, 0], 8));
        file.extend(words(&[0], 4));
        file.extend(words(&[64, 56, 1, 0, 0, 0], 2));
        file.extend(words(&[1, 5], 4));
        file.extend(words(&[0, start, 0, page, page, page], 8));
    }
    // mov eax, NUMBER; mov ebx, ARGUMENT; int 0x80
    file.push(0xb8);
    file.extend(number.to_le_bytes());
    file.push(0xbb);
    file.extend(argument.to_le_bytes());
    file.extend([0xcd, 0x80]);
    // neg eax; mov ebx, eax; mov eax, 1 (exit); int 0x80
    file.extend([0xf7, 0xd8, 0x89, 0xc3, 0xb8, 1, 0, 0, 0, 0xcd, 0x80]);
    file
}

/// Runs programs that make one call each, in a container with this profile, and returns how each of them ended. None if
/// the kernel runs no such programs.
#[cfg(target_arch = "x86_64")]
fn run(profile: serde_json::Value, programs: &[(u8, u32, u32)]) -> Option<String> {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    let mut container = filtered(profile);
    let mut line = String::new();
    for (number, &(bits, call, argument)) in programs.iter().enumerate() {
        let path = container.ground.rootfs().join(format!("program{number}"));
        fs::write(&path, program(bits, call, argument)).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
        if std::process::Command::new(&path).status().is_err() {
            crate::support::skip("a kernel that runs 32-bit programs");
            return None;
        }
        line += &format!("/program{number} 2>/dev/null; echo $?; ");
    }
    let seen = container.run(&format!("{{ {line} }} 2>/dev/null"));
    assert_eq!(seen.stderr, "");
    Some(seen.stdout)
}

/// unshare(2), with CLONE_NEWUTS.
#[cfg(target_arch = "x86_64")]
const UNSHARE: (u32, u32) = (310, 0x400_0000);

#[cfg(target_arch = "x86_64")]
#[test]
fn a_kind_that_is_not_listed_does_not_run() {
    need_filter!();
    let (unshare, flag) = UNSHARE;
    let rule = json!({"names": ["mkdir"], "action": "SCMP_ACT_ERRNO"});
    let programs = [(32, unshare, flag), (64, unshare, flag)];
    if let Some(stdout) = run(except(rule), &programs) {
        assert_eq!(stdout, "159\n159\n");
    }
}

#[cfg(target_arch = "x86_64")]
#[test]
fn the_rules_hold_for_32_bit_programs_as_well() {
    need_filter!();
    let (unshare, flag) = UNSHARE;
    let rule = json!({"names": ["unshare"], "action": "SCMP_ACT_ERRNO", "errnoRet": 28});
    let mut profile = except(rule);
    profile["architectures"] = json!(["SCMP_ARCH_X86"]);
    // 272 is unshare(2) for a 64-bit program only.
    let programs = [(32, unshare, flag), (64, unshare, flag), (32, 272, flag)];
    if let Some(stdout) = run(profile, &programs) {
        let ended: Vec<_> = stdout.lines().collect();
        assert_eq!(ended[..2], ["28", "28"]);
        assert_ne!(ended[2], "28");
    }
}

/// socketcall(2) is a door: 1 is socket(2), 2 is bind(2). There is nothing at the address of their arguments.
#[cfg(target_arch = "x86_64")]
#[test]
fn a_rule_holds_behind_a_door() {
    need_filter!();
    let rule = json!({"names": ["socket"], "action": "SCMP_ACT_ERRNO", "errnoRet": 28});
    let mut profile = except(rule);
    profile["architectures"] = json!(["SCMP_ARCH_X86"]);
    if let Some(stdout) = run(profile, &[(32, 102, 1), (32, 102, 2)]) {
        assert_eq!(stdout, "28\n14\n");
    }
}

/// x32 programs have the numbers of 64-bit ones, with one more bit.
#[cfg(target_arch = "x86_64")]
#[test]
fn a_number_with_one_more_bit_is_no_way_out() {
    need_filter!();
    let rule = json!({"names": ["unshare"], "action": "SCMP_ACT_ERRNO", "errnoRet": 28});
    for (architectures, expected) in [(json!([]), ""), (json!(["SCMP_ARCH_X32"]), "28\n")] {
        let mut profile = except(rule.clone());
        profile["architectures"] = architectures;
        let mut container = filtered(profile);
        if !container.ground.rootfs().join("usr/bin/perl").exists() {
            return crate::support::skip("perl");
        }
        let call = (1 << 30) + nix::libc::SYS_unshare;
        let seen = container.run(&format!(
            "perl -e 'syscall({call}, 0); print $! + 0, \"\\n\"' 2>/dev/null"
        ));
        assert_eq!(seen.stdout, expected, "{}", seen.stderr);
    }
}

#[test]
fn a_profile_that_cannot_be_meant_is_refused_before_there_is_a_container() {
    need_filter!();
    let cases = [
        (
            json!({"names": ["mkdir"], "action": "SCMP_ACT_ALLOW", "errnoRet": 1}),
            "linux.seccomp.syscalls[0].errnoRet: ",
        ),
        (
            json!({"names": [], "action": "SCMP_ACT_ALLOW"}),
            "linux.seccomp.syscalls[0].names: ",
        ),
        (
            json!({"names": ["mkdir"], "action": "SCMP_ACT_ERRNO",
                "args": [{"index": 6, "value": 0, "op": "SCMP_CMP_EQ"}]}),
            "linux.seccomp.syscalls[0].args[0].index: ",
        ),
    ];
    for (rule, expected) in cases {
        let mut container = filtered(except(rule));
        let seen = container.run("echo here");
        assert_eq!((seen.code, seen.stdout.as_str()), (Some(1), ""));
        assert!(seen.stderr.contains(expected), "{}", seen.stderr);
        assert_eq!(container.runc.see(&["list", "--quiet"]).stdout, "");
    }
}
