//! New limits from the options of `update`: `--memory 64m`, `--cpu-share 200`, and so on.

use std::fmt::Display;
use std::str::FromStr;

use anyhow::{Context, Result, anyhow, bail};
use oci_spec::runtime::LinuxResources;
use serde_json::{Value, json};

use crate::oci::cgroup::update::json::parse;

// ANCHOR: flags
/// What an option stands for: its name without the dashes, the place in `linux.resources`, and how to read it.
type Flag = (&'static str, &'static str, fn(&str) -> Result<Value>);

/// All options that change `linux.resources`.
const FLAGS: [Flag; 16] = [
    ("blkio-weight", "/blockIO/weight", number::<u16>),
    ("cpu-period", "/cpu/period", number::<u64>),
    ("cpu-quota", "/cpu/quota", number::<i64>),
    ("cpu-burst", "/cpu/burst", number::<u64>),
    ("cpu-share", "/cpu/shares", number::<u64>),
    ("cpu-rt-period", "/cpu/realtimePeriod", number::<u64>),
    ("cpu-rt-runtime", "/cpu/realtimeRuntime", number::<i64>),
    ("cpu-idle", "/cpu/idle", number::<i64>),
    ("cpuset-cpus", "/cpu/cpus", text),
    ("cpuset-mems", "/cpu/mems", text),
    ("memory", "/memory/limit", size),
    ("memory-swap", "/memory/swap", size),
    ("memory-reservation", "/memory/reservation", size),
    ("kernel-memory", "/memory/kernel", size),
    ("kernel-memory-tcp", "/memory/kernelTCP", size),
    ("pids-limit", "/pids/limit", number::<i64>),
];
// ANCHOR_END: flags

/// The limits that these options ask for. Each is a name without dashes, and a value; an empty value changes nothing.
///
/// Fails if a value cannot be read. `--resources`, `--l3-cache-schema` and `--mem-bw-schema` are for the caller.
pub fn resources<'a>(
    options: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Result<LinuxResources> {
    let mut resources = json!({});
    for (name, value) in options {
        let flag = FLAGS.iter().find(|flag| flag.0 == name);
        let (_, place, read) = flag.with_context(|| format!("there is no option --{name}"))?;
        if value.is_empty() {
            continue;
        }
        let read = read(value).with_context(|| format!("invalid value for {name}"))?;
        // A weight of 0 is none, as for runc.
        if name != "blkio-weight" || read != 0 {
            let (group, field) = place[1..]
                .split_once('/')
                .context("the table has two names")?;
            resources[group][field] = read;
        }
    }
    parse(resources)
}

fn number<T: FromStr<Err: Display> + Into<Value>>(text: &str) -> Result<Value> {
    let number = text.parse::<T>();
    number
        .map(Into::into)
        .map_err(|error| anyhow!("{text:?}: {error}"))
}

fn text(text: &str) -> Result<Value> {
    Ok(text.into())
}

/// Bytes, from a number and a unit, each a power of 1024: "64m", "1.5GiB", "1024". -1 is no limit.
fn size(text: &str) -> Result<Value> {
    if text == "-1" {
        return Ok((-1).into());
    }
    let end = text.find(|letter: char| !letter.is_ascii_digit() && letter != '.');
    let (number, unit) = text.split_at(end.unwrap_or(text.len()));
    let unit = unit.trim_start().to_ascii_lowercase();
    let unit = unit
        .strip_suffix("ib")
        .or(unit.strip_suffix('b'))
        .unwrap_or(&unit);
    let power = ["", "k", "m", "g", "t", "p"]
        .iter()
        .position(|known| *known == unit);
    let (Ok(number), Some(power)) = (number.parse::<f64>(), power) else {
        bail!("{text:?}: expected a number, optionally followed by b, k, m, g, t or p");
    };
    let bytes = number * 1024f64.powi(power as i32);
    match bytes < i64::MAX as f64 {
        true => Ok((bytes as i64).into()),
        false => bail!("{text:?}: no machine has that much memory"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_become_limits() {
        let options = [
            ("memory", "1.5GiB"),
            ("memory-swap", "-1"),
            ("cpu-share", "200"),
            ("cpuset-cpus", ""),
        ];
        let read = serde_json::to_value(resources(options).unwrap()).unwrap();
        let expected =
            json!({"memory": {"limit": 1_610_612_736, "swap": -1}, "cpu": {"shares": 200}});
        assert_eq!(read, expected);
        for (name, value) in [
            ("memory", "12x"),
            ("cpu-share", "-1"),
            ("blkio-weight", "70000"),
            ("x", "1"),
        ] {
            assert!(resources([(name, value)]).is_err(), "{name} {value}");
        }
    }
}
