//! What the tests share: typing commands as a user would, and looking at what comes back.

use std::process::{Child, Command, Output, Stdio};
use std::sync::Once;

use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};

/// The program under test.
pub const TINY_DOCKER: &str = env!(concat!("CARGO_BIN_EXE_", env!("CARGO_PKG_NAME")));

/// What a user sees of a finished command.
pub struct Seen {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl From<Output> for Seen {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// Makes sure that what the tests start receives these signals, even if nohup(1) or a script's `&` makes us ignore them.
///
/// The tests themselves still do nothing about them: that is the handler. Unlike "ignore", it does not survive execve(2).
pub fn hear_signals() {
    extern "C" fn nothing(_: i32) {}
    let handler = SigHandler::Handler(nothing);
    let handle = SigAction::new(handler, SaFlags::SA_RESTART, SigSet::empty());
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        for signal in [Signal::SIGHUP, Signal::SIGINT, Signal::SIGQUIT] {
            // SAFETY: the handler does nothing, and what it replaces is restored.
            unsafe {
                let before = sigaction(signal, &handle).unwrap();
                if !matches!(before.handler(), SigHandler::SigIgn) {
                    sigaction(signal, &before).unwrap();
                }
            }
        }
    });
}

/// `tiny-docker ARGUMENTS…`, with nothing to read, still to be started.
pub fn tiny_docker(arguments: &[&str]) -> Command {
    hear_signals();
    let mut command = Command::new(TINY_DOCKER);
    command.args(arguments).stdin(Stdio::null());
    command
}

/// Runs `tiny-docker ARGUMENTS…` to its end.
pub fn see(arguments: &[&str]) -> Seen {
    tiny_docker(arguments).output().unwrap().into()
}

/// Runs a line of shell in which `$TD` is the program under test.
pub fn shell(line: &str) -> Seen {
    hear_signals();
    let mut sh = Command::new("sh");
    sh.args(["-c", line]).env("TD", TINY_DOCKER);
    sh.stdin(Stdio::null()).output().unwrap().into()
}

/// A child that is killed if a test ends early.
pub struct Running(pub Child);

impl Running {
    pub fn start(command: &mut Command) -> Self {
        Self(command.stdout(Stdio::piped()).spawn().unwrap())
    }

    pub fn pid(&self) -> i32 {
        self.0.id() as i32
    }

    /// Sends it a signal, by number: nix does not know all of them.
    pub fn signal(&self, signal: i32) {
        // SAFETY: kill(2) takes two numbers.
        assert_eq!(unsafe { libc::kill(self.pid(), signal) }, 0);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
