//! The entire life of some containers, typed by hand, as the README tells it.

use std::fs;
use std::process::Command;

use nix::unistd::geteuid;
use rexpect::session::{PtySession, spawn_command};
use tempfile::TempDir;

use crate::need_namespaces;
use crate::network::bridge::wait_until_none_is_connected;
use crate::state::power::ours;
use crate::support::{TINY_DOCKER, groups, host, wait_until, without_waits};

const PROMPT: &str = "ready> ";

/// Somebody at a terminal, in bash.
struct User(PtySession);

impl User {
    /// With their own, empty `home`.
    fn at(home: &TempDir) -> Self {
        let programs = home.path().join("bin");
        fs::create_dir(&programs).unwrap();
        std::os::unix::fs::symlink(TINY_DOCKER, programs.join("tiny-docker")).unwrap();
        let mut bash = Command::new("bash");
        bash.args(["--norc", "--noprofile", "--noediting"]);
        bash.env("PS1", PROMPT)
            .env("TERM", "dumb")
            .env("HOME", home.path())
            .env("HISTFILE", "");
        let path = std::env::var("PATH").unwrap();
        bash.env("PATH", format!("{}:{path}", programs.display()));
        bash.env("TINY_DOCKER_ROOT", home.path().join("state"));
        let mut user = Self(spawn_command(bash, Some(60_000)).unwrap());
        user.0.exp_string(PROMPT).unwrap();
        user
    }

    /// Types `line`, and returns what the terminal shows until `prompt`.
    fn types(&mut self, line: &str, prompt: &str) -> String {
        self.0.send_line(line).unwrap();
        let shown = self.0.exp_string(prompt).unwrap().replace("\r\n", "\n");
        // A container's terminal shows what is typed. rexpect has told bash's not to.
        let typed = format!("{line}\n");
        shown.strip_prefix(&typed).unwrap_or(&shown).to_owned()
    }

    /// The same for a whole command, which succeeds.
    fn says(&mut self, line: &str) -> String {
        let shown = self.types(line, PROMPT);
        assert_eq!(self.types("echo $?", PROMPT), "0\n", "{line}: {shown}");
        without_waits(&shown)
    }
}

/// What a machine has, apart from processes.
fn machine() -> String {
    let devices = if geteuid().is_root() {
        host("ip -oneline link; ip route; nft list ruleset || true")
    } else {
        String::new()
    };
    let mounts = fs::read_to_string("/proc/thread-self/mountinfo").unwrap();
    devices + &mounts
}

#[test]
fn an_entire_life_leaves_what_ps_lists_and_after_prune_nothing() {
    need_namespaces!();
    let home = TempDir::new().unwrap();
    let before = machine();
    let mut user = User::at(&home);
    let state = home.path().join("state");

    // A shell of its own.
    user.types("tiny-docker run -it --name lab sh", "# ");
    assert_eq!(user.types("hostname; echo $$", "# "), "tiny-container\n1\n");
    assert!(user.types("ls /", "# ").contains("proc"));
    user.types("echo mine >/file", "# ");
    user.types("exit", PROMPT);

    let line = "sh -c 'i=0; while sleep 0.1; do echo $((i=i+1)); done'";
    let id = user.says(&format!("tiny-docker run -d --name counter {line}"));
    let id = id.trim();
    assert_eq!(id.len(), 12, "{id}");
    let listed = user.says("tiny-docker ps");
    assert!(
        listed.lines().count() == 2 && listed.contains(id) && listed.contains("counter"),
        "{listed}"
    );
    wait_until("five", || {
        user.says("tiny-docker logs counter").contains("5\n")
    });
    let logs = user.says("tiny-docker logs --tail 3 counter");
    let numbers: Vec<u32> = logs.lines().map(|line| line.parse().unwrap()).collect();
    assert!(numbers.len() == 3 && numbers[2] == numbers[0] + 2, "{logs}");
    assert!(
        user.says("tiny-docker stats --no-stream")
            .contains("counter")
    );
    assert!(user.says("tiny-docker inspect counter").contains(id));

    // Walk in. It goes on.
    user.types("tiny-docker exec -it counter sh", "# ");
    assert_eq!(
        user.types("hostname; tty", "# "),
        "tiny-container\n/dev/pts/0\n"
    );
    user.types("exit", PROMPT);
    assert!(user.says("tiny-docker ps").contains("counter"));

    assert_eq!(user.says("tiny-docker stop -t 1 counter"), "counter\n");
    assert_eq!(user.says("tiny-docker ps").lines().count(), 1);
    let listed = user.says("tiny-docker ps -a");
    assert!(
        listed.lines().count() == 3 && listed.contains("lab") && listed.contains("counter"),
        "{listed}"
    );

    // Only what ps lists is left.
    let records = fs::read_dir(state.join("containers")).unwrap().count();
    assert_eq!(
        (records, fs::read_dir(state.join("names")).unwrap().count()),
        (2, 2)
    );
    assert_eq!(groups(id), Vec::<std::path::PathBuf>::new());
    let bash = 1;
    wait_until("no process left", || ours(&state).len() == bash);
    if geteuid().is_root() {
        wait_until_none_is_connected();
    }

    assert_eq!(user.says("tiny-docker rm counter"), "counter\n");
    user.types("tiny-docker prune", "[y/N] ");
    let pruned = user.types("y", PROMPT);
    let pruned = without_waits(&pruned);
    assert!(pruned.starts_with("Deleted Containers:\n"), "{pruned}");
    assert_eq!(user.says("tiny-docker ps -a").lines().count(), 1);
    assert!(!state.exists());
    user.0.send_line("exit").unwrap();
    user.0.exp_eof().unwrap();
    wait_until("no process left", || ours(&state).is_empty());
    let left: Vec<_> = fs::read_dir(home.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(left, ["bin"]);
    assert_eq!(machine(), before);
}
