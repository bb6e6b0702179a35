//! Namespaces of the container's own, and its root.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::oci::container::{Container, need_root};
use crate::support::{Seen, skip, wait_until};

/// Creates it, and returns its first process.
fn create(container: &Container) -> PathBuf {
    let log = fs::File::create(container.log()).unwrap();
    let mut create = container.command("create", &[]);
    create.stdout(log.try_clone().unwrap()).stderr(log);
    assert!(create.status().unwrap().success(), "{}", container.said());
    let state = container.runc.see(&["state", &container.id]).stdout;
    let state: Value = serde_json::from_str(&state).unwrap();
    Path::new("/proc").join(state["pid"].to_string())
}

fn without_namespace(container: &mut Container, kind: &str) {
    let namespaces = &mut container.spec["linux"]["namespaces"];
    let namespaces = namespaces.as_array_mut().unwrap();
    namespaces.retain(|namespace| namespace["type"] != kind);
}

fn has(program: &str) -> bool {
    let mut sh = Command::new("sh");
    sh.args(["-c", r#"command -v "$0""#, program]);
    sh.output().unwrap().status.success()
}

/// Nothing is mounted but the root.
fn bare() -> Container {
    let mut container = Container::new();
    container.spec["mounts"] = json!([]);
    for field in ["maskedPaths", "readonlyPaths"] {
        container.spec["linux"][field] = json!([]);
    }
    container
}

#[test]
fn namespaces_in_the_list_are_new_and_the_others_are_the_hosts() {
    need_root!();
    let mut container = bare();
    without_namespace(&mut container, "uts");
    without_namespace(&mut container, "ipc");
    container.spec["hostname"].take();
    let process = create(&container);
    for (kind, is_new) in [
        ("ipc", false),
        ("mnt", true),
        ("net", true),
        ("pid", true),
        ("user", false),
        ("uts", false),
    ] {
        let [its, ours] = [&process, Path::new("/proc/self")]
            .map(|process| fs::read_link(process.join("ns").join(kind)).unwrap());
        assert_eq!(its != ours, is_new, "{kind}");
    }
}

#[test]
fn its_root_is_all_that_is_mounted() {
    need_root!();
    let container = bare();
    let process = create(&container);
    let mounts = fs::read_to_string(process.join("mountinfo")).unwrap();
    let places: Vec<_> = mounts.lines().map(|line| line.split(' ').nth(4)).collect();
    assert_eq!(places, [Some("/")], "{mounts}");
}

/// Where mounts are shared, as systemd makes them, those of the container must not appear on the host, nor may the end
/// of its copy of the mounts unmount those of the host.
#[test]
fn nothing_that_it_mounts_is_seen_by_the_host() {
    need_root!();
    let mut container = bare();
    container.runs("true");
    let run = container.command("run", &[]);
    let script = "before=$(cut -d ' ' -f 5 /proc/self/mountinfo); \"$@\" || exit; \
        [ \"$before\" = \"$(cut -d ' ' -f 5 /proc/self/mountinfo)\" ] && echo same";
    let mut unshare = Command::new("unshare");
    unshare.args([
        "--mount",
        "--propagation",
        "shared",
        "sh",
        "-c",
        script,
        "sh",
    ]);
    unshare.arg(run.get_program()).args(run.get_args());
    let seen: Seen = unshare.stdin(Stdio::null()).output().unwrap().into();
    assert_eq!(seen.stdout, "same\n", "{}", seen.stderr);
}

/// The climb of day 3.
#[test]
fn there_is_nothing_above_its_root() {
    need_root!();
    if !has("perl") {
        return skip("perl: sudo apt install perl");
    }
    let mut container = bare();
    if container.spec["process"]["capabilities"].is_object() {
        container.grant("CAP_SYS_CHROOT");
    }
    let secret = container.ground.host().join("secret");
    let climb =
        "mkdir q(/deep); chroot q(/deep); chdir q(..) for 1..64; chroot q(.); exec q(cat), @ARGV";
    container.spec["process"]["args"] = json!(["perl", "-e", climb, secret]);
    let seen: Seen = container.command("run", &[]).output().unwrap().into();
    assert_eq!(seen.stdout, "", "{}", seen.stderr);
    assert!(seen.stderr.contains("No such file"), "{}", seen.stderr);
}

#[test]
fn it_has_a_name_and_a_loopback_device_of_its_own() {
    need_root!();
    let mut container = Container::new();
    container.spec["hostname"] = "box".into();
    container.spec["domainname"] = "example".into();
    let process = create(&container);
    let inside = |command: &[&str]| {
        let mut nsenter = Command::new("nsenter");
        let kinds = ["uts", "net"].map(|kind| format!("--{kind}={}/ns/{kind}", process.display()));
        nsenter.args(kinds).args(command);
        String::from_utf8(nsenter.output().unwrap().stdout).unwrap()
    };
    assert_eq!(inside(&["uname", "-n"]), "box\n");
    let domain = inside(&["cat", "/proc/sys/kernel/domainname"]);
    assert_eq!(domain, "example\n");
    if has("ip") {
        let lo = inside(&["ip", "-brief", "address", "show", "lo"]);
        assert!(lo.contains("127.0.0.1"), "{lo}");
    }
}

#[test]
fn what_cannot_be_is_refused() {
    need_root!();
    let mut container = Container::new();
    without_namespace(&mut container, "uts");
    let seen: Seen = container.command("run", &[]).output().unwrap().into();
    assert_eq!(seen.code, Some(1));
    let shown = "config.json: hostname: it needs a uts namespace\n";
    assert!(seen.stderr.ends_with(shown), "{}", seen.stderr);
    let mut container = Container::new();
    let namespaces = &mut container.spec["linux"]["namespaces"];
    namespaces
        .as_array_mut()
        .unwrap()
        .push(json!({"type": "pid"}));
    let seen: Seen = container.command("run", &[]).output().unwrap().into();
    assert_eq!(seen.code, Some(1));
    assert!(
        seen.stderr.contains("linux.namespaces: pid"),
        "{}",
        seen.stderr
    );
}

/// The kernel keeps from a PID 1 what it has no handler for.
#[test]
fn a_pid_1_that_waits_can_be_told_to_end() {
    need_root!();
    let container = Container::new();
    let process = create(&container);
    let seen = container.runc.see(&["kill", &container.id, "TERM"]);
    assert_eq!((seen.code, seen.stderr.as_str()), (Some(0), ""));
    wait_until("its end", || {
        let stat = fs::read_to_string(process.join("stat")).unwrap_or_default();
        stat.is_empty() || stat.contains(") Z ")
    });
}
