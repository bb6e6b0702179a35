//! The grader of this part's exercise. It fails until the exercise is solved, and says what is missing:
//!
//!     cargo test --test exercises -- --ignored ex1

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

/// A kind of programs that is not our own, a call that only these have, and one that they have behind another name.
#[cfg(target_arch = "x86_64")]
const OTHERS: (&str, &str, &str) = ("SCMP_ARCH_X86", "waitpid", "recv");
#[cfg(target_arch = "aarch64")]
const OTHERS: (&str, &str, &str) = ("SCMP_ARCH_ARM", "sigreturn", "sync_file_range2");

/// The rules that a warning is about. The bundle has no root filesystem, so nothing is created.
fn warnings(architectures: &[&str], rules: &[&[&str]]) -> Vec<usize> {
    let own = TempDir::new().unwrap();
    let program = own.path().join("tiny-runc");
    symlink(env!("CARGO_BIN_EXE_tiny-docker"), &program).unwrap();
    let run = |word: &str| {
        let mut command = Command::new(&program);
        command.arg("--root").arg(own.path().join("state"));
        command.arg(word).arg("--bundle").arg(own.path());
        command
    };
    assert!(run("spec").status().unwrap().success());
    let config = own.path().join("config.json");
    let mut spec: Value = serde_json::from_slice(&fs::read(&config).unwrap()).unwrap();
    spec["process"]["terminal"] = false.into();
    let rules = rules
        .iter()
        .map(|names| json!({"names": names, "action": "SCMP_ACT_LOG"}));
    let rules: Vec<_> = rules.collect();
    let kinds = json!(architectures);
    let profile =
        json!({"defaultAction": "SCMP_ACT_ALLOW", "architectures": kinds, "syscalls": rules});
    spec["linux"]["seccomp"] = profile;
    fs::write(&config, spec.to_string()).unwrap();
    let output = run("create").arg("exercise").output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(
        stderr.contains("root.path"),
        "not even the root is missing: {stderr}"
    );
    let lines = stderr.lines().filter_map(|line| {
        let (_, text) = line.split_once("linux.seccomp.syscalls[")?;
        let (index, _) = text.split_once("]: no program here has any of these calls")?;
        index.parse().ok()
    });
    lines.collect()
}

#[test]
#[ignore = "exercise 1: a rule about nothing"]
fn ex1_a_rule_without_a_known_name_is_told() {
    let rules: [&[&str]; 3] = [&["unshrae"], &["mkdirat"], &["mkdri", "rmdri"]];
    assert_eq!(warnings(&[], &rules), [0, 2]);
}

#[test]
#[ignore = "exercise 1: a rule about nothing"]
fn ex1_one_known_name_is_enough() {
    let rules: [&[&str]; 2] = [&["a_call_of_tomorrow", "unshare"], &["nothing"]];
    assert_eq!(warnings(&[], &rules), [1]);
}

#[test]
#[ignore = "exercise 1: a rule about nothing"]
fn ex1_only_programs_that_may_run_count() {
    let (kind, call, behind) = OTHERS;
    let rules: [&[&str]; 3] = [&[call], &["mkdirat"], &[behind]];
    assert_eq!(
        warnings(&[], &rules),
        [0, 2],
        "none of these programs may run"
    );
    let rules: [&[&str]; 3] = [&[call], &["nothing"], &[behind]];
    assert_eq!(warnings(&[kind], &rules), [1], "these programs may run");
}
