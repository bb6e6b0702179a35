//! The command of `process`: its file, its arguments and its environment. execve(2), environ(7).

use std::collections::HashSet;
use std::convert::Infallible;
use std::ffi::CString;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow, bail};
use nix::errno::Errno;
use nix::sys::signal::{SigHandler, Signal, signal};
use nix::unistd::execve;
use oci_spec::runtime::Process;

use crate::command;
use crate::oci::channel::Orders;

/// The command, with its environment.
pub struct Command<'a> {
    arguments: &'a [String],
    environment: Vec<String>,
}

impl<'a> Command<'a> {
    pub fn new(process: &'a Process, orders: &Orders) -> Result<Self> {
        let mut environment = last_ones(process.env().as_deref().unwrap_or_default());
        environment.retain(|one| one != "HOME=");
        if !environment.iter().any(|one| one.starts_with("HOME=")) {
            environment.push(format!("HOME={}", home(process.user().uid())));
        }
        if orders.listen_fds > 0 {
            // sd_listen_fds(3) believes this only of its own process.
            environment.retain(|one| !one.starts_with("LISTEN_FDS="));
            environment.push(format!("LISTEN_FDS={}", orders.listen_fds));
            environment.push("LISTEN_PID=1".to_owned());
        }
        Ok(Self {
            arguments: process.args().as_deref().unwrap_or_default(),
            environment,
        })
    }

    /// The file that it means, found now: an error is worth most before the container exists.
    pub fn find(&self) -> Result<PathBuf> {
        let name = &self.arguments[0];
        if name.contains('/') {
            return check(Path::new(name)).map_err(|errno| anyhow!("cannot run {name}: {errno}"));
        }
        let path = self
            .environment
            .iter()
            .rev()
            .find_map(|one| one.strip_prefix("PATH="));
        for directory in path.unwrap_or_default().split(':') {
            let file = Path::new(match directory {
                "" => ".",
                directory => directory,
            });
            if let Ok(found) = check(&file.join(name)) {
                return Ok(found);
            }
        }
        bail!("cannot run {name}: executable file not found in $PATH")
    }

    pub fn environment(&self) -> &[String] {
        &self.environment
    }

    // ANCHOR: prepare
    /// Undoes what exec would pass on: see [`command::exec`].
    pub fn prepare(&self) -> Result<()> {
        command::reset_signals()?;
        // Without a handler, a PID 1 gets none of these, and it may have to wait for `start`.
        for number in [
            Signal::SIGHUP,
            Signal::SIGQUIT,
            Signal::SIGTERM,
            Signal::SIGUSR1,
            Signal::SIGUSR2,
        ] {
            // SAFETY: `end` is safe in a handler. After exec, there is no handler any more.
            let _ = unsafe { signal(number, SigHandler::Handler(command::end)) };
        }
        Ok(())
    }
    // ANCHOR_END: prepare

    /// Becomes it.
    pub fn exec(&self, program: &Path) -> Result<Infallible> {
        let texts = |texts: &[String]| {
            let texts = texts.iter().map(|text| CString::new(text.as_str()));
            texts.collect::<Result<Vec<_>, _>>()
        };
        let name = &self.arguments[0];
        let path = CString::new(program.as_os_str().as_encoded_bytes())?;
        let (arguments, environment) = (texts(self.arguments)?, texts(&self.environment)?);
        execve(&path, &arguments, &environment)
            .map_err(|errno| anyhow!("exec {name}: {}", errno.desc().to_lowercase()))
    }
}

/// If a variable is there twice, the last one counts.
fn last_ones(environment: &[String]) -> Vec<String> {
    let mut seen = HashSet::new();
    let backwards = environment.iter().rev();
    let last = backwards.filter(|one| seen.insert(one.split('=').next()));
    let mut last: Vec<_> = last.cloned().collect();
    last.reverse();
    last
}

fn check(file: &Path) -> Result<PathBuf, Errno> {
    let found = fs::metadata(file).map_err(|error| Errno::try_from(error).unwrap_or(Errno::EIO))?;
    match found.is_file() && found.permissions().mode() & 0o111 != 0 {
        true => Ok(file.to_owned()),
        false => Err(Errno::EACCES),
    }
}

/// From the container's own /etc/passwd.
fn home(uid: u32) -> String {
    crate::privileges::user::User::find(&uid.to_string())
        .map_or_else(|_| "/".to_owned(), |user| user.home)
}
