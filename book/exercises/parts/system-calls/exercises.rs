//! The grader of this part's exercise. It fails until the exercise is solved, and says what it misses:
//!
//!     cargo test --test exercises -- --ignored ex1

use std::process::{Command, Stdio};

use libc::{SYS_mmap, SYS_mprotect, SYS_pkey_mprotect};
use tempfile::TempDir;

const NO_WX: &[&str] = &["--security-opt", "no-wx"];
const REFUSED: &str = "Operation not permitted";
/// PROT_READ, PROT_WRITE and PROT_EXEC.
const R: u32 = 1;
const W: u32 = 2;
const X: u32 = 4;

/// What a perl `script` prints in a container with these options of `run`.
fn perl(options: &[&str], script: &str) -> String {
    let state = TempDir::new().unwrap();
    let mut run = Command::new(env!("CARGO_BIN_EXE_tiny-docker"));
    run.args(["run", "--net", "isolated"]).args(options);
    run.args(["perl", "-e", script]);
    run.env("TINY_DOCKER_ROOT", state.path())
        .stdin(Stdio::null());
    let output = run.output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "run {options:?} should start perl, and let it work. On stderr:\n{stderr}"
    );
    String::from_utf8(output.stdout).unwrap()
}

/// What comes of the three calls if they ask for this protection. The last two change memory that can be read.
fn asking_for(protection: u32, options: &[&str]) -> [String; 3] {
    let calls = [
        format!("syscall({SYS_mmap}, 0, 4096, {protection}, 0x22, -1, 0)"),
        format!("syscall({SYS_mprotect}, $memory, 4096, {protection})"),
        format!("syscall({SYS_pkey_mprotect}, $memory, 4096, {protection}, -1)"),
    ];
    calls.map(|call| {
        let memory = format!("$memory = syscall({SYS_mmap}, 0, 4096, {R}, 0x22, -1, 0)");
        perl(
            options,
            &format!(r#"{memory}; print {call} == -1 ? "$!" : "done""#),
        )
    })
}

fn assert_refused(options: &[&str]) {
    for protection in [W | X, R | W | X] {
        let seen = asking_for(protection, options);
        assert!(
            seen.iter().all(|seen| seen == REFUSED),
            "with {options:?}, mmap, mprotect and pkey_mprotect with protection {protection} should all fail \
            with EPERM, and say {seen:?}"
        );
    }
}

fn assert_allowed(protections: &[u32], options: &[&str]) {
    for &protection in protections {
        let seen = asking_for(protection, options);
        // Some kernels and machines have no protection keys.
        assert!(
            seen[..2].iter().all(|seen| seen == "done") && seen[2] != REFUSED,
            "with {options:?}, mmap, mprotect and pkey_mprotect with protection {protection} should work, \
            and say {seen:?}"
        );
    }
}

#[test]
#[ignore = "exercise 1"]
fn ex1_memory_is_not_writable_and_executable() {
    assert_refused(NO_WX);
    assert_refused(&[NO_WX, &["--init"]].concat());
}

#[test]
#[ignore = "exercise 1"]
fn ex1_one_of_the_two_is_allowed() {
    assert_allowed(&[0, R, R | W, R | X, X], NO_WX);
}

#[test]
#[ignore = "exercise 1"]
fn ex1_no_capability_opens_it() {
    assert_refused(&[NO_WX, &["--cap-add", "ALL"]].concat());
    let allowed = ["--security-opt", "no-new-privileges=false"];
    assert_refused(&[NO_WX, &allowed].concat());
}

#[test]
#[ignore = "exercise 1"]
fn ex1_the_rest_of_the_filter_is_as_before() {
    assert_allowed(&[R | W | X], &[]);
    let keyctl = format!(
        r#"print syscall({}, 0, -3, 0) == -1 ? "$!" : "done""#,
        libc::SYS_keyctl
    );
    for options in [NO_WX, &[]] {
        assert_eq!(perl(options, &keyctl), REFUSED, "keyctl with {options:?}");
    }
}
