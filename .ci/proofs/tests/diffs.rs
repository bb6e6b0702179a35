//! The diffs that the chapters show are those of the code as it is, and turn each day into the next.

use std::fs;
use std::path::Path;
use std::process::Command;

use proofs::{copy, days, git_apply, has, read, root, run, skip};

#[test]
fn the_diffs_are_fresh() {
    if !has("git") {
        return skip("git", "diffs");
    }
    let fresh = tempfile::tempdir().unwrap();
    let (written, said) = run(Command::new(root().join(".ci/diffs")).arg(fresh.path()));
    assert!(written, "{said}");

    let shown = root().join("book/diffs");
    let mut all = files(fresh.path());
    all.extend(files(&shown));
    all.sort();
    all.dedup();
    all.retain(|name| fs::read(shown.join(name)).ok() != fs::read(fresh.path().join(name)).ok());
    assert!(
        all.is_empty(),
        "stale in book/diffs: {}: run .ci/diffs, or `git stash` if this is your work on an exercise",
        all.join(", ")
    );
}

/// The paths of all files in a directory.
fn files(directory: &Path) -> Vec<String> {
    let (_, found) = run(Command::new("find")
        .args([".", "-type", "f"])
        .current_dir(directory));
    found.lines().map(str::to_owned).collect()
}

#[test]
fn the_diffs_turn_each_day_into_the_next() {
    if !has("git") {
        return skip("git", "diffs");
    }
    // The last day's are its parts: see parts.rs.
    let days = days();
    for pair in days[..days.len() - 1].windows(2) {
        let scratch = tempfile::tempdir().unwrap();
        copy(&pair[..1], scratch.path());
        let day = scratch.path().join(&pair[0]);
        for part in ["diff", "tests.diff"] {
            let diff = root().join(format!("book/diffs/{}.{part}", pair[1]));
            if read(&diff).is_empty() {
                continue; // git takes it for damaged
            }
            let applied = git_apply(&day, &[], &diff);
            assert_eq!(applied, Ok(()), "{} does not apply", diff.display());
        }
        // Editors and test tools leave hidden files, for a while.
        let mut diff = Command::new("diff");
        diff.args(["-r", "--exclude=.*"])
            .arg(day)
            .arg(root().join(&pair[1]));
        let (same, said) = run(&mut diff);
        assert!(
            same,
            "{} with its diffs is not {}, as it is not while you work on an exercise:\n{said}",
            pair[0], pair[1]
        );
    }
}
