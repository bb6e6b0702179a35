//! ~/.docker/config.json, which belongs to Docker: whatever else it says stays as it is.

use std::env;
use std::fmt::{self, Display, Formatter};
use std::fs::{self, DirBuilder, File};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, fchown};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, ensure};
use serde::Serialize;
use serde_json::ser::{PrettyFormatter, Serializer};
use serde_json::{Map, Value};

use crate::failure::quoted;
use crate::state::{lock, open_directory, open_regular};

/// No configuration is longer.
const LONGEST: u64 = 1 << 20;

/// How long somebody else's change may take.
const LOCK_SECONDS: u64 = 10;

pub struct Config {
    path: PathBuf,
    contents: Map<String, Value>,
}

impl Config {
    /// As it is now. Without a file, it is empty.
    pub fn read() -> Result<Self> {
        let directory = match env::var_os("DOCKER_CONFIG").filter(|path| !path.is_empty()) {
            Some(directory) => PathBuf::from(directory),
            None => env::home_dir()
                .context("you have no home directory")?
                .join(".docker"),
        };
        let path = directory.join("config.json");
        // It may be a link to where somebody keeps such files.
        let path = path.canonicalize().unwrap_or(path);
        let contents =
            contents(&path).with_context(|| format!("cannot read {}", path.display()))?;
        Ok(Self { path, contents })
    }

    /// The logins, by registry.
    pub fn entries(&self) -> Option<&Map<String, Value>> {
        self.contents.get("auths")?.as_object()
    }

    /// The program that keeps the password for `key`, if there is one: "pass" means docker-credential-pass.
    pub fn helper(&self, key: &str) -> Option<String> {
        let of_one = self
            .contents
            .get("credHelpers")
            .and_then(|all| all.get(key));
        let helper = of_one.or_else(|| self.contents.get("credsStore"))?;
        let name = helper.as_str().filter(|name| !name.is_empty())?;
        Some(name.to_owned())
    }

    // ANCHOR: change
    /// Changes the logins: all at once, and after anybody else who is doing so.
    pub fn change(&self, change: impl FnOnce(&mut Map<String, Value>)) -> Result<()> {
        self.try_change(change)
            .with_context(|| format!("cannot change {self}"))
    }

    fn try_change(&self, change: impl FnOnce(&mut Map<String, Value>)) -> Result<()> {
        let directory = self.path.parent().context("it is not in a directory")?;
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)?;
        let directory = directory.canonicalize()?;
        let locked = open_directory(&directory)?;
        lock::wait(&locked, &directory, File::try_lock, LOCK_SECONDS)?;
        let mut contents = contents(&self.path)?;
        let entries = contents.entry("auths").or_insert_with(|| Map::new().into());
        if !entries.is_object() {
            *entries = Map::new().into();
        }
        entries.as_object_mut().map(change);
        let unfinished = directory.join(".config.json.unfinished");
        // Whoever left it there has been killed: we have the lock.
        let _ = fs::remove_file(&unfinished);
        let written = write(&unfinished, &self.path, &contents);
        let written = written.and_then(|()| Ok(fs::rename(&unfinished, &self.path)?));
        if written.is_err() {
            let _ = fs::remove_file(&unfinished);
        }
        written
    }
    // ANCHOR_END: change
}

impl Display for Config {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        self.path.display().fmt(f)
    }
}

fn contents(path: &Path) -> Result<Map<String, Value>> {
    let file = match open_regular(path, File::options().read(true)) {
        Ok(file) => file,
        Err(error) if is_missing(&error) => return Ok(Map::new()),
        Err(error) => return Err(error),
    };
    let mut text = Vec::new();
    let count = file.take(LONGEST + 1).read_to_end(&mut text)?;
    ensure!(count as u64 <= LONGEST, "it is larger than {LONGEST} bytes");
    if text.trim_ascii().is_empty() {
        return Ok(Map::new());
    }
    serde_json::from_slice(&text).map_err(|error| anyhow!(quoted(&error.to_string())))
}

fn is_missing(error: &anyhow::Error) -> bool {
    let error = error.downcast_ref::<std::io::Error>();
    error.is_some_and(|error| error.kind() == ErrorKind::NotFound)
}

/// Writes a new file for the owner of the one that it will replace, indented as Docker does it.
fn write(new: &Path, old: &Path, contents: &Map<String, Value>) -> Result<()> {
    let mut file = File::options()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(new)?;
    if let Ok(old) = fs::metadata(old) {
        // Only root may, and only root has to.
        let _ = fchown(&file, Some(old.uid()), Some(old.gid()));
    }
    let indented = PrettyFormatter::with_indent(b"\t");
    contents.serialize(&mut Serializer::with_formatter(&mut file, indented))?;
    file.write_all(b"\n")?;
    Ok(file.sync_all()?)
}
