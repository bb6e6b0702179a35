//! The grader of this part's exercise. It fails until the exercise is solved, and says what is missing:
//!
//!     cargo test --test exercises -- --ignored ex1

use std::process::{Command, Stdio};

/// What a user sees of a finished command.
struct Seen {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

/// `tiny-docker completion SHELLS…`, for somebody whose login shell is `login`.
fn completion(login: Option<&str>, shells: &[&str]) -> Seen {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tiny-docker"));
    command.arg("completion").args(shells);
    command.stdin(Stdio::null()).env_remove("SHELL");
    command.envs(login.map(|login| ("SHELL", login)));
    let output = command.output().unwrap();
    Seen {
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// The script for `shell`, by its name.
fn script(shell: &str) -> String {
    let seen = completion(None, &[shell]);
    assert_eq!(seen.code, Some(0), "completion {shell}: {}", seen.stderr);
    seen.stdout
}

#[test]
#[ignore = "exercise 1: completion for the shell that you use"]
fn ex1_the_login_shell_is_the_default() {
    for (login, name) in [
        ("/bin/bash", "bash"),
        ("/usr/local/bin/zsh", "zsh"),
        ("/nix/store/0123-fish-4.0/bin/fish", "fish"),
    ] {
        let seen = completion(Some(login), &[]);
        assert_eq!(seen.code, Some(0), "SHELL={login}: {}", seen.stderr);
        assert!(
            seen.stdout == script(name),
            "SHELL={login} should get the script for {name}. It begins with:\n{}",
            seen.stdout.lines().next().unwrap_or_default()
        );
    }
}

#[test]
#[ignore = "exercise 1: completion for the shell that you use"]
fn ex1_whoever_names_a_shell_gets_that_one() {
    assert_eq!(completion(Some("/bin/zsh"), &[]).code, Some(0));
    let seen = completion(Some("/bin/zsh"), &["bash"]);
    assert_eq!(seen.code, Some(0), "{}", seen.stderr);
    assert!(seen.stdout == script("bash"), "it should be bash's script");
    let seen = completion(Some("/bin/zsh"), &["no-such-shell"]);
    assert_eq!((seen.code, seen.stdout.as_str()), (Some(125), ""));
}

/// A script for another shell would do harm in the file that it is written to.
#[test]
#[ignore = "exercise 1: completion for the shell that you use"]
fn ex1_it_does_not_guess() {
    assert_eq!(completion(Some("/bin/bash"), &[]).code, Some(0));
    for login in [
        Some("/bin/dash"),
        Some("/usr/bin/nosh"),
        Some("bash-helper"),
        Some(""),
        None,
    ] {
        let seen = completion(login, &[]);
        assert_eq!(
            (seen.code, seen.stdout.as_str()),
            (Some(1), ""),
            "SHELL={login:?} is none that we have a script for. On stderr: {}",
            seen.stderr
        );
        let first = seen.stderr.lines().next().unwrap_or_default();
        assert!(first.starts_with("tiny-docker: "), "{first}");
        assert!(
            seen.stderr.contains("\nhint: tiny-docker completion "),
            "a hint should say what to type: {}",
            seen.stderr
        );
    }
}
