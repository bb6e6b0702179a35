//! Why the runtime gives up: one line for the user, and an exit code for their scripts. Everybody may use it.

use std::env;
use std::fmt::{Display, Write as _};
use std::io::{self, ErrorKind, Write};
use std::mem::take;
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::{Error, anyhow};
use nix::errno::Errno;

/// The exit codes of `docker run`, for what happens before the command itself can have one.
pub const RUNTIME_FAILED: u8 = 125;
pub const NOT_EXECUTABLE: u8 = 126;
pub const NOT_FOUND: u8 = 127;

/// For a container that SIGKILL has ended: 128 + 9.
pub const KILLED: u8 = 137;

/// The exit code of Docker's other commands when they fail.
pub const FAILED: u8 = 1;

/// How one of our commands ends when it does not succeed.
pub struct Failure {
    pub code: u8,
    pub reason: Error,
}

impl Failure {
    // ANCHOR: to_start
    /// The user's `program` could not be started: execve(2) said `errno`.
    pub fn to_start(program: &str, errno: Errno) -> Self {
        let code = match errno {
            Errno::ENOENT | Errno::ENOTDIR => NOT_FOUND,
            Errno::EACCES | Errno::ENOEXEC => NOT_EXECUTABLE,
            _ => RUNTIME_FAILED,
        };
        let reason = if errno == Errno::ENOENT && !program.contains('/') {
            anyhow!("cannot run {program}: not found in PATH")
        } else {
            anyhow!("cannot run {program}: {errno}")
        };
        Self { code, reason }
    }
    // ANCHOR_END: to_start

    /// A command that starts nothing has failed: ps, for example.
    pub fn ordinary(reason: Error) -> Self {
        let code = FAILED;
        Self { code, reason }
    }

    /// Tells the user, and returns the exit code.
    pub fn report(&self) -> u8 {
        say(&format!("{:#}", self.reason));
        self.code
    }
}

impl From<Error> for Failure {
    /// Everything except [`Failure::to_start`] is a failure of the runtime itself.
    fn from(reason: Error) -> Self {
        let code = RUNTIME_FAILED;
        Self { code, reason }
    }
}

/// How to run this program as root, for a hint. On many hosts, sudo(8) does not search ~/.cargo/bin.
pub fn sudo_run() -> String {
    let program = env::current_exe().unwrap_or_else(|_| "tiny-docker".into());
    format!("sudo {} run …", program.display())
}

/// Prints the result of what is already done, such as an id, and returns the exit code.
///
/// If somebody has read enough, as in `… | head -1`, that is not an error.
pub fn print(result: impl Display) -> u8 {
    match writeln!(io::stdout(), "{result}") {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            say(&format!("cannot print {result}: {error}"));
            FAILED
        }
        _ => 0,
    }
}

/// Tells the user what went wrong, while everything else goes on.
pub fn warn(reason: &Error) {
    say(&format!("{reason:#}"));
}

/// Prints a line for the user. If stderr is closed, the exit code has to say it all.
pub fn say(text: &str) {
    let line = format!("tiny-docker: {}\n", escaped(text));
    match &mut *lines_held() {
        Some(lines) => lines.push(line),
        None => drop(io::stderr().write_all(line.as_bytes())),
    }
}

/// What has been said while a terminal is being drawn: only whoever draws it can print that.
static HELD: Mutex<Option<Vec<String>>> = Mutex::new(None);

fn lines_held() -> MutexGuard<'static, Option<Vec<String>>> {
    HELD.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The lines that have been said since the last time. From now on, each waits for the next time.
pub fn hold() -> Vec<String> {
    take(lines_held().get_or_insert_default())
}

/// The lines since the last time. From now on, they are printed again.
pub fn release() -> Vec<String> {
    lines_held().take().unwrap_or_default()
}

/// `text` without anything that moves the cursor, or worse: console_codes(4). It may repeat what others wrote.
pub fn escaped(text: &str) -> String {
    let escape = |c: char| match c {
        ' '..='~' | '\n' => c.to_string(),
        _ => c.escape_debug().to_string(),
    };
    text.chars().map(escape).collect()
}

/// `json` with the same in a form that JSON has: \\uXXXX, in UTF-16. Whatever is not ASCII is in a string.
pub fn escaped_json(json: &str) -> String {
    let mut escaped = String::new();
    for c in json.chars() {
        if c == '\u{7f}' || !c.is_ascii() && c.escape_debug().count() > 1 {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(escaped, "\\u{unit:04x}");
            }
        } else {
            escaped.push(c);
        }
    }
    escaped
}

/// What the user has typed, made fit for our messages.
pub fn shown(text: &str) -> String {
    match text.chars().count() {
        0 => "''".to_owned(),
        1..=64 => text.escape_debug().to_string(),
        _ => format!(
            "{}…",
            text.chars().take(64).collect::<String>().escape_debug()
        ),
    }
}

/// The same in quotes. An empty text has them already.
pub fn in_quotes(text: &str) -> String {
    match text {
        "" => shown(text),
        _ => format!("'{}'", shown(text)),
    }
}

/// What somebody else wrote, as a part of one of our lines. It may be one of our messages, which is escaped already.
pub fn quoted(text: &str) -> String {
    const LONGEST: usize = 300;
    let text: String = text.trim().chars().take(LONGEST).collect();
    escaped(&text).replace('\n', "\\n")
}
