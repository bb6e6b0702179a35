//! Which devices a container may use: the program that cgroup v2 asks.

use std::process::Command;

use serde_json::{Value, json};

use crate::network::bridge::is_installed;
use crate::oci::container::{Container, need_root};
use crate::support::{Seen, skip};

/// What a container may do with /dev/kmsg, a device that is not for it; and with a block device.
const TRY: &str = "exec 2>/dev/null; mknod /kmsg c 1 11 && echo made; [ -c /kmsg ] && { (: </kmsg) && echo read; \
                   (: >>/kmsg) && echo written; (: <>/kmsg) && echo both; }; mknod /loop b 7 0 && echo block; \
                   (: </dev/null) && echo null; rm -f /kmsg /loop";

/// A container that may create devices, and read the kernel's log.
fn container() -> Container {
    let mut container = Container::new();
    container.grant("CAP_MKNOD");
    container.grant("CAP_SYSLOG");
    container.spec["linux"]["cgroupsPath"] = "/{id}".into();
    container
}

/// `run`, by way of `prefix`. For tiny-runc, nothing but version 2 is mounted, as on a host that has no other.
fn run(container: &mut Container, rules: &Value, prefix: &[&str]) -> Seen {
    container.spec["linux"]["resources"] = json!({ "devices": rules });
    container.runs(TRY);
    let run = container.command("run", &[]);
    let only_v2 =
        "umount -R /sys/fs/cgroup && mount -t cgroup2 cgroup2 /sys/fs/cgroup && exec \"$0\" \"$@\"";
    let mut unshare = Command::new("unshare");
    unshare.args(["--mount", "sh", "-c", only_v2]).args(prefix);
    unshare.arg(run.get_program()).args(run.get_args());
    unshare.output().unwrap().into()
}

fn all(allow: bool) -> Value {
    json!({"allow": allow, "access": "rwm"})
}

fn kmsg(allow: bool, access: &str) -> Value {
    json!({"allow": allow, "type": "c", "major": 1, "minor": 11, "access": access})
}

#[test]
fn the_program_answers_as_the_rules_do() {
    need_root!();
    let mut container = container();
    let blocks = json!({"allow": false, "type": "b", "access": "rwm"});
    for (rules, expected) in [
        (json!([]), "made block null"),
        (json!([all(true)]), "made read written both block null"),
        (json!([all(false), kmsg(true, "r")]), "made read block null"),
        (
            json!([all(false), kmsg(true, "w")]),
            "made written block null",
        ),
        (
            json!([all(false), kmsg(true, "rw")]),
            "made read written both block null",
        ),
        // To read and write at once is to write.
        (json!([all(true), kmsg(false, "w")]), "made read block null"),
        (json!([all(true), kmsg(false, "m")]), "block null"),
    ] {
        let seen = run(&mut container, &rules, &[]);
        let words: Vec<_> = seen.stdout.split_whitespace().collect();
        assert_eq!(words.join(" "), expected, "{rules}: {}", seen.stderr);
    }
    let seen = run(
        &mut container,
        &json!([all(true), blocks, kmsg(false, "r")]),
        &[],
    );
    let words: Vec<_> = seen.stdout.split_whitespace().collect();
    assert_eq!(
        words,
        ["made", "written", "block", "null"],
        "{}",
        seen.stderr
    );
}

#[test]
fn there_can_be_too_many_rules() {
    need_root!();
    let many = (0..1000).map(
        |minor| json!({"allow": true, "type": "c", "major": 200, "minor": minor, "access": "r"}),
    );
    let seen = run(&mut container(), &many.collect(), &[]);
    assert_eq!(seen.code, Some(1));
    assert!(
        seen.stderr.contains("there are too many rules"),
        "{}",
        seen.stderr
    );
}

#[test]
fn the_program_has_the_instructions_of_the_rules() {
    need_root!();
    if !is_installed("strace") {
        return skip("strace: sudo apt install strace");
    }
    let trace = ["strace", "-v", "-e", "trace=bpf", "-e", "signal=none"];
    let seen = run(
        &mut container(),
        &json!([all(true), kmsg(false, "rwm")]),
        &trace,
    );
    // The start, 5 instructions for the one exception, and the answer.
    let words = "insn_cnt=13,";
    assert!(seen.stderr.contains(words), "{}", seen.stderr);
    assert!(seen.stderr.contains("BPF_CGROUP_DEVICE"), "{}", seen.stderr);
}
