//! The grader of this part's exercise. It fails until the exercise is solved, and says what is missing:
//!
//!     cargo test --test exercises -- --ignored ex1

use std::fs;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// A state directory, and a host whose resolv.conf says this.
struct Place(TempDir);

impl Place {
    fn new(resolv_conf: &str) -> Self {
        let place = Self(TempDir::new().unwrap());
        fs::write(place.0.path().join("resolv.conf"), resolv_conf).unwrap();
        place
    }

    /// What `cat /etc/resolv.conf` prints in a container with these options.
    fn resolv_conf(&self, options: &str) -> Output {
        let program = env!("CARGO_BIN_EXE_tiny-docker");
        let directory = self.0.path().display();
        let script = format!(
            "mount --bind {directory}/resolv.conf /etc/resolv.conf
            exec {program} run {options} cat /etc/resolv.conf"
        );
        let mut unshare = Command::new("unshare");
        unshare.args(["--user", "--map-root-user", "--mount", "sh", "-c", &script]);
        unshare.env("TINY_DOCKER_ROOT", self.0.path().join("state"));
        let seen = unshare.stdin(Stdio::null()).output().unwrap();
        let stderr = String::from_utf8_lossy(&seen.stderr);
        let known = !stderr.contains("unexpected argument");
        assert!(known, "{options} is not understood yet:\n{stderr}");
        seen
    }

    fn assert_says(&self, options: &str, expected: &[&str]) {
        let seen = self.resolv_conf(options);
        let text = String::from_utf8(seen.stdout).unwrap();
        let mut lines: Vec<_> = text.lines().collect();
        let mut expected = expected.to_vec();
        // The order of different lines does not matter.
        lines.sort_unstable();
        expected.sort_unstable();
        let stderr = String::from_utf8_lossy(&seen.stderr);
        assert_eq!(lines, expected, "with {options}. On stderr: {stderr}");
    }
}

const HOST: &str = "domain corp.example\nsearch corp.example lab.example\n\
    nameserver 192.0.2.1\noptions ndots:2\n";

#[test]
#[ignore = "exercise 1"]
fn ex1_the_domains_take_the_place_of_the_hosts() {
    let place = Place::new(HOST);
    place.assert_says(
        "--net host --dns-search one.example",
        &[
            "search one.example",
            "nameserver 192.0.2.1",
            "options ndots:2",
        ],
    );
    place.assert_says(
        "--net isolated --dns 192.0.2.53 --dns-search one.example --dns-search=two_x.example",
        &[
            "search one.example two_x.example",
            "nameserver 192.0.2.53",
            "options ndots:2",
        ],
    );
    place.assert_says(
        "--net isolated --dns-search one.example",
        &["search one.example"],
    );
}

#[test]
#[ignore = "exercise 1"]
fn ex1_a_dot_stands_for_none() {
    let place = Place::new(HOST);
    place.assert_says(
        "--net host --dns-search .",
        &["nameserver 192.0.2.1", "options ndots:2"],
    );
    place.assert_says("--net isolated --dns-search .", &[]);
}

#[test]
#[ignore = "exercise 1"]
fn ex1_everything_else_stays() {
    let place = Place::new("search corp.example\nnameserver 192.0.2.1");
    place.assert_says(
        "--net isolated --dns-search one.example",
        &["search one.example"],
    );
    place.assert_says(
        "--net host --dns-search one.example",
        &["search one.example", "nameserver 192.0.2.1"],
    );
    let hosts = ["search corp.example", "nameserver 192.0.2.1"];
    place.assert_says("--net host", &hosts);
    for domain in ["", "one.example\\ two.example", "'a\nnameserver 192.0.2.6'"] {
        let seen = place.resolv_conf(&format!("--net isolated --dns-search={domain}"));
        let refused = !seen.status.success() && seen.stdout.is_empty();
        assert!(refused, "{domain:?} is no domain: {seen:?}");
    }
}
