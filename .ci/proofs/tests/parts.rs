//! Day 10 in parts: the patches add up to it, and what .ci/parts and .ci/carry do with a change.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use proofs::{copy, days, has, names, parts, read, root, skip};
use tempfile::TempDir;

/// A copy of the repository, with everything committed, to change something in.
struct Sandbox(TempDir);

impl Sandbox {
    fn new() -> Self {
        let sandbox = Self(tempfile::tempdir().unwrap());
        fs::create_dir(sandbox.path().join("book")).unwrap();
        copy(&[".ci", "Cargo.toml", "Cargo.lock"], sandbox.path());
        copy(&days(), sandbox.path());
        copy(
            &["book/parts", "book/exercises"],
            &sandbox.path().join("book"),
        );
        sandbox.git(&["init", "--quiet"]);
        sandbox.commit();
        sandbox
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn git(&self, arguments: &[&str]) -> String {
        let identity = [
            "-c",
            "user.name=proofs",
            "-c",
            "user.email=proofs@localhost",
        ];
        let (done, said) = answer(
            Command::new("git")
                .args(identity)
                .args(arguments)
                .current_dir(self.path()),
            "",
        );
        assert!(done, "git {arguments:?}: {said}");
        said
    }

    fn commit(&self) {
        self.git(&["add", "--all", "--force", "."]);
        self.git(&["commit", "--quiet", "--message", "as it was"]);
    }

    /// Calls a script of .ci, and answers what it asks.
    fn call(&self, script: &str, arguments: &[&str], input: &str) -> (bool, String) {
        let script = self.path().join(".ci").join(script);
        answer(
            Command::new(script)
                .args(arguments)
                .current_dir(self.path()),
            input,
        )
    }

    fn file(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    /// Replaces one line of a file, the only one of its kind.
    fn edit(&self, name: &str, old: &str, new: &str) {
        let text = read(&self.file(name));
        assert_eq!(text.matches(old).count(), 1, "{name}: {old}");
        fs::write(self.file(name), text.replace(old, new)).unwrap();
    }

    /// What differs from the last commit, as paths.
    fn changed(&self) -> Vec<String> {
        self.git(&["add", "--all", "--force", "."]);
        let names = self.git(&["diff", "--cached", "--name-only"]);
        let names = names.lines().filter(|name| !name.starts_with("target/"));
        names.map(str::to_owned).collect()
    }

    /// The sum of the parts is day 10 again.
    fn assert_adds_up(&self) {
        let (passed, said) = self.call("parts", &["sum"], "");
        assert!(passed, "{said}");
    }
}

fn answer(command: &mut Command, input: &str) -> (bool, String) {
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (
        output.status.success(),
        String::from_utf8_lossy(&said).into_owned(),
    )
}

/// The patches, such as `04-power.patch`, in order.
fn patches() -> Vec<String> {
    parts().iter().map(|part| format!("{part}.patch")).collect()
}

/// The lines that a patch adds to each file of `src`, if no other patch has such a line, and day 10 has it once.
fn its_own_lines(patch: &str) -> BTreeMap<String, Vec<String>> {
    let read_patch = |name: &String| read(&root().join("book/parts").join(name));
    let others: Vec<_> = patches()
        .iter()
        .filter(|name| *name != patch)
        .map(read_patch)
        .collect();
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut file = String::new();
    for line in read_patch(&patch.to_owned()).lines() {
        if let Some(name) = line.strip_prefix("+++ b/") {
            file = name.to_owned();
        } else if let Some(added) = line.strip_prefix('+')
            && file.starts_with("src/")
            && added.trim_start().starts_with("/// ")
            && others.iter().all(|other| !other.contains(added))
        {
            let text = fs::read_to_string(root().join("day10-final").join(&file));
            if text.is_ok_and(|text| text.matches(added).count() == 1) {
                found
                    .entry(file.clone())
                    .or_default()
                    .push(added.to_owned());
            }
        }
    }
    found
}

/// A line of a comment that is this part's own, and the file that has it.
fn a_line_of(patch: &str) -> (String, String) {
    let found = its_own_lines(patch).into_iter().next();
    let (file, lines) = found.unwrap_or_else(|| panic!("{patch} has no comment of its own"));
    (file, lines[0].clone())
}

#[test]
fn the_sum_of_the_parts_is_day_10_and_each_is_small() {
    if !has("git") {
        return skip("git", "parts");
    }
    let check = Command::new(root().join(".ci/parts")).arg("check").output();
    let check = check.unwrap();
    let table = String::from_utf8_lossy(&check.stdout);
    let said = String::from_utf8_lossy(&check.stderr);
    assert!(
        check.status.success(),
        "{table}{said}Is this your work on an exercise? Then put it aside with `git stash`."
    );
    println!("{table}");
}

#[test]
fn the_patches_are_numbered_and_say_what_they_do() {
    for (number, name) in patches().iter().enumerate() {
        let (digits, rest) = name.split_once('-').unwrap();
        assert_eq!(digits.parse(), Ok(number + 1), "{name}");
        let part = rest.strip_suffix(".patch").unwrap();
        let text = read(&root().join("book/parts").join(name));
        let (message, _) = text.split_once("\ndiff --git ").unwrap();
        let (first, rest) = message.split_once("\n\n").unwrap();
        assert!(
            first.starts_with(&format!("{part}: ")) && first.len() <= 100,
            "{name}: {first}"
        );
        assert!(
            rest.split_whitespace().count() >= 30,
            "{name}: what, why, and what to try?"
        );
    }
}

#[test]
fn each_part_has_a_page_a_drawing_and_an_exercise() {
    let book = root().join("book");
    let summary = read(&book.join("src/SUMMARY.md"));
    for name in patches() {
        let name = &name[3..name.len() - ".patch".len()];
        let page = read(&book.join(format!("src/parts/{name}.md")));
        for needed in [
            format!("{{{{#include ../../drawings/parts/{name}.svg}}}}"),
            format!("whole/{name}.md"),
        ] {
            assert!(page.contains(&needed), "{name}: its page has no {needed}");
        }
        assert!(
            summary.contains(&format!("parts/{name}.md")),
            "{name}: not in the summary"
        );
        let exercises = names(&book.join("exercises/parts").join(name));
        for needed in ["ex1.solution.patch", "ex1.wrong.patch", "exercises.rs"] {
            assert!(
                exercises.iter().any(|name| name == needed),
                "{name}: no {needed}"
            );
        }
        for heading in [
            "Break it first",
            "The idea",
            "Predict",
            "The code",
            "Try it",
            "What Docker does here",
            "Exercises",
            "Check yourself",
        ] {
            assert!(
                page.contains(&format!("\n## {heading}\n")),
                "{name}: no {heading}"
            );
        }
    }
}

#[test]
fn a_change_of_day_10_goes_to_the_part_that_its_line_is_from() {
    if !has("git") {
        return skip("git", "parts");
    }
    let sandbox = Sandbox::new();
    let mine = &patches()[3];
    let (file, line) = a_line_of(mine);
    let file = format!("day10-final/{file}");
    sandbox.edit(&file, &line, &format!("{line} Mended."));
    let (done, said) = sandbox.call("parts", &["absorb"], "");
    assert!(done, "{said}");
    assert!(said.contains("1 in "), "{said}");
    assert_eq!(sandbox.changed(), [format!("book/parts/{mine}"), file]);
    assert!(
        read(&sandbox.file(&format!("book/parts/{mine}"))).contains(&format!("+{line} Mended."))
    );
    sandbox.assert_adds_up();
    let (again, said) = sandbox.call("parts", &["absorb"], "");
    assert!(!again && said.contains("nothing to absorb"), "{said}");
}

#[test]
fn two_changes_go_to_two_parts() {
    if !has("git") {
        return skip("git", "parts");
    }
    let sandbox = Sandbox::new();
    let mine = [&patches()[1], &patches()[6]];
    let mut expected = Vec::new();
    for patch in mine {
        let (file, line) = a_line_of(patch);
        let file = format!("day10-final/{file}");
        sandbox.edit(&file, &line, &format!("{line} Mended."));
        expected.extend([format!("book/parts/{patch}"), file]);
    }
    let (done, said) = sandbox.call("parts", &["absorb"], "");
    assert!(done, "{said}");
    expected.sort();
    assert_eq!(sandbox.changed(), expected);
    sandbox.assert_adds_up();
}

#[test]
fn lines_are_added_where_they_belong_when_others_come_before_them() {
    if !has("git") {
        return skip("git", "parts");
    }
    let sandbox = Sandbox::new();
    let mine = &patches()[1];
    let found = its_own_lines(mine)
        .into_iter()
        .find(|(_, lines)| lines.len() > 1);
    let (file, lines) = found.expect("a file with two comments");
    let file = format!("day10-final/{file}");
    for line in [&lines[0], &lines[1]] {
        sandbox.edit(&file, line, &format!("{line}\n{line} More."));
    }
    let (done, said) = sandbox.call("parts", &["absorb", "2"], "");
    assert!(done, "{said}");
    assert_eq!(sandbox.changed(), [format!("book/parts/{mine}"), file]);
    sandbox.assert_adds_up();
}

#[test]
fn what_belongs_to_no_part_for_certain_is_asked() {
    if !has("git") {
        return skip("git", "parts");
    }
    let sandbox = Sandbox::new();
    let new = "day10-final/tests/day/new.txt";
    fs::write(sandbox.file(new), "a file of nobody's\n").unwrap();
    let before = sandbox.changed();
    let (done, said) = sandbox.call("parts", &["absorb"], "");
    assert!(
        !done && said.contains("which part") && said.contains("absorb N"),
        "{said}"
    );
    assert_eq!(
        sandbox.changed(),
        before,
        "nothing happens without an answer"
    );
    let (done, said) = sandbox.call("parts", &["absorb"], "5\n");
    assert!(done, "{said}");
    assert_eq!(
        sandbox.changed(),
        [format!("book/parts/{}", patches()[4]), new.to_owned()]
    );
    sandbox.assert_adds_up();
    // The answer on the command line.
    sandbox.commit();
    fs::write(sandbox.file(new), "another text\n").unwrap();
    let (done, said) = sandbox.call("parts", &["absorb", "7"], "");
    assert!(done, "{said}");
    assert!(
        sandbox
            .changed()
            .contains(&format!("book/parts/{}", patches()[6]))
    );
    sandbox.assert_adds_up();
}

#[test]
fn a_line_of_day_9_is_not_mended_in_day_10() {
    if !has("git") {
        return skip("git", "parts");
    }
    let sandbox = Sandbox::new();
    sandbox.edit(
        "day10-final/src/child.rs",
        "//! The container's side of `run`",
        "//! The child's side of `run`",
    );
    let (done, said) = sandbox.call("parts", &["absorb"], "");
    assert!(!done && said.contains("is a line of day 9"), "{said}");
    assert_eq!(sandbox.changed(), ["day10-final/src/child.rs"]);
}

#[test]
fn a_change_of_day_3_is_carried_through_the_days_and_the_parts() {
    if !has("git") {
        return skip("git", "parts");
    }
    let sandbox = Sandbox::new();
    let old = "//! The container's side of `run`";
    let new = "//! The child's side of `run`";
    sandbox.edit("day03-rootfs/src/child.rs", old, new);
    let (done, said) = sandbox.call("carry", &["day03"], "");
    assert!(done, "{said}");
    for day in &days()[2..] {
        let text = read(&sandbox.file(&format!("{day}/src/child.rs")));
        assert!(text.starts_with(new), "{day}");
    }
    sandbox.assert_adds_up();
    let unfolded = sandbox.file("target/unfolded");
    let (done, said) = sandbox.call("parts", &["unfold", unfolded.to_str().unwrap()], "");
    assert!(done, "{said}");
    let mut log = Command::new("git");
    log.args(["log", "--format=%H", "--", "src/child.rs"])
        .current_dir(&unfolded);
    let (_, commits) = answer(&mut log, "");
    for commit in commits.lines() {
        let mut show = Command::new("git");
        show.args(["show", &format!("{commit}:src/child.rs")])
            .current_dir(&unfolded);
        assert!(answer(&mut show, "").1.starts_with(new), "{commit}");
    }
}

#[test]
fn a_conflict_is_shown_as_one() {
    if !has("git") {
        return skip("git", "parts");
    }
    let sandbox = Sandbox::new();
    // A line of day 9 that a part replaces.
    let (patch, file, line) = patches()
        .into_iter()
        .find_map(|patch| {
            let text = read(&root().join("book/parts").join(&patch));
            let mut file = "";
            text.lines().find_map(|line| {
                file = line.strip_prefix("+++ b/").unwrap_or(file);
                let gone = line
                    .strip_prefix('-')
                    .filter(|gone| gone.trim().len() > 20)?;
                let day = fs::read_to_string(root().join("day09-bridge").join(file)).ok()?;
                let one =
                    file.starts_with("src/") && day.matches(&format!("{gone}\n")).count() == 1;
                one.then(|| (patch.clone(), file.to_owned(), gone.to_owned()))
            })
        })
        .unwrap();
    let name = &patch[3..patch.len() - ".patch".len()];
    sandbox.edit(
        &format!("day09-bridge/{file}"),
        &format!("{line}\n"),
        &format!("{line} // mended on day 9\n"),
    );
    let before = sandbox.changed();
    let (done, said) = sandbox.call("carry", &["day09"], "");
    assert!(!done, "{said}");
    assert!(
        said.contains(&format!("CONFLICT, in: {name}: ")) && said.contains(&file),
        "{said}"
    );
    assert!(said.contains(".ci/parts fold "), "{said}");
    assert_eq!(sandbox.changed(), before, "a conflict changes nothing");

    // As it says: the part's form, then on.
    let place = sandbox.file("target/parts/rebase");
    let git = |arguments: &[&str]| {
        let mut git = Command::new("git");
        git.args([
            "-c",
            "user.name=proofs",
            "-c",
            "user.email=proofs@localhost",
            "-c",
            "core.editor=true",
        ]);
        answer(git.args(arguments).current_dir(&place), "")
    };
    for _ in 0..100 {
        if !place.join(".git/rebase-merge").exists() {
            break;
        }
        git(&["checkout", "--theirs", "--", &file]);
        git(&["add", "--all"]);
        git(&["rebase", "--continue"]);
    }
    let (done, said) = sandbox.call("parts", &["fold", place.to_str().unwrap()], "");
    assert!(done, "{said}");
    sandbox.assert_adds_up();
    let changed = sandbox.changed();
    assert!(
        changed.contains(&format!("book/parts/{patch}")),
        "{changed:?}"
    );
}
