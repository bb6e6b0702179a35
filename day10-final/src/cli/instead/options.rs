//! Options of Docker's other commands that our commands do not have.

use crate::cli::instead::lack::Lack;
use crate::cli::instead::{images, run};

const GLOBAL: [Lack; 3] = [
    (
        &["--debug", "-D", "--log-level", "-l"],
        "there is no daemon to keep a log",
        "strace -f tiny-docker …",
    ),
    (
        &[
            "--config",
            "--context",
            "-c",
            "--host",
            "-H",
            "--tls",
            "--tlscacert",
            "--tlscert",
            "--tlskey",
            "--tlsverify",
        ],
        "there is no daemon to talk to",
        "--root DIR selects another set of containers",
    ),
    (
        &["-v"],
        "the short form of --version is -V",
        "tiny-docker -V",
    ),
];

const EXEC: [Lack; 2] = [
    (
        &["--detach-keys"],
        "the terminal is kept until the command ends",
        "tiny-docker exec -d ID COMMAND",
    ),
    (
        &["--privileged"],
        "a command has the privileges of its container",
        "tiny-docker run --cap-add CAPABILITY",
    ),
];

const PS: [Lack; 2] = [
    (
        &["--filter", "-f"],
        "there are no filters",
        "tiny-docker ps -a | grep …",
    ),
    (SIZE, NOT_MEASURED, DU),
];

const INSPECT: [Lack; 3] = [
    (
        &["--format", "-f"],
        "there are no templates, but the output is JSON",
        "tiny-docker inspect ID | jq -r '.[].State.Pid'",
    ),
    (SIZE, NOT_MEASURED, DU),
    images::PLATFORM,
];

const SIZE: &[&str] = &["--size", "-s"];
const NOT_MEASURED: &str = "a container's changes are in a directory";
const DU: &str = "du -sh $(tiny-docker inspect ID | jq -r '.[].Layer')/upper";

const LOGS: [Lack; 2] = [
    (
        &["--since", "--until", "--timestamps", "-t"],
        "a log contains only the output, without timestamps",
        "tiny-docker logs -f ID | while read -r line; do echo \"$(date +%T) $line\"; done",
    ),
    (
        &["--details"],
        "a log contains only the output",
        "leave it out",
    ),
];

/// The first letters of all signals: the shell's kill has an option for each.
const KILL: [Lack; 1] = [(
    &[
        "-1", "-2", "-3", "-4", "-5", "-6", "-7", "-8", "-9", "-A", "-B", "-C", "-F", "-H", "-I",
        "-K", "-l", "-P", "-Q", "-R", "-S", "-T", "-U", "-W", "-X",
    ],
    "signals are given with -s, as in Docker",
    "tiny-docker kill -s SIGNAL ID",
)];

const RM: [Lack; 1] = [(
    &["--link", "-l"],
    "containers are not linked",
    "tiny-docker rm ID",
)];

const STATS: [Lack; 1] = [(&["--no-trunc"], "nothing is truncated", "leave it out")];

const PRUNE: [Lack; 2] = [
    (
        &["--filter"],
        "there are no filters",
        "tiny-docker ps -a and images, then rm ID and rmi ID",
    ),
    (
        &["--volumes"],
        "volumes are your own directories, and are kept",
        "tiny-docker prune",
    ),
];

const INFO: [Lack; 1] = [(
    &["--format", "-f"],
    "there are no templates",
    "tiny-docker info | grep …",
)];

/// The options that our `command` does not have or, if there is none, those that our program does not have.
pub fn of(command: Option<&str>) -> &'static [Lack] {
    match command {
        None => &GLOBAL,
        Some("run") => &run::OPTIONS,
        Some("exec") => &EXEC,
        Some("ps") => &PS,
        Some("inspect" | "image inspect") => &INSPECT,
        Some("logs") => &LOGS,
        Some("kill") => &KILL,
        Some("rm") => &RM,
        Some("stats") => &STATS,
        Some("prune" | "system prune") => &PRUNE,
        Some("info" | "system info") => &INFO,
        Some(command) => images::of(command),
    }
}
