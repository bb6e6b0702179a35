//! The words of an instruction, with the quotes, backslashes and variables that a Dockerfile may have.

use std::iter::Peekable;
use std::str::Chars;

use anyhow::{Result, bail, ensure};

/// Variables are "NAME=value".
pub struct Words<'a> {
    rest: Peekable<Chars<'a>>,
    variables: &'a [String],
}

impl<'a> Words<'a> {
    pub fn of(text: &'a str, variables: &'a [String]) -> Self {
        let rest = text.chars().peekable();
        Self { rest, variables }
    }

    /// The words between blanks.
    pub fn all(mut self) -> Result<Vec<String>> {
        let mut words = Vec::new();
        loop {
            while self.rest.next_if(|c| c.is_whitespace()).is_some() {}
            if self.rest.peek().is_none() {
                return Ok(words);
            }
            words.push(self.until(char::is_whitespace)?);
        }
    }

    /// All of it as one word, with its blanks.
    pub fn one(mut self) -> Result<String> {
        self.until(|_| false)
    }

    // ANCHOR: until
    fn until(&mut self, is_end: fn(char) -> bool) -> Result<String> {
        let mut word = String::new();
        while let Some(c) = self.rest.next_if(|c| !is_end(*c)) {
            match c {
                '\'' => self.quoted(&mut word)?,
                '"' => self.double_quoted(&mut word)?,
                // A backslash at the end stands for itself.
                '\\' => word.push(self.rest.next().unwrap_or('\\')),
                '$' => word += &self.variable()?,
                c => word.push(c),
            }
        }
        Ok(word)
    }

    fn quoted(&mut self, word: &mut String) -> Result<()> {
        loop {
            match self.rest.next() {
                Some('\'') => return Ok(()),
                Some(c) => word.push(c),
                None => bail!("a quote is not closed"),
            }
        }
    }

    fn double_quoted(&mut self, word: &mut String) -> Result<()> {
        loop {
            match self.rest.next() {
                Some('"') => return Ok(()),
                Some('\\') => match self.rest.next_if(|c| matches!(c, '"' | '$' | '\\')) {
                    Some(c) => word.push(c),
                    None => word.push('\\'),
                },
                Some('$') => *word += &self.variable()?,
                Some(c) => word.push(c),
                None => bail!("a quote is not closed"),
            }
        }
    }
    // ANCHOR_END: until

    /// The value of $NAME or ${NAME}: empty, if there is no such variable.
    fn variable(&mut self) -> Result<String> {
        let braces = self.rest.next_if_eq(&'{').is_some();
        let mut name = String::new();
        while let Some(c) = self
            .rest
            .next_if(|c| c.is_ascii_alphanumeric() || *c == '_')
        {
            name.push(c);
        }
        if braces {
            let closed = self.rest.next_if_eq(&'}').is_some() && !name.is_empty();
            ensure!(closed, "only ${{NAME}} is understood, without a modifier");
        } else if name.is_empty() {
            return Ok("$".to_owned());
        }
        let value = |variable: &'a String| variable.strip_prefix(&name)?.strip_prefix('=');
        Ok(self
            .variables
            .iter()
            .find_map(value)
            .unwrap_or_default()
            .to_owned())
    }
}
