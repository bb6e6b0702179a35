//! What to type instead of what only Docker has. `main` asks here before it reports a usage error.

mod images;
mod lack;
mod options;
mod run;

use clap::Error;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::cli::instead::lack::Lack;
use crate::cli::slip::command;

// ANCHOR: commands
const COMMANDS: [Lack; 22] = [
    (
        &["attach", "debug"],
        "a container keeps the terminal it was started with",
        "tiny-docker logs -f ID, or exec -it ID sh",
    ),
    (
        &["bake", "build", "builder", "buildx", "init"],
        "images can be pulled, but not built",
        "docker save IMAGE | tiny-docker load",
    ),
    (
        &["commit"],
        "images are made from archives",
        "tiny-docker export ID | tiny-docker import - NAME",
    ),
    (
        &[
            "compose", "config", "service", "stack", "swarm", "node", "secret",
        ],
        "each container is started separately",
        "",
    ),
    (
        &["container"],
        "its subcommands are commands of their own",
        "tiny-docker ps, rm, prune, …",
    ),
    (
        &["cp"],
        "copy files through a volume or a pipe",
        "-v DIR:/mnt, or tiny-docker exec ID cat FILE >FILE",
    ),
    (
        &["create", "start", "restart"],
        "a container runs only once",
        "tiny-docker run",
    ),
    (
        &["diff"],
        "a container's changes are in a directory",
        "find $(tiny-docker inspect ID | jq -r '.[].Layer')/upper",
    ),
    (
        &["events"],
        "there is no daemon to report them",
        "tiny-docker wait ID",
    ),
    (&["ls", "list"], "ps lists the containers", "tiny-docker ps"),
    (
        &["manifest"],
        "pull chooses the image for this machine by itself",
        "tiny-docker pull NAME",
    ),
    (
        &["network"],
        "there is only one bridge",
        "tiny-docker run --net bridge",
    ),
    (
        &["pause", "unpause"],
        "a container cannot be frozen",
        "tiny-docker kill -s STOP ID, later -s CONT",
    ),
    (&["port"], "ps shows the ports", "tiny-docker ps"),
    (
        &["checkpoint", "context", "plugin", "trust"],
        "there is no daemon to do it",
        "",
    ),
    (
        &["push"],
        "images can be pulled, but not pushed",
        "tiny-docker save -o FILE IMAGE, then skopeo copy docker-archive:FILE docker://IMAGE",
    ),
    (
        &["rename", "update"],
        "a container cannot be changed",
        "tiny-docker rm ID, then run --name NAME",
    ),
    (&["scout"], "nobody looks into an image for known bugs", ""),
    (
        &["search"],
        "a registry is asked for one name at a time",
        "tiny-docker pull NAME",
    ),
    (
        &["top"],
        "processes can be listed from inside",
        "tiny-docker exec ID ps -ef",
    ),
    (
        &["version"],
        "client and server are one program, with one version",
        "tiny-docker --version",
    ),
    (
        &["volume"],
        "volumes are directories on the host",
        "tiny-docker run -v $PWD/DIR:/DIR",
    ),
];
// ANCHOR_END: commands

/// Values of options, which are recognised by their beginnings.
const VALUES: [(&str, Lack); 5] = [
    (
        "--restart",
        (
            &[""],
            run::NO_DAEMON,
            "let systemd do it: tiny-docker run without -d, and Restart=always",
        ),
    ),
    (
        "--security-opt",
        (
            &["apparmor", "label"],
            "containers have no AppArmor profile and no SELinux label",
            "leave it out",
        ),
    ),
    (
        "--security-opt",
        (
            &["seccomp"],
            "the only choice is between the default filter and none",
            "--security-opt seccomp=unconfined",
        ),
    ),
    (
        "--security-opt",
        (&["systempaths"], "parts of /proc are always covered", ""),
    ),
    (
        "--net",
        (
            &["container:"],
            "containers do not share a network",
            "--net bridge",
        ),
    ),
];

// ANCHOR: find
/// The answer to a command line that is wrong here, but right for Docker.
pub fn find(error: &Error) -> Option<String> {
    let said = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.as_str()),
        _ => None,
    };
    let (word, lack) = match error.kind() {
        ErrorKind::InvalidSubcommand => {
            let word = said(ContextKind::InvalidSubcommand)?;
            (word, COMMANDS.iter().find(|lack| lack.0.contains(&word))?)
        }
        ErrorKind::UnknownArgument => {
            let word = said(ContextKind::InvalidArg)?.split('=').next()?;
            let options = options::of(command(error).as_deref());
            (word, options.iter().find(|lack| lack.0.contains(&word))?)
        }
        ErrorKind::InvalidValue => {
            let (option, value) = (
                said(ContextKind::InvalidArg)?,
                said(ContextKind::InvalidValue)?,
            );
            let begins = |(of, lack): &&(&str, Lack)| {
                option.starts_with(of) && lack.0.iter().any(|word| value.starts_with(word))
            };
            let lack = &VALUES.iter().find(begins)?.1;
            // If none is supported, it is the option that is not.
            let option = option.split(' ').next().filter(|_| lack.0 == [""]);
            (option.unwrap_or(value), lack)
        }
        _ => return None,
    };
    let (_, why, instead) = lack;
    let hint = match *instead {
        "" => String::new(),
        instead => format!("\nhint: {instead}"),
    };
    Some(format!("{word} is not supported: {why}{hint}"))
}
// ANCHOR_END: find
