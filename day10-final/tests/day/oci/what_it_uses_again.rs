//! `events --stats` in version 2.

use std::fs::File;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::oci::container::{Container, need_root};
use crate::support::{Seen, has_cgroup_v2, skip, wait_until};

/// On a hybrid host, version 2 is somewhere else, and has no controllers. It counts all the same.
const THERE: &str = "[ -e /sys/fs/cgroup/cgroup.controllers ] || \
                     { umount -R /sys/fs/cgroup && mount -t cgroup2 cgroup2 /sys/fs/cgroup; }; exec \"$@\"";

/// The same command where there is only version 2.
fn there(command: &Command) -> Command {
    let mut unshare = Command::new("unshare");
    unshare.args(["--mount", "sh", "-c", THERE, "sh"]);
    unshare
        .arg(command.get_program())
        .args(command.get_args())
        .stdin(Stdio::null());
    unshare
}

/// A container in version 2. It goes in the end.
struct Unified(Container);

impl Unified {
    fn new(resources: Value) -> Self {
        let mut container = Container::new();
        container.spec["linux"]["resources"] = resources;
        container.runs("touch /ready; sleep 1000");
        let mut run = there(&container.command("run", &["--detach"]));
        let log = File::create(container.log()).unwrap();
        run.stdout(log.try_clone().unwrap()).stderr(log);
        assert!(run.status().unwrap().success(), "{}", container.said());
        let ready = container.ground.rootfs().join("ready");
        wait_until("the container ready", || ready.exists());
        Self(container)
    }

    fn see(&self, words: &[&str]) -> Seen {
        there(&self.0.runc.command(words)).output().unwrap().into()
    }

    fn stats(&self) -> Value {
        let seen = self.see(&["events", "--stats", &self.0.id]);
        assert_eq!(seen.code, Some(0), "{}", seen.stderr);
        let mut event: Value = serde_json::from_str(&seen.stdout).unwrap();
        event["data"].take()
    }
}

impl Drop for Unified {
    fn drop(&mut self) {
        self.see(&["delete", "--force", &self.0.id]);
    }
}

#[test]
fn memory_and_swap_are_counted_together_as_in_version_1() {
    need_root!();
    if !has_cgroup_v2() {
        return skip("the memory controller in cgroup v2");
    }
    let container = Unified::new(json!({
        "memory": {"limit": 33_554_432, "swap": 50_331_648}, "pids": {"limit": 20},
    }));
    let stats = container.stats();
    let of = |place| stats.pointer(place).and_then(Value::as_u64);
    assert_eq!(of("/memory/usage/limit"), Some(33_554_432), "{stats}");
    assert_eq!(of("/memory/swap/limit"), Some(50_331_648), "{stats}");
    assert_eq!(of("/pids/limit"), Some(20), "{stats}");
    assert!(of("/memory/raw/anon") > Some(0), "{stats}");
}

/// Though the kernel counts microseconds.
#[test]
fn time_is_in_nanoseconds_as_in_version_1() {
    need_root!();
    let container = Unified::new(json!({}));
    let usage = |name| container.stats()["cpu"]["usage"][name].as_u64().unwrap();
    let before = usage("total");
    let busy = "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done";
    let seen = container.see(&["exec", &container.0.id, "sh", "-c", busy]);
    assert_eq!(seen.code, Some(0), "{}", seen.stderr);
    let used = usage("total") - before;
    assert!((10_000_000..100_000_000_000).contains(&used), "{used}");
    assert!(usage("user") + usage("kernel") > 10_000_000);
}

/// Even if the controller for it is missing.
#[test]
fn processes_are_counted() {
    need_root!();
    let container = Unified::new(json!({}));
    assert!(container.stats()["pids"]["current"].as_u64() > Some(0));
}

#[test]
fn pressure_is_told_where_the_kernel_measures_it() {
    need_root!();
    if File::open("/proc/pressure/cpu").is_err() {
        return skip("pressure stall information: start Linux with psi=1");
    }
    let container = Unified::new(json!({}));
    let stats = container.stats();
    for controller in ["cpu", "memory", "blkio"] {
        let some = &stats[controller]["psi"]["some"];
        assert!(some["avg10"].is_f64(), "{controller}: {stats}");
        assert!(some["total"].is_u64(), "{controller}: {stats}");
    }
}
