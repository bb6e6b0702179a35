//! The grader of this part's exercise. It fails until the exercise is solved, and says what is missing:
//!
//!     cargo test --test exercises -- --ignored ex1

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

#[cfg(target_arch = "x86_64")]
const ARCHITECTURE: u32 = 0xc000_003e;
#[cfg(target_arch = "aarch64")]
const ARCHITECTURE: u32 = 0xc000_00b7;

const ALLOW: u32 = 0x7fff_0000;
const KILL: u32 = 0;

/// What `tiny-runc filter` prints for this profile.
fn printed(profile: Value) -> Vec<String> {
    let own = TempDir::new().unwrap();
    let program = own.path().join("tiny-runc");
    symlink(env!("CARGO_BIN_EXE_tiny-docker"), &program).unwrap();
    let bundle = own.path().join("bundle");
    fs::create_dir_all(bundle.join("rootfs")).unwrap();
    let run = |words: &[&str]| {
        let mut command = Command::new(&program);
        command.arg("--root").arg(own.path().join("state"));
        let output = command.args(words).arg("--bundle").arg(&bundle).output();
        output.unwrap()
    };
    assert!(run(&["spec"]).status.success());
    let config = bundle.join("config.json");
    let mut spec: Value = serde_json::from_slice(&fs::read(&config).unwrap()).unwrap();
    spec["linux"]["seccomp"] = profile;
    fs::write(&config, spec.to_string()).unwrap();
    let output = run(&["filter"]);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "tiny-runc filter fails: {stderr}");
    let stdout = String::from_utf8(output.stdout).unwrap();
    stdout.lines().map(str::to_owned).collect()
}

/// Follows the printed lines as the kernel follows the program.
fn ask(lines: &[String], architecture: u32, number: u32) -> u32 {
    let (mut word, mut at) = (0, 0);
    for _ in 0..lines.len() {
        let line = lines.get(at);
        let line = line.unwrap_or_else(|| panic!("there is no line {at}: {lines:#?}"));
        let what = format!("line {at}: {line}");
        let (label, text) = line.split_once(": ").expect(&what);
        assert_eq!(label, at.to_string(), "its number is wrong: {what}");
        let (name, rest) = text.split_once(' ').expect(&what);
        let words: Vec<_> = rest.split(", ").collect();
        let value = |text: &str| {
            let text = text.strip_prefix("#0x").expect(&what);
            u32::from_str_radix(text, 16).expect(&what)
        };
        let target = |text: &str| text.parse().expect(&what);
        match (name, &words[..]) {
            ("ld", ["[4]"]) => (word, at) = (architecture, at + 1),
            ("ld", ["[0]"]) => (word, at) = (number, at + 1),
            ("ret", [answer]) => return value(answer),
            ("ja", [next]) => at = target(next),
            ("jeq" | "jge", [than, holds, fails]) => {
                let is_true = match name {
                    "jeq" => word == value(than),
                    _ => word >= value(than),
                };
                at = target(if is_true { holds } else { fails });
            }
            _ => panic!("not understood: {what}"),
        }
    }
    panic!("the program does not end: {lines:#?}");
}

fn number(name: &str) -> u32 {
    let number = match name {
        "mkdirat" => nix::libc::SYS_mkdirat,
        "getcwd" => nix::libc::SYS_getcwd,
        _ => nix::libc::SYS_unshare,
    };
    number as u32
}

fn check(default: &str, action: &str, [refused, allowed]: [u32; 2]) {
    let names = ["mkdirat", "unshare"];
    let rule = json!({"names": names, "action": action, "errnoRet": 28});
    let lines = printed(json!({"defaultAction": default, "syscalls": [rule]}));
    for name in names {
        assert_eq!(ask(&lines, ARCHITECTURE, number(name)), refused, "{name}");
    }
    assert_eq!(ask(&lines, ARCHITECTURE, number("getcwd")), allowed);
    assert_eq!(ask(&lines, 1, number("getcwd")), KILL, "architecture 1");
}

#[test]
#[ignore = "exercise 1: print the program"]
fn ex1_the_lines_are_the_program() {
    check("SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO", [0x5_001c, ALLOW]);
    check("SCMP_ACT_LOG", "SCMP_ACT_ERRNO", [0x5_001c, 0x7ffc_0000]);
}

/// Its jumps go over more than 255 instructions.
#[test]
#[ignore = "exercise 1: print the program"]
fn ex1_a_long_program_is_printed_too() {
    let lists = [
        include_str!("../src/oci/seccomp/calls.rs"),
        #[cfg(target_arch = "x86_64")]
        include_str!("../src/oci/seccomp/calls/x86.rs"),
        #[cfg(target_arch = "aarch64")]
        include_str!("../src/oci/seccomp/calls/arm.rs"),
    ];
    let words = lists.into_iter().flat_map(str::split_ascii_whitespace);
    let rules = words.enumerate().map(|(index, name)| {
        let errno = if name == "getcwd" { 4000 } else { index % 100 };
        json!({"names": [name], "action": "SCMP_ACT_ERRNO", "errnoRet": errno})
    });
    let rules: Vec<_> = rules.collect();
    let lines = printed(json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": rules}));
    assert!(lines.len() > 500, "{} lines", lines.len());
    assert_eq!(ask(&lines, ARCHITECTURE, number("getcwd")), 0x5_0fa0);
    assert_eq!(ask(&lines, ARCHITECTURE, 100_000), ALLOW);
}

#[test]
#[ignore = "exercise 1: print the program"]
fn ex1_without_a_profile_nothing_is_printed() {
    assert!(printed(Value::Null).is_empty());
}
