//! System calls that a profile refuses by name.

use std::fs;

use serde_json::{Value, json};

use crate::oci::container::Container;

/// What a host needs for a container with its own user namespace.
macro_rules! need_filter {
    () => {
        $crate::need_namespaces!();
        if nix::unistd::geteuid().is_root() {
            $crate::need_cgroups!();
        }
    };
}
#[allow(unused_imports)] // The parts that follow use it.
pub(crate) use need_filter;

/// A container that an ordinary user may have as well, with this seccomp profile.
pub fn filtered(profile: Value) -> Container {
    let mut container = Container::new();
    let bundle = container.ground.rootfs().parent().unwrap().to_owned();
    fs::remove_file(bundle.join("config.json")).unwrap();
    let words = ["spec", "--rootless", "--bundle", bundle.to_str().unwrap()];
    assert_eq!(container.runc.see(&words).code, Some(0));
    let text = fs::read(bundle.join("config.json")).unwrap();
    container.spec = serde_json::from_slice(&text).unwrap();
    container.spec["process"]["terminal"] = false.into();
    container.spec["root"]["readonly"] = false.into();
    container.spec["linux"]["seccomp"] = profile;
    container
}

/// Everything is allowed, except for `rule`.
pub fn except(rule: Value) -> Value {
    json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule]})
}

/// The names of all system calls of this machine's kind of programs.
pub fn all_names() -> Vec<&'static str> {
    let lists = [
        include_str!("../../../src/oci/seccomp/calls.rs"),
        #[cfg(target_arch = "x86_64")]
        include_str!("../../../src/oci/seccomp/calls/x86.rs"),
        #[cfg(target_arch = "aarch64")]
        include_str!("../../../src/oci/seccomp/calls/arm.rs"),
    ];
    let words = lists.into_iter().flat_map(str::split_ascii_whitespace);
    words.collect()
}

#[test]
fn a_refused_call_fails_with_the_error_of_its_rule() {
    need_filter!();
    let names = json!(["mkdir", "mkdirat"]);
    let rule = json!({"names": names, "action": "SCMP_ACT_ERRNO", "errnoRet": 28});
    let mut container = filtered(except(rule));
    let seen = container.run("mkdir /new; ls -d /new");
    assert!(
        seen.stderr.contains("No space left on device"),
        "{}",
        seen.stderr
    );
    assert_eq!(seen.stdout, "");
}

#[test]
fn a_call_can_end_its_process() {
    need_filter!();
    let names = json!(["mkdir", "mkdirat"]);
    let rule = json!({"names": names, "action": "SCMP_ACT_KILL_PROCESS"});
    let mut container = filtered(except(rule));
    let seen = container.run("mkdir /new 2>/dev/null; echo $?");
    // 128 and SIGSYS.
    assert_eq!(seen.stdout, "159\n", "{}", seen.stderr);
}

#[test]
fn a_list_of_what_is_allowed_refuses_the_rest() {
    need_filter!();
    let mut names = all_names();
    names.retain(|name| !name.starts_with("mkdir"));
    let rule = json!({"names": names, "action": "SCMP_ACT_ALLOW"});
    let profile = json!({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [rule]});
    let mut container = filtered(profile);
    let seen = container.run("mkdir /new; echo here");
    assert_eq!(seen.stdout, "here\n", "{}", seen.stderr);
    assert!(
        seen.stderr.contains("Operation not permitted"),
        "{}",
        seen.stderr
    );
}

#[test]
fn names_that_nobody_knows_do_no_harm() {
    need_filter!();
    let rule =
        json!({"names": ["a_call_of_tomorrow", "mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO"});
    let mut container = filtered(except(rule));
    let seen = container.run("mkdir /new; echo here");
    assert_eq!(seen.stdout, "here\n", "{}", seen.stderr);
    assert!(
        seen.stderr.contains("Operation not permitted"),
        "{}",
        seen.stderr
    );
}

#[test]
fn the_filter_does_not_need_the_promise() {
    need_filter!();
    for promise in [true, false] {
        let rule = json!({"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO"});
        let mut container = filtered(except(rule));
        container.spec["process"]["noNewPrivileges"] = promise.into();
        let seen = container.run("grep -E '^(NoNewPrivs|Seccomp):' /proc/self/status");
        let expected = format!("NoNewPrivs:\t{}\nSeccomp:\t2\n", u8::from(promise));
        assert_eq!(seen.stdout, expected, "{}", seen.stderr);
    }
}

#[test]
fn a_further_command_is_filtered_as_well() {
    need_filter!();
    let rule = json!({"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO"});
    let mut container = filtered(except(rule));
    container.start("true");
    let seen = container.exec(&[], &["mkdir", "/new"]);
    assert!(
        seen.stderr.contains("Operation not permitted"),
        "{}",
        seen.stderr
    );
}
