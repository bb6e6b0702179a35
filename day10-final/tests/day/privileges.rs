//! What a container's processes may do: `--cap-add`, `--cap-drop`, `--security-opt`.

pub mod kernel;
pub mod processes;
pub mod seccomp;
pub mod setuid;
pub mod users;

use std::fs;

use insta::assert_snapshot;
use nix::unistd::geteuid;

use crate::need_namespaces;
use crate::privileges::users::can_be_somebody_else;
use crate::support::{host, see};

/// The lines of /proc/self/status that this is about, of the command in a container with these `options`.
fn status(options: &str) -> String {
    let line = "Cap|NoNewPrivs|Seccomp:";
    let mut arguments = vec!["run", "--net", "isolated"];
    arguments.extend(options.split_whitespace());
    arguments.extend(["grep", "-E", line, "/proc/self/status"]);
    let seen = see(&arguments);
    assert_eq!((seen.code, seen.stderr.as_str()), (Some(0), ""));
    seen.stdout.replace('\t', " ")
}

#[test]
fn by_default_a_container_has_the_capabilities_that_dockers_have() {
    need_namespaces!();
    assert_snapshot!(status(""), @"
    CapInh: 0000000000000000
    CapPrm: 00000000a80425fb
    CapEff: 00000000a80425fb
    CapBnd: 00000000a80425fb
    CapAmb: 0000000000000000
    NoNewPrivs: 1
    Seccomp: 2
    ");
}

#[test]
fn capabilities_can_be_added_and_dropped() {
    need_namespaces!();
    let sets = |options| {
        let status = status(options);
        let set = |name| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            line.unwrap().trim().to_owned()
        };
        assert_eq!(set("CapInh:"), set("CapAmb:"));
        assert!(set("CapPrm:") == set("CapEff:") && set("CapEff:") == set("CapBnd:"));
        set("CapEff:")
    };
    let mut table = String::new();
    for options in [
        "--cap-drop ALL",
        "--cap-drop ALL --cap-add NET_BIND_SERVICE",
        "--cap-drop all --cap-add cap_net_bind_service",
        "--cap-add Net_Admin",
        "--cap-add NET_ADMIN --cap-drop NET_ADMIN",
        "--cap-drop NET_RAW --cap-drop CAP_MKNOD",
    ] {
        table += &format!("{} {options}\n", sets(options));
    }
    assert_snapshot!(table, @r"
    0000000000000000 --cap-drop ALL
    0000000000000400 --cap-drop ALL --cap-add NET_BIND_SERVICE
    0000000000000400 --cap-drop all --cap-add cap_net_bind_service
    00000000a80435fb --cap-add Net_Admin
    00000000a80435fb --cap-add NET_ADMIN --cap-drop NET_ADMIN
    00000000a00405fb --cap-drop NET_RAW --cap-drop CAP_MKNOD
    ");
    // What this process does not have, it cannot give. In a user namespace it has all.
    let all = (1_u64 << (last_capability() + 1)) - 1;
    let ours = if geteuid().is_root() { bounding() } else { all };
    assert_eq!(sets("--cap-add ALL"), format!("{ours:016x}"));
    let without = ours & !(1 << 21);
    assert_eq!(
        sets("--cap-add ALL --cap-drop SYS_ADMIN"),
        format!("{without:016x}")
    );
}

fn last_capability() -> u32 {
    host("cat /proc/sys/kernel/cap_last_cap")
        .trim()
        .parse()
        .unwrap()
}

/// The set that limits this process.
fn bounding() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let set = status.lines().find_map(|line| line.strip_prefix("CapBnd:"));
    u64::from_str_radix(set.unwrap().trim(), 16).unwrap()
}

#[test]
fn new_privileges_can_be_allowed() {
    need_namespaces!();
    let default = status("");
    for (option, value) in [
        ("no-new-privileges", "1"),
        ("no-new-privileges=true", "1"),
        ("no-new-privileges:false", "0"),
        ("no-new-privileges=false", "0"),
    ] {
        let expected = default.replace("NoNewPrivs: 1", &format!("NoNewPrivs: {value}"));
        assert_eq!(status(&format!("--security-opt {option}")), expected);
    }
    let expected = default.replace("Seccomp: 2", "Seccomp: 0");
    assert_eq!(status("--security-opt seccomp=unconfined"), expected);
}

#[test]
fn pid_1_of_init_has_no_more_than_the_command() {
    need_namespaces!();
    // Nor has it anything else that a command of another user's lacks.
    let other = if can_be_somebody_else() {
        "-u nobody"
    } else {
        ""
    };
    for options in [
        "",
        "--cap-drop ALL",
        "--security-opt no-new-privileges=false",
        other,
    ] {
        let mut arguments = vec!["run", "--net", "isolated", "--init"];
        arguments.extend(options.split_whitespace());
        let script = "for of in 1 self; do grep -E 'Uid|Gid|Groups|Cap|NoNew|Seccomp' /proc/$of/status; done";
        arguments.extend(["sh", "-c", script]);
        let seen = see(&arguments).stdout;
        let lines: Vec<_> = seen.lines().collect();
        let (pid_1, command) = lines.split_at(lines.len() / 2);
        assert!(pid_1.len() > 9, "{seen}");
        assert_eq!(pid_1, command, "{options}");
    }
}

#[test]
fn a_capability_that_does_not_exist_exits_125() {
    let mut messages = String::new();
    for arguments in [
        ["--cap-add", "NET_WORK"],
        ["--cap-drop", "CAP_ALL"],
        ["--cap-add", ""],
        ["--security-opt", "apparmor=unconfined"],
    ] {
        let seen = see(&["run", arguments[0], arguments[1], "true"]);
        assert_eq!(seen.code, Some(125));
        messages += seen.stderr.lines().next().unwrap();
        messages += "\n";
    }
    assert_snapshot!(messages, @r"
    error: invalid value 'NET_WORK' for '--cap-add <CAPABILITY>': no such capability
    error: invalid value 'CAP_ALL' for '--cap-drop <CAPABILITY>': no such capability
    error: invalid value '' for '--cap-add <CAPABILITY>': no such capability
    tiny-docker: apparmor=unconfined is not supported: containers have no AppArmor profile and no SELinux label
    ");
}
