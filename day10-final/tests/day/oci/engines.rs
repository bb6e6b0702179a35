//! What engines rely on: `features`, and that a configuration may be written as Go reads it.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use crate::oci::TinyRunc;
use crate::oci::container::{Container, need_root};
use crate::support::{Seen, groups};

fn features() -> (String, Value) {
    let seen = TinyRunc::new().see(&["features"]);
    assert_eq!((seen.code, seen.stderr.as_str()), (Some(0), ""));
    let read = serde_json::from_str(&seen.stdout).unwrap();
    (seen.stdout, read)
}

#[test]
fn features_are_the_same_each_time() {
    assert_eq!(features().0, features().0);
}

#[test]
fn features_have_the_fields_of_the_specification() {
    let (_, features) = features();
    assert_eq!(features["ociVersionMin"], "1.0.0");
    assert_eq!(features["linux"]["capabilities"][0], "CAP_CHOWN");
    assert_eq!(features["linux"]["cgroup"]["systemd"], false);
    assert_eq!(
        features["linux"]["mountExtensions"]["idmap"]["enabled"],
        true
    );
    for (list, word) in [
        ("/hooks", "createRuntime"),
        ("/mountOptions", "rro"),
        ("/linux/namespaces", "time"),
        ("/linux/seccomp/actions", "SCMP_ACT_NOTIFY"),
        ("/linux/seccomp/operators", "SCMP_CMP_MASKED_EQ"),
        ("/linux/seccomp/archs", "SCMP_ARCH_X86_64"),
        ("/linux/memoryPolicy/modes", "MPOL_BIND"),
    ] {
        let list = features.pointer(list).and_then(Value::as_array).unwrap();
        assert!(list.contains(&word.into()), "{word}: {list:?}");
    }
}

/// As with `| head`.
#[test]
fn somebody_who_has_read_enough_causes_no_error() {
    let (reader, writer) = nix::unistd::pipe().unwrap();
    drop(reader);
    let runc = TinyRunc::new();
    let mut features = runc.command(&["features"]);
    let seen: Seen = features.stdout(writer).output().unwrap().into();
    assert_eq!((seen.code, seen.stderr.as_str()), (Some(0), ""));
}

/// What `features` denies is refused, and the error names the field.
#[test]
fn what_is_not_done_is_refused() {
    let (_, features) = features();
    let runc = TinyRunc::new();
    for (field, value) in [
        ("intelRdt", json!({"closID": "guaranteed"})),
        ("netDevices", json!({"eth0": {"name": "in"}})),
    ] {
        assert_eq!(features["linux"][field]["enabled"], false);
        let bundle = tempfile::tempdir().unwrap();
        let mut spec = runc.spec(bundle.path());
        spec["linux"][field] = value;
        fs::create_dir(bundle.path().join("rootfs")).unwrap();
        fs::write(bundle.path().join("config.json"), spec.to_string()).unwrap();
        let seen = runc.see(&[
            "run",
            "--bundle",
            bundle.path().to_str().unwrap(),
            "refused",
        ]);
        assert_eq!(seen.code, Some(1));
        let said = format!("linux.{field} is not supported");
        assert!(seen.stderr.contains(&said), "{}", seen.stderr);
    }
}

/// Hooks such as those of a network plugin are run by the runtime, and find the host's devices.
#[test]
fn its_network_is_new_and_the_hooks_are_in_the_hosts() {
    need_root!();
    let mut container = Container::new();
    let log = container.ground.place("hook");
    let line = format!("readlink /proc/self/ns/net >{}", log.display());
    container.spec["hooks"]["createRuntime"] = json!([{
        "path": "/bin/sh", "args": ["sh", "-c", line], "env": ["PATH=/usr/bin:/bin"],
    }]);
    let seen = container.run("readlink /proc/self/ns/net; cat /sys/class/net/lo/flags");
    assert_eq!((seen.code, seen.stderr.as_str()), (Some(0), ""));
    let (inside, flags) = seen.stdout.split_once('\n').unwrap();
    let ours = fs::read_link("/proc/thread-self/ns/net").unwrap();
    assert_eq!(
        fs::read_to_string(log).unwrap().trim(),
        ours.to_str().unwrap()
    );
    assert_ne!(inside, ours.to_str().unwrap());
    // IFF_UP and IFF_LOOPBACK.
    assert_eq!(flags, "0x9\n");
}

#[test]
fn where_there_can_be_no_more_networks_it_is_one_error() {
    need_root!();
    let mut container = Container::new();
    container.runs("true");
    let run = container.command("run", &[]);
    let script = "echo 0 >/proc/sys/user/max_net_namespaces; exec \"$@\"";
    let mut unshare = Command::new("unshare");
    unshare.args(["--user", "--map-root-user", "sh", "-c", script, "sh"]);
    unshare.arg(run.get_program()).args(run.get_args());
    let seen: Seen = unshare.output().unwrap().into();
    assert_eq!(seen.code, Some(1));
    let said = "tiny-runc: cannot create namespaces: ENOSPC: No space left on device\nhint: ";
    assert!(seen.stderr.starts_with(said), "{}", seen.stderr);
    assert!(groups(&container.id).is_empty());
    assert_eq!(container.runc.see(&["list", "-q"]).stdout, "");
}

/// Go's decoder does not mind the case of a name.
#[test]
fn a_limit_counts_in_whatever_case_its_name_is() {
    need_root!();
    let mut container = Container::new();
    container.spec["linux"]["resources"] = json!({"PIDS": {"Limit": 33}});
    container.start(":");
    let limit = || {
        let read = "cd /sys/fs/cgroup; cat pids.max 2>/dev/null || cat pids/pids.max";
        container.exec(&[], &["sh", "-c", read]).stdout
    };
    assert_eq!(limit(), "33\n");
    let file = container.ground.place("limits.json");
    fs::write(&file, r#"{"Pids": {"LIMIT": 44}}"#).unwrap();
    let seen = container
        .runc
        .see(&["update", "-r", file.to_str().unwrap(), &container.id]);
    assert_eq!((seen.code, limit().as_str()), (Some(0), "44\n"));
}

#[test]
fn an_object_without_a_limit_is_no_limit() {
    need_root!();
    for none in [json!({}), json!({"limit": null})] {
        let mut container = Container::new();
        container.spec["linux"]["resources"] = json!({"pids": none});
        let seen = container.run("echo several | cat");
        assert_eq!(seen.stdout, "several\n", "{}", seen.stderr);
    }
}
