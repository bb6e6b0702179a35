//! Devices in version 1: devices.allow, devices.deny and devices.list. The kernel's cgroup-v1/devices.rst.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result, ensure};

use crate::oci::cgroup::devices::policy::{Devices, Policy, access, letters};
use crate::oci::cgroup::file::{Reading, open_to_write, read};

const LIST: &str = "devices.list";

// ANCHOR: apply
/// Changes what `group` allows into `policy`.
///
/// Only what differs is written. If everything were denied first, a running container would lose /dev/null for a
/// moment.
pub fn apply(group: &Path, policy: &Policy) -> Result<()> {
    let current = parse(&read(group, LIST).reading(group, LIST)?)?;
    let [deny, allow] = ["devices.deny", "devices.allow"].map(|name| {
        let file = open_to_write(group, name);
        file.with_context(|| format!("cannot open {}", group.join(name).display()))
    });
    let (deny, allow) = (deny?, allow?);
    for (is_allow, rule) in changes(&current, policy) {
        let (mut file, verb) = if is_allow {
            (&allow, "allow")
        } else {
            (&deny, "deny")
        };
        let written = file.write_all(rule.as_bytes());
        written.with_context(|| format!("the kernel refuses to {verb} {rule:?}"))?;
    }
    let has = parse(&read(group, LIST).reading(group, LIST)?)?;
    // The list does not show the exceptions from "all".
    let is_so = has.allows == policy.allows && (has.allows || has == *policy);
    ensure!(
        is_so,
        "the kernel does not take the rules as they are\nhint: does a cgroup above deny them?"
    );
    Ok(())
}
// ANCHOR_END: apply

// ANCHOR: changes
/// What to write to lead from `current` to `wanted`: whether to allow, and a rule.
fn changes(current: &Policy, wanted: &Policy) -> Vec<(bool, String)> {
    let none = BTreeMap::new();
    let mut changes = Vec::new();
    // If everything is allowed, there may be exceptions that we cannot see.
    let starts_anew = current.allows || current.allows != wanted.allows;
    if starts_anew {
        changes.push((wanted.allows, "a *:* rwm".to_owned()));
    }
    let old = if starts_anew {
        &none
    } else {
        &current.exceptions
    };
    let mut differ = |is_allow, from: &BTreeMap<Devices, u8>, to: &BTreeMap<Devices, u8>| {
        for (devices, access) in from {
            let only = access & !to.get(devices).unwrap_or(&0);
            if only != 0 {
                changes.push((is_allow, format!("{devices} {}", letters(only))));
            }
        }
    };
    differ(wanted.allows, old, &wanted.exceptions);
    differ(!wanted.allows, &wanted.exceptions, old);
    changes
}
// ANCHOR_END: changes

/// The contents of devices.list, as "c 1:3 rwm".
fn parse(list: &str) -> Result<Policy> {
    let mut policy = Policy::default();
    for line in list.lines() {
        let words: Vec<_> = line.split([' ', ':']).collect();
        let [kind, major, minor, letters] = words[..] else {
            anyhow::bail!("cannot understand {line:?} in {LIST}");
        };
        let number = |word: &str| match word {
            "*" => Ok(None),
            word => word
                .parse()
                .map(Some)
                .with_context(|| format!("{line:?} in {LIST}")),
        };
        let (major, minor) = (number(major)?, number(minor)?);
        match kind {
            "a" => {
                policy = Policy {
                    allows: true,
                    ..Policy::default()
                }
            }
            kind => {
                let devices = Devices {
                    major,
                    minor,
                    is_block: kind == "b",
                };
                policy.exceptions.insert(devices, access(letters));
            }
        }
    }
    Ok(policy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_differences_are_written() {
        let from = parse("c 1:3 rwm\nc 1:11 rw\nb *:* m\n").unwrap();
        let to = parse("c 1:3 rwm\nc 1:11 rm\n").unwrap();
        let changes = changes(&from, &to);
        let expected = [(false, "b *:* m"), (false, "c 1:11 w"), (true, "c 1:11 m")];
        assert_eq!(
            changes,
            expected.map(|(is_allow, rule)| (is_allow, rule.to_owned()))
        );
    }

    #[test]
    fn from_all_the_only_way_is_to_start_anew() {
        let to = parse("c 1:3 rwm\n").unwrap();
        let changes = changes(&parse("a *:* rwm\n").unwrap(), &to);
        assert_eq!(
            changes,
            [
                (false, "a *:* rwm".to_owned()),
                (true, "c 1:3 rwm".to_owned())
            ]
        );
    }
}
