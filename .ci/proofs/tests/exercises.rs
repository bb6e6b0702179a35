//! Each exercise's grader fails on the crate as it is, passes with the solution, and fails with a wrong solution.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::thread;

use proofs::{
    can_have_namespaces, copy, days, git_apply, has, names, parts, place, put_program, read, root,
    run, sandbox, skip,
};

#[test]
#[ignore = "compiles 270 variants of the days: cargo test -p proofs -- --ignored"]
fn the_graders_know_a_solution_from_a_wrong_one() {
    let Some(cargo) = std::env::var_os("CARGO") else {
        return skip("cargo", "exercises");
    };
    if !has("git") {
        return skip("git", "exercises");
    }
    let namespaces = can_have_namespaces();
    // Always in one place, so that cargo compiles the dependencies seldom. One proof at a time there.
    let sandbox = sandbox();
    let place = sandbox.parent().unwrap();
    fs::create_dir_all(place).unwrap();
    let lock = File::create(place.join("lock")).unwrap();
    lock.lock().unwrap();
    let _ = fs::remove_dir_all(&sandbox);
    fs::create_dir(&sandbox).unwrap();
    copy(&["Cargo.toml", "Cargo.lock", ".ci"], &sandbox);
    copy(&days(), &sandbox);
    fs::create_dir(sandbox.join("book")).unwrap();
    copy(&["book/parts", "book/exercises"], &sandbox.join("book"));
    let mut at = Command::new(sandbox.join("book/parts/at"));
    at.arg("-n")
        .args((1..=parts().len()).map(|number| number.to_string()));
    let (put, said) = run(&mut at);
    assert!(put, "{said}");

    // A compiler keeps one processor busy for most of its time.
    let waiting = Mutex::new(days().into_iter().chain(parts()));
    let failures = Mutex::new(Vec::new());
    thread::scope(|threads| {
        for worker in 1..=2 {
            let target = place.join(format!("target{worker}"));
            let (waiting, failures) = (&waiting, &failures);
            let (cargo, sandbox) = (Path::new(&cargo), &sandbox);
            threads.spawn(move || {
                let next = || waiting.lock().unwrap().next();
                while let Some(day) = next() {
                    if !namespaces && !day.starts_with("day01") && !patches(&day).is_empty() {
                        skip("namespaces", &format!("exercises of {day}"));
                        continue;
                    }
                    let said = grade_all(cargo, sandbox, &target, &day);
                    failures.lock().unwrap().extend(said);
                }
            });
        }
    });
    let failures = failures.into_inner().unwrap();
    assert!(failures.is_empty(), "\n\n{}\n", failures.join("\n\n"));
}

/// What is wrong with the graders of a day or a part.
fn grade_all(cargo: &Path, sandbox: &Path, target: &Path, day: &str) -> Vec<String> {
    let place = workspace(sandbox, day);
    let is_part = !day.starts_with("day");
    let bench = match is_part {
        true => bench(&place, target),
        false => place.clone(),
    };
    let patches = patches(day);
    let mut exercises: BTreeSet<_> = patches.iter().filter_map(|name| exercise(name)).collect();
    exercises.retain(|exercise| {
        let missing = needed(day, exercise).iter().find(|needed| !has(needed));
        missing
            .inspect(|it| skip(it, &format!("{day} {exercise}")))
            .is_none()
    });
    let package = if is_part { "day10-final" } else { day };
    let grade = |exercise| grade(cargo, &bench, target, package, exercise);
    // All of the untouched crate, which is built once.
    let untouched: Vec<_> = exercises.iter().map(|exercise| grade(exercise)).collect();
    if is_part && untouched.iter().all(Result::is_ok) {
        // The transcripts need the same program.
        let program = target.join("debug/tiny-docker");
        put_program(&program, &place.join("tiny-docker")).unwrap();
    }
    let judged = exercises.into_iter().zip(untouched);
    let failures = judged.filter_map(|(exercise, untouched)| {
        let with = |kind| {
            let patch = directory(day).join(format!("{exercise}.{kind}.patch"));
            git_apply(&bench, &[], &patch)?;
            let verdict = grade(exercise);
            git_apply(&bench, &["--reverse"], &patch)?;
            verdict
        };
        let problem = problem([untouched, with("solution"), with("wrong")])?;
        Some(format!("{day} {exercise}: {problem}"))
    });
    let failures = failures.collect();
    if !is_part {
        // The variants of all days would fill a disk.
        let mut clean = cargo_in(cargo, &bench, target);
        run(clean.args(["clean", "--offline", "--package", package]));
    }
    failures
}

/// A copy of a part's workspace where the part before it was, and with the same version: so the compiler does once what is
/// the same in both.
fn bench(place: &Path, target: &Path) -> PathBuf {
    let bench = target.join("bench");
    let _ = fs::remove_dir_all(&bench);
    fs::create_dir_all(target).unwrap();
    copy(&[place], &bench);
    let manifest = bench.join("Cargo.toml");
    let text = read(&manifest);
    let (before, number) = text.split_once("-part.").expect("the version of a part");
    let after = number.trim_start_matches(|c: char| c.is_ascii_digit());
    fs::write(manifest, format!("{before}-part{after}")).unwrap();
    bench
}

/// What the grader of an exercise cannot judge without.
fn needed(day: &str, exercise: &str) -> &'static [&'static str] {
    match (day, exercise) {
        ("day09-bridge", "ex2" | "ex3") => &["root", "ip", "nft"],
        ("78-console", "ex1") => &["root"],
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

/// Cargo, for a workspace of its own.
fn cargo_in(cargo: &Path, sandbox: &Path, target: &Path) -> Command {
    let mut command = Command::new(cargo);
    command.current_dir(sandbox);
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
    command.env("CARGO_TARGET_DIR", target);
    // A solution has no warnings, either.
    command.env("RUSTFLAGS", "--deny warnings");
    command.env("CARGO_PROFILE_DEV_DEBUG", "false");
    command
}

/// What an exercise's grader says of the crate as it is in the sandbox.
fn grade(cargo: &Path, sandbox: &Path, target: &Path, package: &str, exercise: &str) -> Verdict {
    let test = |arguments: &[&str]| {
        let mut test = cargo_in(cargo, sandbox, target);
        test.args(["test", "--offline", "--test", "exercises"]);
        run(test.args(["--package", package]).args(arguments))
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

/// `book/exercises/day02`, for `day02-namespaces`; `book/exercises/parts/a-layer`, for `03-a-layer`.
fn directory(day: &str) -> PathBuf {
    let exercises = root().join("book/exercises");
    match day.strip_prefix(|c: char| c.is_ascii_digit()) {
        Some(part) => exercises.join("parts").join(&part[2..]),
        None => exercises.join(&day[..5]),
    }
}

/// Where `book/parts/at` has put a part, or the days.
fn workspace(sandbox: &Path, day: &str) -> PathBuf {
    match day.starts_with("day") {
        true => sandbox.to_owned(),
        false => place(sandbox, day),
    }
}

/// The crate's own graders, or those that a part gets.
fn graders(day: &str) -> PathBuf {
    match day.starts_with("day") {
        true => root().join(day).join("tests/exercises.rs"),
        false => directory(day).join("exercises.rs"),
    }
}

fn patches(day: &str) -> Vec<String> {
    let mut names = names(&directory(day));
    names.retain(|name| name.ends_with(".patch"));
    names
}

/// `ex1`, for a name that begins with it.
fn exercise(name: &str) -> Option<&str> {
    let number = name.strip_prefix("ex")?;
    let digits = number.find(|c: char| !c.is_ascii_digit())?;
    (digits > 0).then(|| &name[..2 + digits])
}

#[test]
fn each_grader_has_its_patches_and_each_patch_its_grader() {
    for day in days().into_iter().chain(parts()) {
        let graders = read(&graders(&day));
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
    let sandbox = tempfile::tempdir().unwrap();
    fs::create_dir(sandbox.path().join("book")).unwrap();
    copy(&["Cargo.toml", "Cargo.lock"], sandbox.path());
    copy(&days(), sandbox.path());
    copy(&["book/parts"], &sandbox.path().join("book"));
    let mut at = Command::new(sandbox.path().join("book/parts/at"));
    at.arg("-n")
        .args((1..=parts().len()).map(|number| number.to_string()));
    let (put, said) = run(&mut at);
    assert!(put, "{said}");
    let mut failures = String::new();
    for day in days().into_iter().chain(parts()) {
        let place = workspace(sandbox.path(), &day);
        for patch in patches(&day) {
            let patch = directory(&day).join(patch);
            if let Err(said) = git_apply(&place, &["--check"], &patch) {
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
