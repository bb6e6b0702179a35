//! The grader of this part's exercise. It fails until the exercise is solved, and says what is missing:
//!
//!     cargo test --test exercises -- --ignored ex1

use std::process::Command;

/// What `pull NAME` says, and with which exit code.
fn pull(name: &str) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tiny-docker"));
    let output = command.args(["pull", name]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code(), said)
}

/// That `pull` refuses what was copied, and says what to type.
fn expect(copied: &str, name: &str) {
    let (code, said) = pull(copied);
    assert_eq!(code, Some(1), "pull {copied} is still an error: {said}");
    let hint = format!("hint: tiny-docker pull {name}");
    assert!(
        said.lines().any(|line| line == hint),
        "pull {copied} should end with the line\n    {hint}\nbut says\n    {said}"
    );
}

#[test]
#[ignore = "exercise 1: what was copied from the browser"]
fn ex1_a_page_of_the_hub_becomes_a_name() {
    for address in [
        "https://hub.docker.com/_/alpine",
        "http://hub.docker.com/_/alpine",
        "https://hub.docker.com/_/alpine/tags",
        "https://hub.docker.com/_/alpine?tab=description",
        "https://hub.docker.com/_/alpine#quick-start",
    ] {
        expect(address, "alpine");
    }
    for address in [
        "https://hub.docker.com/r/grafana/loki",
        "https://hub.docker.com/r/grafana/loki/tags?page=2",
    ] {
        expect(address, "grafana/loki");
    }
}

#[test]
#[ignore = "exercise 1: what was copied from the browser"]
fn ex1_an_address_in_front_of_a_good_name_is_left_out() {
    let long = format!("ghcr.io/{}/program:1.0", "a-b".repeat(60));
    for name in [
        "ghcr.io/project/program:1.0",
        "localhost:5000/x",
        // Longer than what a message shows of a name.
        &long,
    ] {
        expect(&format!("https://{name}"), name);
    }
}

#[test]
#[ignore = "exercise 1: what was copied from the browser"]
fn ex1_a_hint_is_a_name_or_is_not_there() {
    // So that nothing passes that has no hints at all.
    expect("https://hub.docker.com/_/alpine", "alpine");
    for address in [
        "https://ghcr.io/project/../../login",
        "https://ghcr.io/Project/program",
        "https://hub.docker.com/_/$(reboot)",
        "https://hub.docker.com/_/",
        "https://hub.docker.com/r/grafana",
        "https://hub.docker.com/search?q=alpine",
        "https://ghcr.io/a b",
        // Without a slash, it would be an image of Docker Hub's that has the name of a host.
        "https://ghcr.io",
        "ftp://ghcr.io/project/program",
        "Alpine",
    ] {
        let (code, said) = pull(address);
        assert_eq!(code, Some(1), "pull {address} is still an error: {said}");
        assert!(
            !said.contains("hint:"),
            "pull {address} leads to no name, so there is nothing to hint at. It says\n    {said}"
        );
    }
}
