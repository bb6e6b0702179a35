//! System calls that a profile refuses by their arguments.

use std::fs;

use nix::libc;
use serde_json::{Value, json};

use crate::oci::container::Container;
use crate::oci::filter::{all_names, except, filtered, need_filter};

/// Runs a script in perl, if the container has it.
fn run_perl(container: &mut Container, script: &str) -> Option<String> {
    let rootfs = container.ground.rootfs();
    if !rootfs.join("usr/bin/perl").exists() {
        crate::support::skip("perl");
        return None;
    }
    fs::write(rootfs.join("script"), format!("$| = 1; {script}")).unwrap();
    let seen = container.run("perl /script 2>&1");
    assert_eq!(seen.stderr, "");
    Some(seen.stdout)
}

fn argument(index: u32, operator: &str, value: u64, value_two: u64) -> Value {
    json!({"index": index, "op": format!("SCMP_CMP_{operator}"), "value": value, "valueTwo": value_two})
}

/// personality(2) with 0xffffffff asks, and changes nothing.
#[test]
fn a_call_is_allowed_with_one_value_only() {
    need_filter!();
    let mut names = all_names();
    names.retain(|name| *name != "personality");
    let args = [argument(0, "EQ", 0xffff_ffff, 0)];
    let profile = json!({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [
        {"names": names, "action": "SCMP_ACT_ALLOW"},
        {"names": ["personality"], "action": "SCMP_ACT_ALLOW", "args": args},
    ]});
    let call = libc::SYS_personality;
    let script = format!(
        "print syscall({call}, 0xffffffff), \"\\n\"; syscall({call}, 8) == -1 and print \"$!\\n\""
    );
    if let Some(stdout) = run_perl(&mut filtered(profile), &script) {
        assert_eq!(stdout, "0\nOperation not permitted\n");
    }
}

/// A flag among others. Processes go on to be made, and namespaces do not.
#[test]
fn a_mask_finds_a_flag_among_others() {
    need_filter!();
    let user = 0x1000_0000;
    let args = [argument(0, "MASKED_EQ", user, user)];
    let rule = json!({"names": ["clone"], "action": "SCMP_ACT_ERRNO", "args": args});
    let call = libc::SYS_clone;
    let script = format!(
        "syscall({call}, {user} | 17, 0, 0, 0, 0) == -1 and print \"$!\\n\"; print `echo a child`"
    );
    if let Some(stdout) = run_perl(&mut filtered(except(rule)), &script) {
        assert_eq!(stdout, "Operation not permitted\na child\n");
    }
}

/// The kernel uses the lower half of ioctl's second argument. A rule compares all of it, unless it has a mask.
#[test]
fn all_64_bits_are_compared() {
    need_filter!();
    let whole = [argument(1, "EQ", 0x5412, 0)];
    let lower = [argument(1, "MASKED_EQ", 0xffff_ffff, 0x5412)];
    let call = libc::SYS_ioctl;
    let script = format!(
        "for (0x5412, 0x1_0000_5412) {{ syscall({call}, 0, $_, $x = 'x') == -1 and print \"$!\\n\" }}"
    );
    let (refused, asked) = (
        "Operation not permitted\n",
        "Inappropriate ioctl for device\n",
    );
    for (args, expected) in [
        (whole, format!("{refused}{asked}")),
        (lower, format!("{refused}{refused}")),
    ] {
        let rule = json!({"names": ["ioctl"], "action": "SCMP_ACT_ERRNO", "args": args});
        if let Some(stdout) = run_perl(&mut filtered(except(rule)), &script) {
            assert_eq!(stdout, expected, "{args:?}");
        }
    }
}

/// Two conditions about two arguments must both hold; of two about the same one, any will do.
#[test]
fn conditions_are_combined() {
    need_filter!();
    let (six, ten) = (argument(0, "EQ", 6, 0), argument(0, "EQ", 10, 0));
    let second = argument(1, "EQ", 1, 0);
    let call = libc::SYS_socket;
    let script = format!(
        "for ([6, 1], [6, 2], [10, 1]) {{ print syscall({call}, @$_, 0) == -1 && $! == 28 ? 1 : 0 }}"
    );
    for (args, expected) in [([six.clone(), second], "100"), ([six, ten], "111")] {
        let rule =
            json!({"names": ["socket"], "action": "SCMP_ACT_ERRNO", "errnoRet": 28, "args": args});
        if let Some(stdout) = run_perl(&mut filtered(except(rule)), &script) {
            assert_eq!(stdout, expected, "{args:?}");
        }
    }
}

/// Whatever the order in the profile.
#[test]
fn the_more_specific_rule_comes_first() {
    need_filter!();
    let rule = |errno: u32, value| {
        json!({"names": ["socket"], "action": "SCMP_ACT_ERRNO", "errnoRet": errno,
            "args": [argument(0, "GE", value, 0)]})
    };
    let call = libc::SYS_socket;
    let script =
        format!("for (100, 200) {{ syscall({call}, $_, 1, 0) == -1 and print $! + 0, \"\\n\" }}");
    for rules in [
        [rule(28, 100), rule(36, 200)],
        [rule(36, 200), rule(28, 100)],
    ] {
        let profile = json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": rules});
        if let Some(stdout) = run_perl(&mut filtered(profile), &script) {
            assert_eq!(stdout, "28\n36\n");
        }
    }
}
