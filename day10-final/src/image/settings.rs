//! What an image says about its containers, put together with what the user has typed. For `run`. The image
//! specification, config.md.
//!
//! In this room, [`besides`] knows what does not belong to the command.

pub mod besides;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

use crate::container::origin::Origin;
use crate::failure::shown;
use crate::image::manifest::Settings;
use crate::image::store::{Image, Store, Whole};

/// How much an image may say, in bytes, and what each text counts in addition to its length. It becomes part of a record.
const MOST: usize = 1 << 20;
const EACH: usize = 64;

/// The longest name of a user, a directory or a program, in bytes. If it does not exist, an error says which it is.
const LONGEST: usize = 1000;

/// What `ps` shows: the name, as long as it means this image, and otherwise the id.
pub fn shown_as(origin: &Origin, state: &Path) -> String {
    let is_it = |store: &Store| {
        let image = store.find(&origin.name)?.context("no such image")?;
        anyhow::Ok(store.id(&image)? == origin.id)
    };
    match Store::glance(state) {
        Ok(Some(store)) if is_it(&store).is_ok_and(|is_it| is_it) => origin.name.clone(),
        Ok(_) => origin.id.short(),
        // Somebody is removing images right now. That may take a while.
        Err(_) => origin.name.clone(),
    }
}

/// An image that is about to be run. While this exists, nobody removes it.
pub struct Wanted {
    pub origin: Origin,
    /// The uppermost of its layers.
    pub rootfs: PathBuf,
    pub settings: Settings,
    _store: Store,
}

impl Wanted {
    /// `name` is what the user has typed.
    pub fn new(name: &str, image: Image, store: Store) -> Result<Self> {
        let cannot = || format!("cannot run {}", shown(name));
        let Whole {
            manifest, config, ..
        } = store.whole(&image).with_context(cannot)?;
        let mut layers = config.chain();
        if layers.is_empty() {
            layers.push(store.empty_layer().with_context(cannot)?);
        }
        let top = layers.last().and_then(|top| store.layer(top));
        let rootfs = top.context("a layer is missing").with_context(cannot)?;
        let origin = Origin {
            name: name.to_owned(),
            id: manifest.config.digest,
            layers,
        };
        Ok(Self {
            origin,
            rootfs,
            settings: config.config.unwrap_or_default(),
            _store: store,
        })
    }
}

impl Settings {
    // ANCHOR: check
    /// They come from whoever made the image, and end up in a record, in system calls and on terminals.
    pub fn check(&self) -> Result<()> {
        let lists = [&self.env, &self.entrypoint, &self.cmd];
        let texts = lists.into_iter().flatten().flatten();
        let labels = self.labels.iter().flatten();
        let labels = labels.flat_map(|(name, value)| [name, value]);
        let names = [&self.volumes, &self.exposed_ports].into_iter().flatten();
        let names = names.flat_map(|map| map.keys());
        let all = texts.clone().chain(labels).chain(names);
        let size: usize = all.map(|text| EACH + text.len()).sum();
        ensure!(size <= MOST, "its settings are larger than {MOST} bytes");
        for text in texts {
            ensure!(
                !text.contains('\0'),
                "'{}' contains a NUL byte",
                shown(text)
            );
        }
        let mut command = self.entrypoint().iter().chain(self.cmd.iter().flatten());
        let program = command.next();
        for text in [&self.user, &self.working_dir]
            .into_iter()
            .flatten()
            .chain(program)
        {
            let odd = text.contains(char::is_control);
            ensure!(!odd, "'{}' contains a control character", shown(text));
            let long = text.len() > LONGEST;
            ensure!(!long, "'{}' is longer than {LONGEST} bytes", shown(text));
        }
        match self.directory() {
            Some(directory) if !directory.is_absolute() => {
                bail!(
                    "its working directory is not an absolute path: {}",
                    directory.display()
                )
            }
            _ => Ok(()),
        }
    }
    // ANCHOR_END: check

    // ANCHOR: command
    /// What to run if the user has typed `words`: they take the place of the image's own arguments.
    pub fn command(&self, words: &[String]) -> Result<Vec<String>> {
        let own = self.cmd.as_deref().unwrap_or_default();
        let arguments = if words.is_empty() { own } else { words };
        let command = [self.entrypoint(), arguments].concat();
        ensure!(!command.is_empty(), "no command specified");
        Ok(command)
    }

    /// As in Docker, one empty word is as good as none.
    pub fn entrypoint(&self) -> &[String] {
        match self.entrypoint.as_deref() {
            None => &[],
            Some([word]) if word.is_empty() => &[],
            Some(words) => words,
        }
    }
    // ANCHOR_END: command

    /// The variables for its containers. What is not NAME=VALUE sets nothing.
    pub fn environment(&self) -> Vec<String> {
        let variables = self.env.iter().flatten();
        let sets = |variable: &&String| variable.find('=').is_some_and(|end| end > 0);
        variables.filter(sets).cloned().collect()
    }

    pub fn user(&self) -> Option<String> {
        self.user.clone().filter(|user| !user.is_empty())
    }

    pub fn directory(&self) -> Option<PathBuf> {
        let directory = self.working_dir.as_ref().filter(|path| !path.is_empty());
        directory.map(PathBuf::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn checked(settings: Value) -> Result<()> {
        serde_json::from_value::<Settings>(settings)?.check()
    }

    #[test]
    fn what_an_image_says_is_bounded_and_printable() {
        for (settings, reason) in [
            (
                json!({"Cmd": ["true", "a\0b"]}),
                "'a\\0b' contains a NUL byte",
            ),
            (json!({"Env": ["A=\0"]}), "contains a NUL byte"),
            (
                json!({"Cmd": ["a\nhint: b"]}),
                "'a\\nhint: b' contains a control character",
            ),
            (
                json!({"Entrypoint": ["\u{1b}[2J"]}),
                "contains a control character",
            ),
            (
                json!({"Entrypoint": [""], "Cmd": ["\u{1b}[2J"]}),
                "contains a control character",
            ),
            (json!({"User": "\r"}), "contains a control character"),
            (json!({"User": "x".repeat(1001)}), "…' is longer than 1000"),
            (
                json!({"WorkingDir": "/\u{7f}"}),
                "contains a control character",
            ),
            (
                json!({"WorkingDir": "../.."}),
                "is not an absolute path: ../..",
            ),
            (
                json!({"Env": [format!("A={}", "x".repeat(MOST))]}),
                "larger than",
            ),
            (json!({"Env": vec!["A"; 20_000]}), "larger than"),
            (json!({"Labels": {"a": "x".repeat(MOST)}}), "larger than"),
            (json!({"Volumes": {"x".repeat(MOST): {}}}), "larger than"),
        ] {
            let refused = format!("{:#}", checked(settings).unwrap_err());
            assert!(refused.contains(reason), "{refused}");
        }
        // Only the program's name is printed as it is.
        let odd = json!({"Cmd": ["sh", "-c", "a\nb"], "Env": ["A=\u{1b}"], "WorkingDir": "/..//."});
        assert!(checked(odd).is_ok());
        assert!(checked(json!({"WorkingDir": "", "User": "", "Env": null})).is_ok());
    }
}
