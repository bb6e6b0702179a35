//! Which names of variables, functions and aliases a command of bash uses, and which ones it defines.

use std::iter::Peekable;
use std::str::Chars;

/// Something that a command does with a name: `$name` is a variable, `name` a function or an alias.
#[derive(Debug, PartialEq)]
pub enum Name {
    Uses(String),
    Defines(String),
}
use Name::{Defines, Uses};

/// What a command of bash does with names, in order. Knows as much of the language as the book uses.
pub fn names(command: &str) -> Vec<Name> {
    let mut scan = Scan {
        rest: command.chars().peekable(),
        names: Vec::new(),
    };
    while scan.rest.peek().is_some() {
        scan.commands();
    }
    scan.names
}

struct Scan<'a> {
    rest: Peekable<Chars<'a>>,
    names: Vec<Name>,
}

/// What the next word is.
#[derive(Clone, Copy, PartialEq)]
enum Next {
    Command,
    Argument,
    /// Names of variables, with or without values.
    Variable,
    Alias,
}

impl Scan<'_> {
    /// Reads commands, to the end or to a closing parenthesis.
    fn commands(&mut self) {
        let mut next = Next::Command;
        while let Some(first) = self.rest.peek().copied() {
            match first {
                ' ' | '\t' => {
                    self.rest.next();
                }
                ')' => {
                    self.rest.next();
                    return;
                }
                '(' => {
                    self.rest.next();
                    self.commands();
                }
                '<' | '>' => self.redirection(),
                ';' | '|' | '\n' | '&' => {
                    self.rest.next();
                    if first == '&' && self.rest.next_if_eq(&'&').is_none() {
                        self.names.push(Defines("$!".to_owned()));
                    }
                    next = Next::Command;
                }
                _ => {
                    let word = self.word();
                    next = self.classify(&word, next);
                }
            }
        }
    }

    fn redirection(&mut self) {
        while self.rest.next_if(|c| "<>&".contains(*c)).is_some() {}
        if self.rest.next_if_eq(&'(').is_some() {
            return self.commands();
        }
        while self.rest.next_if_eq(&' ').is_some() {}
        self.word();
    }

    /// Reads a word. Returns it without what is quoted or replaced.
    fn word(&mut self) -> String {
        let mut word = String::new();
        while let Some(c) = self.rest.next_if(|c| !" \t\n;|&<>)".contains(*c)) {
            match c {
                '\'' => {
                    self.rest.by_ref().find(|c| *c == '\'');
                }
                '"' => self.quoted(),
                '\\' => {
                    self.rest.next();
                }
                '$' => self.dollar(),
                '(' if self.rest.next_if_eq(&')').is_some() => return word + "()",
                '(' => self.commands(),
                c => word.push(c),
            }
        }
        word
    }

    fn quoted(&mut self) {
        while let Some(c) = self.rest.next() {
            match c {
                '"' => return,
                '\\' => {
                    self.rest.next();
                }
                '$' => self.dollar(),
                _ => {}
            }
        }
    }

    fn dollar(&mut self) {
        if self.rest.next_if_eq(&'(').is_some() {
            return self.commands();
        }
        let in_braces = self.rest.next_if_eq(&'{').is_some();
        if in_braces {
            self.rest.next_if(|c| "!#".contains(*c));
        }
        let mut name = String::new();
        while let Some(c) = self
            .rest
            .next_if(|c| c.is_ascii_alphanumeric() || *c == '_')
        {
            name.push(c);
        }
        if name.is_empty() {
            name.extend(self.rest.next_if(|c| "!$?#@*-".contains(*c)));
        }
        // Not `$1`, and not `$?`.
        if name.starts_with(|c: char| c.is_ascii_alphabetic() || "_!".contains(c)) {
            self.names.push(Uses(format!("${name}")));
        }
        while in_braces && let Some(c) = self.rest.next() {
            match c {
                '}' => break,
                '$' => self.dollar(),
                _ => {}
            }
        }
    }

    /// Notes what a word does with a name. Returns what comes after it.
    fn classify(&mut self, word: &str, next: Next) -> Next {
        let name = word.split(['=', '+']).next().unwrap_or_default();
        let variable = |name: &str| Defines(format!("${name}"));
        match next {
            Next::Argument => return next,
            Next::Command if word.is_empty() => return Next::Argument,
            Next::Variable if word.is_empty() => return next,
            Next::Variable if word == "in" => return Next::Argument,
            Next::Variable if name.starts_with('-') => return next,
            Next::Variable => self.names.push(variable(name)),
            Next::Alias => self.names.push(Defines(name.to_owned())),
            Next::Command => match word {
                "!" | "{" | "}" | "if" | "then" | "elif" | "else" | "fi" | "while" | "until"
                | "do" | "done" | "time" => {}
                "for" | "read" | "export" | "local" => return Next::Variable,
                "alias" => return Next::Alias,
                "coproc" => self
                    .names
                    .extend(["COPROC", "COPROC_PID", "!"].map(variable)),
                _ => match word.strip_suffix("()") {
                    Some(function) => self.names.push(Defines(function.to_owned())),
                    None if word.contains('=') && !name.is_empty() => {
                        self.names.push(variable(name));
                    }
                    None => {
                        self.names.push(Uses(word.to_owned()));
                        return Next::Argument;
                    }
                },
            },
        }
        next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `a` is used, `=a` defined.
    fn of(command: &str) -> Vec<String> {
        let names = names(command).into_iter().map(|name| match name {
            Uses(name) => name,
            Defines(name) => format!("={name}"),
        });
        names.collect()
    }

    #[test]
    fn names_of_a_command_are_found() {
        for (command, expected) in [
            (
                "id=$(today run -d) && echo ${id:0:6}",
                "today =$id echo $id",
            ),
            ("alias day01=$PWD/x two=\"a $b\"", "$PWD =day01 $b =two"),
            (
                "run sleep 1 & pid=$!; wait $! 2>/dev/null",
                "run =$! $! =$pid wait $!",
            ),
            ("awk '{ print $2 }' \"\\$no\" $$ $? $1", "awk"),
            ("until x=$(f -x); do ! g; done", "f =$x g"),
            ("f() { local a; echo \"$a $@\"; }", "=f =$a echo $a"),
            (
                "read -u ${COPROC[0]} port; for n in $list; do f; done",
                "$COPROC =$port =$n $list f",
            ),
            (
                "diff <(a) <(b | c $d) >$e; test $((1 + $(f))) = 1",
                "diff a b c $d $e test 1 f",
            ),
            ("export A=1; B=2 c >&2", "=$A =$B c"),
        ] {
            assert_eq!(of(command).join(" "), expected, "{command}");
        }
    }
}
