//! ~/.docker/config.json, which belongs to Docker: whatever else it says stays as it is.

use std::env;
use std::fmt::{self, Display, Formatter};
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, ensure};
use serde_json::{Map, Value};

use crate::failure::quoted;
use crate::state::open_regular;

/// No configuration is longer.
const LONGEST: u64 = 1 << 20;

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
