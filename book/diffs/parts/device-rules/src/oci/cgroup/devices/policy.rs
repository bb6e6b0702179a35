//! Rules for devices, boiled down: a default for all of them, and exceptions from it.

use std::collections::BTreeMap;
use std::fmt;

use anyhow::{Result, bail, ensure};
use oci_spec::runtime::{LinuxDeviceCgroup, LinuxDeviceType};

/// The ways to use a device: one bit for each, with the kernel's values for version 2 (linux/bpf.h).
pub const MKNOD: u8 = 1;
pub const READ: u8 = 2;
pub const WRITE: u8 = 4;
pub const ANY: u8 = MKNOD | READ | WRITE;

// ANCHOR: common
/// Character devices that every container may use: null, zero, full, random, urandom; tty, ptmx; net/tun, which
/// engines rely on; and its own terminals.
const COMMON: [(u32, Option<u32>); 9] = [
    (1, Some(3)),
    (1, Some(5)),
    (1, Some(7)),
    (1, Some(8)),
    (1, Some(9)),
    (5, Some(0)),
    (5, Some(2)),
    (10, Some(200)),
    (136, None),
];
// ANCHOR_END: common

/// Which devices an exception is for. None is all numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Devices {
    pub major: Option<u32>,
    pub minor: Option<u32>,
    pub is_block: bool,
}

/// As in devices.list: "c 1:3", "b *:*".
impl fmt::Display for Devices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = |number: Option<u32>| number.map_or("*".to_owned(), |it| it.to_string());
        let kind = if self.is_block { 'b' } else { 'c' };
        write!(f, "{kind} {}:{}", number(self.major), number(self.minor))
    }
}

/// What a cgroup allows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// Whether it allows everything that is no exception. If not, it allows only the exceptions.
    pub allows: bool,
    /// The ways of using these devices that are the other way round.
    pub exceptions: BTreeMap<Devices, u8>,
}

impl Policy {
    // ANCHOR: of
    /// The policy that the `rules` of a config.json amount to, and after them the rules that every container has. At
    /// first, nothing is allowed.
    pub fn of(rules: &[LinuxDeviceCgroup]) -> Result<Self> {
        let mut policy = Self::default();
        for (index, rule) in rules.iter().enumerate() {
            policy
                .add(rule)
                .map_err(|error| error.context(format!("devices[{index}]")))?;
        }
        for is_block in [false, true] {
            let all = Devices {
                major: None,
                minor: None,
                is_block,
            };
            policy.change(true, all, MKNOD)?;
        }
        for (major, minor) in COMMON {
            let devices = Devices {
                major: Some(major),
                minor,
                is_block: false,
            };
            policy.change(true, devices, ANY)?;
        }
        Ok(policy)
    }
    // ANCHOR_END: of

    fn add(&mut self, rule: &LinuxDeviceCgroup) -> Result<()> {
        let text = rule.access().as_deref().unwrap_or_default();
        ensure!(!text.is_empty(), "device access field cannot be empty");
        let is_block = match rule.typ().unwrap_or_default() {
            // Whatever else it says, this is for all devices, and for everything. It starts again from nothing.
            LinuxDeviceType::A => {
                *self = Self {
                    allows: rule.allow(),
                    exceptions: BTreeMap::new(),
                };
                return Ok(());
            }
            LinuxDeviceType::B => true,
            LinuxDeviceType::C | LinuxDeviceType::U => false,
            LinuxDeviceType::P => bail!("type is \"p\", but a FIFO is not a device"),
        };
        let number = |number: Option<i64>, field| match number {
            None | Some(-1) => Ok(None),
            // The kernel's own numbers are smaller still: 12 and 20 bits.
            Some(number @ 0..=0x7fff_ffff) => Ok(Some(number as u32)),
            Some(number) => bail!("{field} is {number}, which no device has"),
        };
        let (major, minor) = (
            number(rule.major(), "major")?,
            number(rule.minor(), "minor")?,
        );
        self.change(
            rule.allow(),
            Devices {
                major,
                minor,
                is_block,
            },
            access(text),
        )
    }

    // ANCHOR: change
    fn change(&mut self, allow: bool, devices: Devices, access: u8) -> Result<()> {
        if allow != self.allows {
            *self.exceptions.entry(devices).or_default() |= access;
            return Ok(());
        }
        // An exception from an exception. Version 1 has no such thing, and would ignore it in silence.
        let any = Devices {
            major: None,
            minor: None,
            ..devices
        };
        let wider = [
            any,
            Devices {
                major: None,
                ..devices
            },
            Devices {
                minor: None,
                ..devices
            },
        ];
        for wider in wider.into_iter().filter(|wider| *wider != devices) {
            let both = self.exceptions.get(&wider).unwrap_or(&0) & access;
            ensure!(
                both == 0,
                "cannot {} \"{devices} {}\" only: an earlier rule is for \"{wider} {}\"",
                if allow { "allow" } else { "deny" },
                letters(access),
                letters(both)
            );
        }
        if let Some(excepted) = self.exceptions.get_mut(&devices) {
            *excepted &= !access;
        }
        self.exceptions.retain(|_, access| *access != 0);
        Ok(())
    }
    // ANCHOR_END: change
}

/// As "rwm". Other letters mean nothing, as in runc, whose tests have such rules.
pub fn access(letters: &str) -> u8 {
    let bit = |letter| match letter {
        'r' => READ,
        'w' => WRITE,
        'm' => MKNOD,
        _ => 0,
    };
    letters.chars().map(bit).fold(0, |access, bit| access | bit)
}

/// The inverse of [`access`].
pub fn letters(access: u8) -> String {
    let bits = [(READ, 'r'), (WRITE, 'w'), (MKNOD, 'm')];
    bits.into_iter()
        .filter(|(bit, _)| access & bit != 0)
        .map(|(_, letter)| letter)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(rules: &str) -> Result<Policy> {
        Policy::of(&serde_json::from_str::<Vec<LinuxDeviceCgroup>>(rules).unwrap())
    }

    fn kmsg(policy: &Policy) -> Option<String> {
        let kmsg = Devices {
            major: Some(1),
            minor: Some(11),
            is_block: false,
        };
        policy.exceptions.get(&kmsg).map(|access| letters(*access))
    }

    #[test]
    fn without_rules_the_common_devices_are_allowed() {
        let policy = policy("[]").unwrap();
        assert!(!policy.allows);
        assert_eq!(policy.exceptions.len(), COMMON.len() + 2);
        let null = Devices {
            major: Some(1),
            minor: Some(3),
            is_block: false,
        };
        assert_eq!(policy.exceptions[&null], ANY);
    }

    #[test]
    fn later_rules_count() {
        let deny = r#"{"allow": false, "access": "rwm"}"#;
        let kmsg_rule = |allow, access| {
            format!(
                r#"{{"allow": {allow}, "type": "c", "major": 1, "minor": 11, "access": "{access}"}}"#
            )
        };
        let [allow, less] = [kmsg_rule(true, "rwm"), kmsg_rule(false, "wa")];
        let after = |rules: &[&str]| kmsg(&policy(&format!("[{}]", rules.join(","))).unwrap());
        assert_eq!(after(&[deny, &allow]).as_deref(), Some("rwm"));
        assert_eq!(after(&[deny, &allow, &less]).as_deref(), Some("rm"));
        assert_eq!(after(&[&allow, deny]), None);
        assert_eq!(after(&[deny, &less]), None);
    }

    #[test]
    fn no_hole_is_punched_into_a_wildcard() {
        let rules = r#"[{"allow": true, "type": "c", "major": 1, "access": "rw"},
                        {"allow": false, "type": "c", "major": 1, "minor": 11, "access": "w"}]"#;
        let error = format!("{:#}", policy(rules).unwrap_err());
        assert!(
            error.contains("devices[1]: cannot deny \"c 1:11 w\" only"),
            "{error}"
        );
    }
}
