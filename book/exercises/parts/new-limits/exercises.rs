//! The grader of this part's exercise. It fails until the exercise is solved, and says what is missing:
//!
//!     cargo test --test exercises -- --ignored ex1
//!
//! It needs root, and cgroups that can be changed.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

/// What a user sees of a finished command.
struct Seen {
    code: Option<i32>,
    stderr: String,
}

/// A running container with these limits for its CPU. It goes in the end.
struct Container {
    place: TempDir,
    id: String,
}

impl Container {
    fn new(name: &str, cpu: Value) -> Self {
        let place = TempDir::new().unwrap();
        let id = format!("{name}-{}", std::process::id());
        symlink(
            env!("CARGO_BIN_EXE_tiny-docker"),
            place.path().join("tiny-runc"),
        )
        .unwrap();
        // A root filesystem, from the host's programs.
        let mut run = Command::new(env!("CARGO_BIN_EXE_tiny-docker"));
        run.args(["run", "--net", "isolated", "true"])
            .env("TINY_DOCKER_ROOT", place.path().join("docker"));
        assert!(run.output().unwrap().status.success());
        let rootfs = place.path().join("docker/rootfs/default");
        fs::rename(rootfs, place.path().join("rootfs")).unwrap();

        let container = Self { place, id };
        let bundle = container.place.path().to_str().unwrap().to_owned();
        let seen = container.see(&["spec", "--bundle", &bundle]);
        assert_eq!(seen.code, Some(0), "{}", seen.stderr);
        let config = container.place.path().join("config.json");
        let mut spec: Value = serde_json::from_slice(&fs::read(&config).unwrap()).unwrap();
        spec["process"]["terminal"] = false.into();
        spec["process"]["args"] = json!(["sleep", "1000"]);
        spec["linux"]["cgroupsPath"] = format!("/{}", container.id).into();
        spec["linux"]["resources"]["cpu"] = cpu;
        fs::write(config, spec.to_string()).unwrap();
        let seen = container.see(&["run", "--detach", "--bundle", &bundle, &container.id]);
        let needs = "no container starts (the grader needs root and cgroups)";
        assert_eq!(seen.code, Some(0), "{needs}: {}", seen.stderr);
        container
    }

    /// Runs `tiny-runc ARGUMENTS…` to its end. What is in the background would keep a pipe open.
    fn see(&self, arguments: &[&str]) -> Seen {
        let said = self.place.path().join("said");
        let mut command = Command::new(self.place.path().join("tiny-runc"));
        command
            .arg("--root")
            .arg(self.place.path().join("state"))
            .args(arguments);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        command.stderr(fs::File::create(&said).unwrap());
        let code = command.status().unwrap().code();
        let stderr = fs::read_to_string(said).unwrap();
        Seen { code, stderr }
    }

    fn update(&self, options: &str) -> Seen {
        let mut words = vec!["update"];
        words.extend(options.split(' '));
        words.push(&self.id);
        self.see(&words)
    }

    /// The kernel's quota and period, in microseconds.
    fn limit(&self) -> String {
        let v2 = format!("/sys/fs/cgroup/{}/cpu.max", self.id);
        if Path::new(&v2).exists() {
            return fs::read_to_string(v2).unwrap().trim().to_owned();
        }
        let of = |name| {
            let file = format!("/sys/fs/cgroup/cpu/{}/cpu.cfs_{name}_us", self.id);
            fs::read_to_string(file).unwrap().trim().to_owned()
        };
        format!("{} {}", of("quota"), of("period"))
    }

    fn check(&self, options: &str, expected: &str) {
        let seen = self.update(options);
        assert_eq!(seen.code, Some(0), "update {options}: {}", seen.stderr);
        let limit = self.limit();
        assert_eq!(limit, expected, "quota and period after update {options}");
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        self.see(&["delete", "--force", &self.id]);
    }
}

#[test]
#[ignore = "exercise 1: update --cpus"]
fn ex1_cpus_are_a_quota_in_the_containers_own_period() {
    let container = Container::new("own", json!({"quota": 10_000, "period": 50_000}));
    container.check("--cpus 1.5", "75000 50000");
    container.check("--cpus 0.5", "25000 50000");
    // The period of the same call counts, and then it is the container's.
    container.check("--cpus 0.5 --cpu-period 20000", "10000 20000");
    container.check("--cpus 1", "20000 20000");
}

#[test]
#[ignore = "exercise 1: update --cpus"]
fn ex1_without_a_period_it_gets_the_usual_one() {
    let container = Container::new("usual", json!({}));
    container.check("--cpus 0.25", "25000 100000");
}

#[test]
#[ignore = "exercise 1: update --cpus"]
fn ex1_what_makes_no_sense_changes_nothing() {
    let container = Container::new("none", json!({"quota": 10_000, "period": 50_000}));
    container.check("--cpus 1", "50000 50000");
    let file = container.place.path().join("limits.json");
    fs::write(&file, "{}").unwrap();
    let both = format!("--cpus 0.5 --resources {}", file.display());
    for options in [
        "--cpus 0",
        "--cpus -1",
        "--cpus nan",
        "--cpus inf",
        "--cpus many",
        "--cpus 0.5 --cpu-quota 5000",
        &both,
    ] {
        let seen = container.update(options);
        assert_ne!(seen.code, Some(0), "update {options} succeeds");
        assert_eq!(container.limit(), "50000 50000", "after update {options}");
    }
}
