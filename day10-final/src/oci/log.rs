//! `--log` and `--log-format`: where errors go besides stderr. Docker, containerd and podman read the last line of it.

use std::fs::{File, OpenOptions};
use std::io::{Write, stderr};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Mutex;
use std::time::SystemTime;

use anyhow::{Context, Error, Result};
use clap::ValueEnum;
use nix::errno::Errno;
use serde_json::json;

use crate::failure::escaped;

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Text,
    Json,
}

struct Log {
    /// None means stderr.
    file: Option<File>,
    format: Format,
    debug: bool,
}

static LOG: Mutex<Log> = Mutex::new(Log {
    file: None,
    format: Format::Text,
    debug: false,
});

/// From now on, what is logged is appended to `file`.
pub fn open(file: Option<&Path>, format: Format, debug: bool) -> Result<()> {
    let open = |file: &Path| {
        let mut options = OpenOptions::new();
        options.append(true).create(true).mode(0o644);
        options
            .open(file)
            .with_context(|| format!("cannot open the log {}", file.display()))
    };
    let file = file.map(open).transpose()?;
    if let Ok(mut log) = LOG.lock() {
        *log = Log {
            file,
            format,
            debug,
        };
    }
    Ok(())
}

// ANCHOR: error
/// The reason why this command has failed. It is for people, too, so it always goes to stderr.
pub fn error(reason: &Error) {
    let text = in_lower_case(format!("{reason:#}"));
    let logged = write("error", &text);
    if logged {
        say(&line(&text));
    }
}
// ANCHOR_END: error

// ANCHOR: in_lower_case
/// Docker's client derives the exit codes 126 and 127 from an error's words, as runc writes them: "permission denied",
/// "no such file or directory". Here, Rust and nix write capitals.
fn in_lower_case(text: String) -> String {
    let errors = [Errno::EACCES, Errno::ENOENT, Errno::ENOTDIR, Errno::EISDIR];
    errors.into_iter().fold(text, |text, errno| {
        let words = errno.desc().to_lowercase();
        let rust = format!("{} (os error {})", errno.desc(), errno as i32);
        text.replace(&rust, &words)
            .replace(&errno.to_string(), &words)
    })
}
// ANCHOR_END: in_lower_case

pub fn warn(text: &str) {
    write("warning", text);
}

pub fn debug(text: &str) {
    if LOG.lock().is_ok_and(|log| log.debug) {
        write("debug", text);
    }
}

/// Returns whether it went to a file.
fn write(level: &str, text: &str) -> bool {
    let Ok(mut log) = LOG.lock() else {
        return false;
    };
    let time = humantime::format_rfc3339_seconds(SystemTime::now());
    let line = match log.format {
        Format::Json => json!({"level": level, "msg": text, "time": time.to_string()}).to_string(),
        Format::Text if log.file.is_some() || level == "debug" => {
            format!("time=\"{time}\" level={level} msg={text:?}")
        }
        Format::Text if level == "error" => self::line(text),
        Format::Text => self::line(&format!("{level}: {text}")),
    };
    match &mut log.file {
        Some(file) => writeln!(file, "{line}").is_ok(),
        None => {
            say(&line);
            false
        }
    }
}

fn line(text: &str) -> String {
    format!("tiny-runc: {}", escaped(text))
}

/// To stderr. If nobody reads that any more, we still have to end what we have begun.
pub fn say(line: &str) {
    let _ = writeln!(stderr(), "{line}");
}
