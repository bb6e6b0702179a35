//! The grader of this part's exercise. It fails until the exercise is solved, and says what is missing:
//!
//!     cargo test --test exercises -- --ignored ex1

use std::fs;
use std::net::UdpSocket;
use std::os::unix::fs::symlink;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

/// A running container. It goes in the end.
struct Container {
    place: TempDir,
    id: String,
}

impl Container {
    fn new(name: &str) -> Self {
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
        let mut spec = vec!["spec", "--bundle", &bundle];
        if !nix::unistd::geteuid().is_root() {
            spec.push("--rootless");
        }
        container.see(&spec);
        let config = container.place.path().join("config.json");
        let mut spec: Value = serde_json::from_slice(&fs::read(&config).unwrap()).unwrap();
        spec["process"]["terminal"] = false.into();
        spec["process"]["args"] = json!(["sleep", "1000"]);
        fs::write(config, spec.to_string()).unwrap();
        container.see(&["run", "--detach", "--bundle", &bundle, &container.id]);
        container
    }

    /// Runs `tiny-runc ARGUMENTS…` to its end. Returns what it prints.
    fn see(&self, arguments: &[&str]) -> String {
        let [stdout, stderr] = ["stdout", "stderr"].map(|name| self.place.path().join(name));
        let mut command = Command::new(self.place.path().join("tiny-runc"));
        command
            .arg("--root")
            .arg(self.place.path().join("state"))
            .args(arguments);
        // What is in the background would keep a pipe open.
        command
            .stdin(Stdio::null())
            .stdout(fs::File::create(&stdout).unwrap());
        command.stderr(fs::File::create(&stderr).unwrap());
        let ended = command.status().unwrap();
        let stderr = fs::read_to_string(stderr).unwrap();
        assert!(ended.success(), "tiny-runc {arguments:?}: {stderr}");
        fs::read_to_string(stdout).unwrap()
    }

    fn interfaces(&self) -> Value {
        let line = self.see(&["events", "--stats", &self.id]);
        let mut event: Value = serde_json::from_str(&line).unwrap();
        event["data"]["network_interfaces"].take()
    }

    /// The same from a file as the kernel writes it.
    fn expected(&self) -> Value {
        let text = self.see(&["exec", &self.id, "cat", "/proc/net/dev"]);
        let of = |line: &str| {
            let words: Vec<_> = line.split([' ', ':']).filter(|it| !it.is_empty()).collect();
            let number = |column: usize| words[column].parse::<u64>().unwrap();
            json!({
                "Name": words[0],
                "RxBytes": number(1), "RxPackets": number(2), "RxErrors": number(3), "RxDropped": number(4),
                "TxBytes": number(9), "TxPackets": number(10), "TxErrors": number(11), "TxDropped": number(12),
            })
        };
        text.lines().skip(2).map(of).collect()
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        let mut delete = Command::new(self.place.path().join("tiny-runc"));
        delete.arg("--root").arg(self.place.path().join("state"));
        let _ = delete.args(["delete", "--force", &self.id]).output();
    }
}

/// So that the host's loopback differs from a new one.
fn be_noisy() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let own = socket.local_addr().unwrap();
    socket.send_to(b"noise", own).unwrap();
}

#[test]
#[ignore = "exercise 1: its interfaces"]
fn ex1_the_containers_interfaces_have_their_numbers() {
    be_noisy();
    let container = Container::new("quiet");
    let found = container.interfaces();
    assert!(
        found.is_array(),
        "network_interfaces is no array, but {found}"
    );
    assert_eq!(found, container.expected());
    assert_eq!(
        found[0]["RxBytes"], 0,
        "nobody has sent anything in this container"
    );
}

#[test]
#[ignore = "exercise 1: its interfaces"]
fn ex1_lines_that_come_again_and_again_have_them_too() {
    be_noisy();
    let container = Container::new("again");
    let file = container.place.path().join("lines");
    let mut events = Command::new(container.place.path().join("tiny-runc"));
    events
        .arg("--root")
        .arg(container.place.path().join("state"));
    events.args(["events", "--interval", "50ms", &container.id]);
    events.stdout(fs::File::create(&file).unwrap());
    let mut events = events.spawn().unwrap();
    let first = || {
        let text = fs::read_to_string(&file).unwrap();
        let whole = text.split_once('\n').map(|(line, _)| line.to_owned());
        whole.and_then(|line| serde_json::from_str::<Value>(&line).ok())
    };
    let line = (0..100).find_map(|_| {
        std::thread::sleep(std::time::Duration::from_millis(50));
        first()
    });
    let _ = events.kill();
    let _ = events.wait();
    let line = line.expect("events prints a line");
    assert_eq!(
        line["data"]["network_interfaces"],
        container.expected(),
        "its interfaces, in a line of many"
    );
}
