//! Why the runtime gives up: one line for the user, and an exit code for their scripts. Everybody may use it.

use std::io::{self, Write};

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

/// For those who type the name of an image first, as in Docker.
const NO_IMAGE: &str = "\nhint: run takes a command, not an image: tiny-docker run ls /bin lists the commands, \
    and --rootfs DIR provides others";

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
            anyhow!("cannot run {program}: not found in PATH{NO_IMAGE}")
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

/// Tells the user what went wrong, while everything else goes on.
pub fn warn(reason: &Error) {
    say(&format!("{reason:#}"));
}

/// Prints a line for the user. If stderr is closed, the exit code has to say it all.
pub fn say(text: &str) {
    let _ = writeln!(io::stderr(), "tiny-docker: {}", escaped(text));
}

/// `text` without anything that moves the cursor, or worse: console_codes(4). It may repeat what others wrote.
pub fn escaped(text: &str) -> String {
    let escape = |c: char| match c {
        ' '..='~' | '\n' => c.to_string(),
        _ => c.escape_debug().to_string(),
    };
    text.chars().map(escape).collect()
}
