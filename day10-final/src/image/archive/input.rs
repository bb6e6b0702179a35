//! Where `load` and `import` read an archive from: a file or stdin, compressed or not.

use std::fs::File;
use std::io::{self, BufRead, BufReader, ErrorKind, IsTerminal, Read};
use std::os::fd::AsFd;
use std::path::Path;

use anyhow::{Error, Result, anyhow, bail, ensure};

use crate::image::archive::BUFFER;
use crate::image::layer::compression;
use crate::image::layer::limits::Count;

/// Opens the file `path` or, without one, stdin. `command` is for the hint.
pub fn open(path: Option<&Path>, command: &str) -> Result<File> {
    let Some(path) = path else {
        let stdin = File::from(io::stdin().as_fd().try_clone_to_owned()?);
        let problem = "it is a terminal\nhint: redirect it";
        ensure!(
            !stdin.is_terminal(),
            "{problem}: tiny-docker {command} <FILE"
        );
        return Ok(stdin);
    };
    let file = File::open(path)?;
    if file.metadata()?.is_dir() {
        let directory = path.display();
        bail!("it is a directory\nhint: tar -C {directory} -c . | tiny-docker {command}");
    }
    Ok(file)
}

/// What is in the `archive`. As with a [layer](crate::image::layer), not much more than its size lets one expect.
pub fn decompress<'a>(archive: impl Read + Send + 'a) -> Result<impl BufRead + 'a> {
    let turn = || Ok(());
    let decompressed = compression::decompress(archive, None, turn, Count::default());
    let decompressed = decompressed.map_err(|error| explained(error.into()))?;
    Ok(BufReader::with_capacity(BUFFER, decompressed))
}

/// Why an archive cannot be decompressed, and what helps.
pub fn explained(error: Error) -> Error {
    match error.downcast_ref().map(io::Error::kind) {
        Some(ErrorKind::Other) => {
            anyhow!("{error}\nhint: decompress it first, for example with xz -dc")
        }
        _ => error,
    }
}
