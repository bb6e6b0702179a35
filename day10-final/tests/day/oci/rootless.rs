//! An ordinary user and cgroup v2: with a cgroup that is delegated to them, and without.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::cgroups::Delegated;
use crate::ground::Ground;
use crate::need_cgroup_v2;
use crate::support::{Seen, as_ordinary_user, host};

/// Their home, with a bundle in it.
struct Home(TempDir);

impl Home {
    fn new() -> Self {
        let home = Self(TempDir::new().unwrap());
        let ground = Ground::new();
        let copied = host(&format!(
            "cp -a {} {}",
            ground.rootfs().display(),
            home.path().display()
        ));
        assert_eq!(copied, "");
        as_ordinary_user(home.path(), &[]);
        symlink("tiny-docker", home.path().join("tiny-runc")).unwrap();
        host(&format!("chown -R 65534:65534 {}", home.path().display()));
        home
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// `tiny-runc run`, in `group` or in ours.
    fn run(&self, group: Option<&Delegated>, resources: Value, path: Value, script: &str) -> Seen {
        let bundle = self.path().to_str().unwrap();
        let root = format!("{bundle}/root");
        let (program, config) = (
            self.path().join("tiny-runc"),
            self.path().join("config.json"),
        );
        let see = |words: &[&str]| {
            let words = [&["--root", &root], words].concat();
            match group {
                Some(group) => group.see_program(self.path(), &program, &words),
                None => Delegated::see_outside(self.path(), &program, &words),
            }
        };
        let _ = fs::remove_file(&config);
        let written = see(&["spec", "--rootless", "--bundle", bundle]);
        assert_eq!(written.code, Some(0), "{}", written.stderr);
        let mut spec: Value = serde_json::from_slice(&fs::read(&config).unwrap()).unwrap();
        spec["process"]["terminal"] = false.into();
        spec["process"]["args"] = json!(["sh", "-c", script]);
        spec["linux"]["resources"] = resources;
        spec["linux"]["cgroupsPath"] = path;
        // Over the host's, which come with its /sys.
        spec["mounts"].as_array_mut().unwrap().push(json!({
            "destination": "/sys/fs/cgroup",
            "type": "cgroup",
            "source": "cgroup",
            "options": ["nosuid", "noexec", "nodev", "ro"],
        }));
        fs::write(&config, spec.to_string()).unwrap();
        see(&["run", "--bundle", bundle, "rootless"])
    }
}

#[test]
fn in_a_delegated_cgroup_there_are_limits() {
    need_cgroup_v2!();
    let (group, home) = (Delegated::new(), Home::new());
    let limits =
        json!({"memory": {"limit": 67_108_864}, "pids": {"limit": 20}, "cpu": {"quota": 50_000}});
    let look = "cat /proc/self/cgroup /sys/fs/cgroup/memory.max /sys/fs/cgroup/pids.max /sys/fs/cgroup/cpu.max";
    // Beside the runtime: a cgroup with processes can have no such limits below it.
    let own = group.path().join("beside-tiny-docker");
    fs::create_dir(&own).unwrap();
    host(&format!("chown -R 65534:65534 {}", own.display()));
    let seen = home.run(Some(&group), limits, json!("box"), look);
    let expected = "0::/\n67108864\n20\n50000 100000\n";
    assert_eq!(seen.stdout, expected, "{}", seen.stderr);
}

#[test]
fn without_one_a_container_runs_as_long_as_it_wants_no_limits() {
    need_cgroup_v2!();
    let home = Home::new();
    let seen = home.run(None, json!({}), Value::Null, "echo runs");
    assert_eq!(
        (seen.code, seen.stdout.as_str()),
        (Some(0), "runs\n"),
        "{}",
        seen.stderr
    );
    let seen = home.run(None, json!({"pids": {"limit": 20}}), Value::Null, "true");
    assert!(
        seen.stderr.contains("rootless needs no limits"),
        "{}",
        seen.stderr
    );
    let seen = home.run(None, json!({}), json!("/forbidden"), "true");
    assert!(seen.stderr.contains("permission denied"), "{}", seen.stderr);
}
