//! Each exercise's grader fails on the crate as it is, passes with the solution, and fails with a wrong solution.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use proofs::{
    built, can_have_namespaces, copy, days, git_apply, has, names, read, root, run, skip,
};

#[test]
#[ignore = "compiles ninety variants of the days: cargo test -p proofs -- --ignored"]
fn the_graders_know_a_solution_from_a_wrong_one() {
    let Some(cargo) = std::env::var_os("CARGO") else {
        return skip("cargo", "exercises");
    };
    if !has("git") {
        return skip("git", "exercises");
    }
    let namespaces = can_have_namespaces();
    // Always in one place, so that cargo compiles the dependencies once. One proof at a time there.
    let place = built().join("exercises");
    let sandbox = place.join("repository");
    fs::create_dir_all(&place).unwrap();
    let lock = File::create(place.join("lock")).unwrap();
    lock.lock().unwrap();
    let _ = fs::remove_dir_all(&sandbox);
    fs::create_dir(&sandbox).unwrap();
    copy(&["Cargo.toml", "Cargo.lock", ".ci"], &sandbox);
    copy(&days(), &sandbox);

    let mut failures = Vec::new();
    for day in days() {
        let patches = patches(&day);
        if !namespaces && !day.starts_with("day01") && !patches.is_empty() {
            skip("namespaces", &format!("exercises of {day}"));
            continue;
        }
        let mut exercises: BTreeSet<_> = patches.iter().filter_map(|name| exercise(name)).collect();
        exercises.retain(|exercise| {
            let missing = needed(&day, exercise).iter().find(|needed| !has(needed));
            missing
                .inspect(|it| skip(it, &format!("{day} {exercise}")))
                .is_none()
        });
        let grade = |exercise| grade(Path::new(&cargo), &sandbox, &day, exercise);
        // All of the untouched crate, which is built once.
        let untouched: Vec<_> = exercises.iter().map(|exercise| grade(exercise)).collect();
        for (exercise, untouched) in exercises.into_iter().zip(untouched) {
            let with = |kind| {
                let patch = directory(&day).join(format!("{exercise}.{kind}.patch"));
                git_apply(&sandbox, &[], &patch)?;
                let verdict = grade(exercise);
                git_apply(&sandbox, &["--reverse"], &patch)?;
                verdict
            };
            if let Some(problem) = problem([untouched, with("solution"), with("wrong")]) {
                failures.push(format!("{day} {exercise}: {problem}"));
            }
        }
    }
    assert!(failures.is_empty(), "\n\n{}\n", failures.join("\n\n"));
}

/// What the grader of an exercise cannot judge without.
fn needed(day: &str, exercise: &str) -> &'static [&'static str] {
    match (day, exercise) {
        ("day09-bridge", "ex2" | "ex3") => &["root", "ip", "nft"],
        _ => &[],
    }
}

/// What a grader said against a crate, if anything; or why it could not judge it.
type Verdict = Result<Option<String>, String>;

/// What is wrong, if a grader said so of the untouched crate, the solution, and the wrong solution.
fn problem(said: [Verdict; 3]) -> Option<String> {
    match said {
        [Err(why), ..] => Some(format!("untouched crate: {why}")),
        [_, Err(why), _] => Some(format!("solution: {why}")),
        [.., Err(why)] => Some(format!("wrong solution: {why}")),
        [Ok(None), ..] => Some("the grader accepts the untouched crate".to_owned()),
        [_, Ok(Some(said)), _] => Some(format!("the grader refuses the solution:\n{said}")),
        [.., Ok(None)] => Some("the grader accepts the wrong solution".to_owned()),
        [Ok(Some(_)), Ok(None), Ok(Some(_))] => None,
    }
}

/// What an exercise's grader says of the crate as it is in the sandbox.
fn grade(cargo: &Path, sandbox: &Path, day: &str, exercise: &str) -> Verdict {
    let test = |arguments: &[&str]| {
        let mut command = Command::new(cargo);
        command.args(["test", "--offline", "--package", day, "--test", "exercises"]);
        command.args(arguments).current_dir(sandbox);
        // What the cargo around us was told is not for this one.
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if text.contains("RUSTFLAGS") || text.starts_with("CARGO_") && text != "CARGO_HOME" {
                command.env_remove(&name);
            }
        }
        command
            .env_remove("RUST_BACKTRACE")
            .env_remove("TINY_DOCKER_ROOT");
        command.env("CARGO_TARGET_DIR", sandbox.with_file_name("target"));
        // A solution has no warnings, either.
        command.env("RUSTFLAGS", "--deny warnings");
        command.env("CARGO_PROFILE_DEV_DEBUG", "false");
        run(&mut command)
    };
    let (built, said) = test(&["--no-run"]);
    if !built {
        return Err(format!("does not build:\n{said}"));
    }
    let filter = format!("{exercise}_");
    let (passed, said) = test(&["--", "--ignored", &filter]);
    match !said.contains("\nrunning ") || said.contains("\nrunning 0 tests") {
        true => Err(format!("no test {exercise}_… ran:\n{said}")),
        false => Ok((!passed).then_some(said)),
    }
}

/// `book/exercises/day02`, for `day02-namespaces`.
fn directory(day: &str) -> PathBuf {
    root().join("book/exercises").join(&day[..5])
}

fn patches(day: &str) -> Vec<String> {
    names(&directory(day))
}

/// `ex1`, for a name that begins with it.
fn exercise(name: &str) -> Option<&str> {
    let number = name.strip_prefix("ex")?;
    let digits = number.find(|c: char| !c.is_ascii_digit())?;
    (digits > 0).then(|| &name[..2 + digits])
}

#[test]
fn each_grader_has_its_patches_and_each_patch_its_grader() {
    for day in days() {
        let graders = read(&root().join(&day).join("tests/exercises.rs"));
        let ignored = graders.lines().filter(|line| line.starts_with("#[ignore"));
        let tests = graders
            .lines()
            .filter_map(|line| exercise(line.strip_prefix("fn ")?));
        assert_eq!(
            ignored.count(),
            tests.clone().count(),
            "{day}: not all graders are #[ignore]d"
        );
        let exercises: BTreeSet<_> = tests.collect();
        let exercises = exercises.iter();
        let expected =
            exercises.flat_map(|ex| ["solution", "wrong"].map(|kind| format!("{ex}.{kind}.patch")));
        let expected: Vec<_> = expected.collect();
        assert_eq!(
            patches(&day),
            expected,
            "{day}: left: its patches, right: those of its graders"
        );
    }
}

#[test]
fn the_patches_apply() {
    if !has("git") {
        return skip("git", "exercises");
    }
    let mut failures = String::new();
    for day in days() {
        for patch in patches(&day) {
            let patch = directory(&day).join(patch);
            if let Err(said) = git_apply(&root(), &["--check"], &patch) {
                failures += &format!("{}:\n{said}\n", patch.display());
            }
        }
    }
    assert!(
        failures.is_empty(),
        "do not apply, or not while you work on an exercise:\n\n{failures}"
    );
}

#[test]
fn a_grader_that_cannot_tell_is_caught() {
    let verdict = |passed: bool| Ok((!passed).then(|| "a test failed".to_owned()));
    let problem = |passed: [bool; 3]| problem(passed.map(verdict)).unwrap_or_default();
    assert_eq!(problem([false, true, false]), "");
    assert!(problem([true, true, false]).contains("accepts the untouched"));
    assert!(problem([false, false, false]).contains("refuses the solution:\na test failed"));
    assert!(problem([false, true, true]).contains("accepts the wrong"));
    assert_eq!(exercise("ex12_name"), Some("ex12"));
    assert_eq!(exercise("exact_name"), None);
}
