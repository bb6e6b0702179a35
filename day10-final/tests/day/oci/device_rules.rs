//! Which devices a container may use: rules, and the files of cgroup v1.

use std::fs;

use serde_json::{Value, json};

use crate::oci::container::{Container, need_root};
use crate::support::{Seen, skip};

/// What a container may do with /dev/kmsg, a device that is not for it.
const TRY: &str = "exec 2>/dev/null; mknod /kmsg c 1 11 && echo made; [ -c /kmsg ] && { (: </kmsg) && echo read; \
                   (: >>/kmsg) && echo written; }; (: </dev/null) && echo null; rm -f /kmsg";

/// Returns from a test, aloud, where there is no file for rules.
macro_rules! need_v1 {
    () => {
        need_root!();
        if !fs::exists("/sys/fs/cgroup/devices/devices.list").unwrap() {
            return skip("the devices controller of cgroup v1");
        }
    };
}

/// A container that may create devices, and read the kernel's log.
fn container() -> Container {
    let mut container = Container::new();
    container.grant("CAP_MKNOD");
    container.grant("CAP_SYSLOG");
    container
}

fn run(container: &mut Container, rules: &Value) -> Seen {
    container.spec["linux"]["resources"] = json!({ "devices": rules });
    container.run(TRY)
}

fn all(allow: bool) -> Value {
    json!({"allow": allow, "access": "rwm"})
}

fn kmsg(allow: bool, access: &str) -> Value {
    json!({"allow": allow, "type": "c", "major": 1, "minor": 11, "access": access})
}

#[test]
fn the_last_rule_that_fits_decides() {
    need_v1!();
    let mut container = container();
    for (rules, expected) in [
        (json!([]), "made null"),
        (json!([all(false)]), "made null"),
        (json!([all(true)]), "made read written null"),
        (json!([all(false), kmsg(true, "r")]), "made read null"),
        (json!([all(false), kmsg(true, "w")]), "made written null"),
        (json!([kmsg(true, "r"), all(false)]), "made null"),
        (json!([all(true), kmsg(false, "w")]), "made read null"),
        (json!([all(true), kmsg(false, "m")]), "null"),
        (
            json!([all(false), kmsg(true, "rw"), kmsg(false, "w")]),
            "made read null",
        ),
    ] {
        let seen = run(&mut container, &rules);
        let words: Vec<_> = seen.stdout.split_whitespace().collect();
        assert_eq!(words.join(" "), expected, "{rules}: {}", seen.stderr);
    }
}

#[test]
fn nobody_loses_what_every_program_needs() {
    need_v1!();
    let mut container = container();
    let rule = json!({"allow": false, "type": "c", "major": 1, "minor": 3, "access": "rwm"});
    container.spec["linux"]["resources"] = json!({"devices": [all(true), rule]});
    let seen =
        container.run("for n in null zero full random urandom; do : </dev/$n && echo $n; done");
    assert_eq!(
        seen.stdout, "null\nzero\nfull\nrandom\nurandom\n",
        "{}",
        seen.stderr
    );
}

#[test]
fn an_exception_from_an_exception_is_refused() {
    need_root!();
    let memory = json!({"allow": true, "type": "c", "major": 1, "access": "rw"});
    let seen = run(&mut container(), &json!([memory, kmsg(false, "w")]));
    assert_eq!(seen.code, Some(1));
    let words = "devices[1]: cannot deny \"c 1:11 w\" only: an earlier rule is for \"c 1:* w\"";
    assert!(seen.stderr.contains(words), "{}", seen.stderr);
}

#[test]
fn a_rule_must_say_what_it_is_for() {
    need_root!();
    let mut container = container();
    for (rule, words) in [
        (
            kmsg(true, "xyz"),
            "linux.resources.devices[0].access: \"xyz\" has none of r, w and m",
        ),
        (
            kmsg(true, ""),
            "devices[0]: device access field cannot be empty",
        ),
        (
            json!({"allow": true, "type": "p", "access": "r"}),
            "type is \"p\", but a FIFO is",
        ),
        (
            json!({"allow": true, "type": "c", "major": -7, "access": "r"}),
            "major is -7, which no device has",
        ),
    ] {
        let seen = run(&mut container, &json!([rule.clone()]));
        assert_eq!(seen.code, Some(1), "{rule}");
        assert!(seen.stderr.contains(words), "{rule}: {}", seen.stderr);
    }
}

/// As with runc, whose tests have such rules.
#[test]
fn other_letters_mean_nothing() {
    need_v1!();
    let seen = run(&mut container(), &json!([all(false), kmsg(true, "ra")]));
    assert_eq!(seen.stdout, "made\nread\nnull\n", "{}", seen.stderr);
}
