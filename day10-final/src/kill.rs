//! `kill`: sends a signal to a container's PID 1. signal(7). After SIGKILL, it waits for its end as `wait` does.

use std::ffi::OsStr;
use std::fs::File;
use std::ops::RangeInclusive;
use std::path::Path;

use anyhow::{Context, Result, bail};
use clap::builder::{PossibleValue, StringValueParser, TypedValueParser};
use clap::{Arg, Command};
use nix::sys::signal::Signal;

use crate::failure::{FAILED, print, shown, warn};
use crate::state::open_regular;
use crate::state::paths;
use crate::state::store;

/// The signals that are left to programs, numbered as in Docker and the C library: signal(7).
const REAL_TIME: RangeInclusive<i32> = 34..=64;

/// Takes any text, for [`named`] to judge. The shell completes the usual names.
#[derive(Clone)]
pub struct Name;

impl TypedValueParser for Name {
    type Value = String;

    fn parse_ref(
        &self,
        command: &Command,
        option: Option<&Arg>,
        text: &OsStr,
    ) -> clap::error::Result<String> {
        StringValueParser::new().parse_ref(command, option, text)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        let name = |signal: Signal| PossibleValue::new(signal.as_str().trim_start_matches("SIG"));
        Some(Box::new(Signal::iterator().map(name)))
    }
}

/// The signal that the user means: HUP, SIGHUP, 1, RTMIN+3, or RTMAX-1.
pub fn named(text: &str) -> Result<i32> {
    let name = text.to_ascii_uppercase();
    let name = format!("SIG{}", name.strip_prefix("SIG").unwrap_or(&name));
    let by_number = text.parse().ok().filter(|number| (1..=64).contains(number));
    let by_name = || name.parse().ok().map(|signal: Signal| signal as i32);
    by_number
        .or_else(by_name)
        .or_else(|| real_time(&name))
        .with_context(|| format!("no such signal: {}\nhint: kill -l lists them", shown(text)))
}

fn real_time(name: &str) -> Option<i32> {
    let distance = |text: &str, sign| match text {
        "" => Some(0),
        _ => text.strip_prefix(sign)?.parse::<u8>().ok().map(i32::from),
    };
    let signal = match (name.strip_prefix("SIGRTMIN"), name.strip_prefix("SIGRTMAX")) {
        (Some(rest), _) => REAL_TIME.start() + distance(rest, '+')?,
        (_, Some(rest)) => REAL_TIME.end() - distance(rest, '-')?,
        _ => return None,
    };
    REAL_TIME.contains(&signal).then_some(signal)
}

// ANCHOR: kill
/// Sends `signal` to the containers that `ids` mean. They decide what to do about it, except for SIGKILL: when this
/// returns, they have ended.
pub fn kill(ids: &[String], signal: &str, state: &Path) -> Result<u8> {
    let signal = named(signal)?;
    let mut code = 0;
    for id in ids {
        match one(id, signal, state).with_context(|| format!("cannot kill {}", shown(id))) {
            Ok(()) => code = code.max(print(id)),
            Err(error) => {
                warn(&error);
                code = FAILED;
            }
        }
    }
    Ok(code)
}

fn one(id: &str, signal: i32, state: &Path) -> Result<()> {
    let container = store::find(state, id)?;
    if signal != libc::SIGKILL {
        // Before that, there is no command that could receive it.
        store::started(state, &container.id)?;
    }
    let path = paths::lock(state, &container.id);
    let lock = open_regular(&path, File::options().read(true));
    match container.running()? {
        Some(process) if signal == libc::SIGKILL => process.kill(&container.id)?,
        Some(process) => return process.signal(signal),
        None => bail!("it is not running"),
    }
    lock.iter().for_each(store::ended);
    Ok(())
}
// ANCHOR_END: kill
