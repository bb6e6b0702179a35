//! What to type in place of what Docker has, and this program has not.

use clap::Error;
use clap::error::{ContextKind, ContextValue, ErrorKind};

/// What is not here, why, and what to type instead: nothing, where there is nothing.
type Lack = (&'static [&'static str], &'static str, &'static str);

const IMAGES: &str = "there are no images here, but directories";
const EXPORT: &str = "docker export $(docker create IMAGE) | tar -x -C DIR, then --rootfs DIR";

// ANCHOR: commands
const COMMANDS: [Lack; 19] = [
    (
        &["attach"],
        "a container keeps the terminal that it has been given",
        "tiny-docker logs -f ID, or exec -it ID sh",
    ),
    (
        &[
            "build", "builder", "buildx", "commit", "history", "image", "images", "import", "load",
            "login", "logout", "manifest", "pull", "push", "rmi", "save", "search", "tag",
        ],
        IMAGES,
        EXPORT,
    ),
    (
        &["compose", "service", "stack", "swarm", "node", "secret"],
        "it is about one container at a time",
        "",
    ),
    (
        &["container"],
        "the word can be left out",
        "tiny-docker ps, rm, prune, …",
    ),
    (
        &["cp"],
        "files go in and out by volumes and pipes",
        "-v DIR:/mnt, or tiny-docker exec ID cat FILE >FILE",
    ),
    (
        &["create", "start", "restart"],
        "a container runs once, from its start to its end",
        "tiny-docker run",
    ),
    (
        &["diff"],
        "what a container has written is a directory",
        "find $(tiny-docker inspect ID | jq -r '.[].Layer')/upper",
    ),
    (
        &["events"],
        "nobody is there who could tell",
        "tiny-docker wait ID",
    ),
    (
        &["export"],
        IMAGES,
        "tiny-docker exec ID tar -c -C / . >FILE",
    ),
    (
        &["ls", "list"],
        "it is called as in Docker",
        "tiny-docker ps",
    ),
    (
        &["network"],
        "there is one, and it comes and goes with the containers",
        "tiny-docker run --net bridge",
    ),
    (
        &["pause", "unpause"],
        "a container cannot be frozen",
        "tiny-docker kill -s STOP ID, and CONT",
    ),
    (&["port"], "ports are shown with the rest", "tiny-docker ps"),
    (
        &["checkpoint", "context", "plugin", "trust"],
        "there is no daemon that could do it",
        "",
    ),
    (
        &["rename", "update"],
        "what a container is, it stays",
        "tiny-docker rm ID, then run --name NAME",
    ),
    (
        &["system"],
        "two of its commands are here",
        "tiny-docker info, or prune",
    ),
    (
        &["top"],
        "its processes are seen from inside",
        "tiny-docker exec ID ps -ef",
    ),
    (
        &["version"],
        "client and server are one program here",
        "tiny-docker --version",
    ),
    (
        &["volume"],
        "volumes are directories of yours",
        "tiny-docker run -v $PWD/DIR:/DIR",
    ),
];
// ANCHOR_END: commands

const OPTIONS: [Lack; 21] = [
    (
        &["--attach", "-a", "--sig-proxy", "--detach-keys"],
        "output and signals are passed on, until it ends",
        "tiny-docker run -d, then logs -f ID",
    ),
    (
        &["--cgroupns", "--ipc", "--pid", "--userns", "--uts"],
        "each container has namespaces of its own",
        "",
    ),
    (
        &["--device", "--gpus"],
        "there are no devices but the usual ones",
        "",
    ),
    (
        &["--dns-search", "--dns-option"],
        "only servers can be given",
        "--dns ADDRESS",
    ),
    (
        &["--entrypoint"],
        "there are no images, and so no entry points",
        "tiny-docker run … COMMAND ARG…",
    ),
    (
        &["--expose", "--publish-all", "-P"],
        "ports are published one by one",
        "-p HOST:CONTAINER",
    ),
    (
        &["--filter"],
        "there are no filters",
        "tiny-docker ps -a | grep …",
    ),
    (
        &["--format", "-f"],
        "there are no templates and no filters, but JSON",
        "tiny-docker inspect ID | jq -r '.[].State.Pid'",
    ),
    (
        &["--health-cmd", "--health-interval", "--no-healthcheck"],
        "nobody is there who could look",
        "tiny-docker exec ID COMMAND",
    ),
    (
        &["--ip", "--mac-address", "--network-alias", "--link"],
        "addresses are given as they are free",
        "tiny-docker inspect ID",
    ),
    (
        &["--label", "--label-file", "-l"],
        "there are no labels",
        "--name NAME",
    ),
    (
        &["--log-driver", "--log-opt"],
        "a log is a file",
        "tiny-docker logs ID",
    ),
    (
        &[
            "--memory-swap",
            "--memory-reservation",
            "--cpu-shares",
            "--cpuset-cpus",
            "--blkio-weight",
        ],
        "there are three limits",
        "--memory, --cpus, --pids-limit",
    ),
    (
        &["--mount"],
        "there is the short form",
        "-v HOST:CONTAINER[:ro], or --tmpfs PATH",
    ),
    (&["--platform", "--pull"], IMAGES, EXPORT),
    (
        &["--privileged"],
        "no single word opens all locks",
        "--cap-add ALL --security-opt seccomp=unconfined --security-opt no-new-privileges=false",
    ),
    (
        &["--restart"],
        "nobody is left who could start it again",
        "let systemd do it: tiny-docker run without -d, and Restart=always",
    ),
    (
        &["--signal"],
        "it is SIGTERM that asks a container to stop",
        "tiny-docker kill -s SIGNAL ID",
    ),
    (
        &["--since", "--until", "--timestamps", "-t"],
        "a log has no times in it",
        "tiny-docker logs -f ID | while read -r line; do echo \"$(date +%T) $line\"; done",
    ),
    (
        &["--volumes-from", "--volume-driver"],
        "volumes are directories of yours",
        "-v HOST:CONTAINER",
    ),
    (
        &[
            "--shm-size",
            "--sysctl",
            "--ulimit",
            "--oom-kill-disable",
            "--stop-signal",
            "--stop-timeout",
        ],
        "it is as the kernel, or Docker's default, has it",
        "",
    ),
];

// ANCHOR: find
/// What to say of a command line that is wrong, if it would not be for Docker.
pub fn find(error: &Error) -> Option<String> {
    let (kind, lacks) = match error.kind() {
        ErrorKind::InvalidSubcommand => (ContextKind::InvalidSubcommand, &COMMANDS[..]),
        ErrorKind::UnknownArgument => (ContextKind::InvalidArg, &OPTIONS[..]),
        _ => return None,
    };
    let Some(ContextValue::String(typed)) = error.get(kind) else {
        return None;
    };
    let word = typed.split('=').next()?;
    let (_, why, instead) = lacks.iter().find(|(words, ..)| words.contains(&word))?;
    let hint = match *instead {
        "" => String::new(),
        instead => format!("\nhint: {instead}"),
    };
    Some(format!("{word} is not here: {why}{hint}"))
}
// ANCHOR_END: find
