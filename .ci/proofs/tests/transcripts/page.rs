//! A page of the book, as its terminal sessions.

#[derive(Clone, Default, PartialEq)]
pub struct Block {
    /// As in `day02.md:120`.
    pub place: String,
    pub needs: Vec<String>,
    /// In a comment: the reader does not see it.
    pub hidden: bool,
    /// Not executed: none of our machines has what it needs, or it waits for keys.
    pub shown: bool,
    /// Which of the page's folds it is in.
    pub fold: Option<usize>,
    pub steps: Vec<Step>,
}

impl Block {
    /// Whether it belongs to the page's root shell, which is another one than the reader's own.
    pub fn as_root(&self) -> bool {
        self.needs.iter().any(|needed| needed == "root")
    }
}

/// A command, and what the chapter says about it.
#[derive(Clone, Default, PartialEq)]
pub struct Step {
    pub place: String,
    pub command: String,
    pub typed: String,
    pub expected: String,
}

pub fn parse(chapter: &str, text: &str) -> Result<Vec<Block>, String> {
    let mut blocks = Vec::new();
    let (mut hidden, mut folds, mut folded) = (false, 0, false);
    let mut lines = text.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        let Some(language) = line.trim_start().strip_prefix("```") else {
            // A comment may begin and end on one line.
            let marks = [line.rfind("<!--"), line.rfind("-->")];
            hidden = match marks {
                [None, None] => hidden,
                [begin, end] => begin > end,
            };
            folds += line.matches("<details").count();
            folded = (folded || line.contains("<details")) && !line.contains("</details");
            continue;
        };
        let mut inside = lines.by_ref().map(|(number, line)| (number + 1, line));
        let inside = inside
            .by_ref()
            .take_while(|(_, line)| !line.trim_start().starts_with("```"));
        let executed = language.starts_with("console");
        let needs = language
            .split(',')
            .filter_map(|flag| flag.trim().strip_prefix("needs-"));
        let needs: Vec<_> = needs.map(str::to_owned).collect();
        let mut inside = inside.peekable();
        let prompt = inside
            .peek()
            .is_some_and(|(_, line)| line.starts_with("$ "));
        let steps = match language {
            _ if executed => steps(chapter, inside)?,
            "text" if prompt => steps(chapter, inside)?,
            // One of them may take several lines, or none: names are all that we want to know.
            "sh" => inside
                .map(|(number, line)| Step {
                    place: format!("{chapter}:{number}"),
                    command: line.to_owned(),
                    ..Step::default()
                })
                .collect(),
            _ => {
                inside.for_each(drop);
                continue;
            }
        };
        blocks.push(Block {
            place: format!("{chapter}:{}", number + 1),
            needs,
            hidden,
            shown: !executed,
            fold: folded.then_some(folds),
            steps,
        });
    }
    Ok(blocks)
}

fn steps<'a>(
    chapter: &str,
    lines: impl Iterator<Item = (usize, &'a str)>,
) -> Result<Vec<Step>, String> {
    let mut steps: Vec<Step> = Vec::new();
    for (number, line) in lines {
        let place = format!("{chapter}:{number}");
        if let Some(command) = line.strip_prefix("$ ") {
            let command = command.to_owned();
            steps.push(Step {
                place,
                command,
                ..Step::default()
            });
            continue;
        }
        let step = steps.last_mut();
        let step = step.ok_or(format!(
            "{place}: not a command, but the first line of its block"
        ))?;
        let rest = line
            .get(1..)
            .map(|rest| rest.strip_prefix(' ').unwrap_or(rest));
        match line.chars().next() {
            Some('>') if step.typed.is_empty() && step.expected.is_empty() => {
                step.command = format!("{}\n{}", step.command, rest.unwrap());
            }
            Some('#') if step.expected.is_empty() => {
                step.typed = format!("{}{}\n", step.typed, rest.unwrap());
            }
            _ => step.expected = format!("{}{line}\n", step.expected),
        }
    }
    Ok(steps)
}

#[test]
fn comments_and_folds_are_told_apart() {
    let page = "```console\n$ seen\n```\n<!-- a note -->\n<!--\n```console,needs-root\n$ hidden\n```\n-->\n\
        ```rust\n<!--\n```\n<details><summary>Why?</summary>\n\n```console\n$ folded\n```\n</details>\n```console\n$ end\n```\n";
    let blocks = parse("page.md", page).unwrap_or_default();
    let seen: Vec<_> = blocks
        .iter()
        .map(|block| {
            (
                block.steps[0].command.as_str(),
                block.hidden,
                block.fold.is_some(),
                block.as_root(),
            )
        })
        .collect();
    assert_eq!(
        seen,
        [
            ("seen", false, false, false),
            ("hidden", true, false, true),
            ("folded", false, true, false),
            ("end", false, false, false)
        ]
    );
    assert_eq!(blocks[3].steps[0].place, "page.md:20");
}
