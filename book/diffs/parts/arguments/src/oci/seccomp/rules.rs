//! What a profile says about each system call. config-linux.md, "Seccomp", and seccomp_rule_add(3).
//!
//! Where the specification leaves a choice, this follows libseccomp: profiles are written and tested with it.

use std::cmp::Reverse;
use std::collections::HashMap;

use oci_spec::runtime::{LinuxSeccomp, LinuxSeccompAction, LinuxSeccompArg, LinuxSeccompOperator};

use crate::oci::seccomp::calls::Abi;

/// A profile, sorted by the names of the calls.
pub struct Rules<'a> {
    /// What the kernel does with all other calls: one of the SECCOMP_RET_ values of seccomp(2), with its data.
    pub default: u32,
    /// Whether calls that are newer than all that the profile names fail with ENOSYS, as with runc since 1.0.
    ///
    /// With EPERM, a new C library on a new kernel would not fall back on the older call that the profile allows.
    pub hide_newer: bool,
    /// Every name in the profile. Some have no rules, because their action is the default one.
    by_name: HashMap<&'a str, Vec<Rule>>,
}

/// What to do with a call if all conditions hold.
#[derive(Clone)]
pub struct Rule {
    pub action: u32,
    pub conditions: Vec<Condition>,
}

/// About one argument: `args` in config.json.
#[derive(Clone, Copy)]
pub struct Condition {
    pub index: usize,
    pub operator: LinuxSeccompOperator,
    pub value: u64,
    pub value_two: u64,
}

impl Condition {
    // ANCHOR: precedence
    /// Smaller is earlier: what is more specific comes first. So `arg > 5` decides before `arg > 3`, whose action would
    /// otherwise be taken for 6, too. Like libseccomp, begin with the last arguments.
    fn precedence(&self) -> (Reverse<usize>, u32, u64) {
        use LinuxSeccompOperator::*;
        let (kind, value) = match self.operator {
            ScmpCmpEq | ScmpCmpNe | ScmpCmpMaskedEq => (0, !self.value),
            ScmpCmpLt | ScmpCmpLe => (1, self.value),
            ScmpCmpGe | ScmpCmpGt => (2, !self.value),
        };
        (Reverse(self.index), kind, value)
    }
    // ANCHOR_END: precedence

    /// With an empty mask, there is nothing to compare. In 32-bit programs, only the lower half of a mask counts.
    fn can_fail(&self, wide: bool) -> bool {
        let mask = match wide {
            true => self.value,
            false => self.value & u64::from(u32::MAX),
        };
        self.operator != LinuxSeccompOperator::ScmpCmpMaskedEq || mask != 0
    }
}

impl<'a> Rules<'a> {
    pub fn new(profile: &'a LinuxSeccomp) -> Self {
        use LinuxSeccompAction::*;
        let action = profile.default_action();
        let default = action.as_u32(profile.default_errno_ret());
        // With these, unknown calls go through on purpose.
        let hide_newer = !matches!(action, ScmpActAllow | ScmpActLog | ScmpActTrace);
        let mut by_name: HashMap<&str, Vec<Rule>> = HashMap::new();
        for call in profile.syscalls().iter().flatten() {
            let action = call.action().as_u32(call.errno_ret());
            for name in call.names() {
                let rules = by_name.entry(name).or_default();
                // A rule is there to make a difference. Without one, the other rules for this call decide.
                if action != default {
                    rules.extend(split(action, call.args().as_deref().unwrap_or_default()));
                }
            }
        }
        Rules {
            default,
            hide_newer,
            by_name,
        }
    }

    // ANCHOR: of
    /// The rules for a call, or None if the profile has nothing to say about it.
    ///
    /// The first rule whose conditions hold decides. If there is none, it is the default action.
    pub fn of(&self, name: &str, abi: &Abi) -> Option<Vec<Rule>> {
        // A few calls have two names.
        let names = name.split('|').filter_map(|name| self.by_name.get(name));
        let lists: Vec<_> = names.cloned().collect();
        if lists.is_empty() {
            return None;
        }
        let mut rules = lists.concat();
        for rule in &mut rules {
            rule.conditions.retain(|each| each.can_fail(abi.wide));
        }
        // A rule without conditions beats all others, wherever it is. Of several, it is the first.
        if let Some(rule) = rules.iter().position(|rule| rule.conditions.is_empty()) {
            return Some(vec![rules.swap_remove(rule)]);
        }
        rules.sort_by_key(|rule| {
            rule.conditions
                .iter()
                .map(Condition::precedence)
                .collect::<Vec<_>>()
        });
        Some(rules)
    }
    // ANCHOR_END: of
}

// ANCHOR: split
/// All conditions of a rule must hold. But if two are about the same argument, any of them is enough: runc and crun
/// have always read profiles like this.
fn split(action: u32, arguments: &[LinuxSeccompArg]) -> Vec<Rule> {
    let condition = |argument: &LinuxSeccompArg| Condition {
        index: argument.index(),
        operator: argument.op(),
        value: argument.value(),
        value_two: argument.value_two().unwrap_or(0),
    };
    let mut conditions: Vec<_> = arguments.iter().map(condition).collect();
    conditions.sort_by_key(|condition| condition.index);
    let rule = |conditions: &[Condition]| Rule {
        action,
        conditions: conditions.to_vec(),
    };
    match conditions.is_sorted_by(|one, next| one.index < next.index) {
        true => vec![rule(&conditions)],
        false => conditions.chunks(1).map(rule).collect(),
    }
}
// ANCHOR_END: split
