//! `completion`: a script by which the shell completes what is typed to us. bash(1), "Programmable Completion".

use std::io::{self, Write};

use anyhow::{Context, Result};
use clap::{Command, CommandFactory};
use clap_complete::{Shell, generate};

use crate::cli::Cli;

// ANCHOR: containers
/// clap knows the words, but not which containers there are: bash asks `ps`, which puts the name last.
const CONTAINERS: &str = r#"
_tiny_docker_containers() {
    _tiny_docker "$@"
    local word
    for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
        case "$word" in
            run) return ;;
            exec | inspect | kill | logs | rm | stats | stop | wait)
                local containers=$(tiny-docker ps -a 2>/dev/null | awk 'NR > 1 { print $1, $NF }')
                COMPREPLY+=($(compgen -W "$containers" -- "$2"))
                return ;;
        esac
    done
}
complete -F _tiny_docker_containers -o nosort -o bashdefault -o default tiny-docker
"#;
// ANCHOR_END: containers

// ANCHOR: print
/// Prints the script for `shell`.
pub fn print(shell: Shell) -> Result<u8> {
    // In bash, clap's scripts lose the options of a program with a hyphen in its name: clap's issue 6421.
    let (name, more) = match shell {
        Shell::Bash => ("tiny_docker", CONTAINERS),
        _ => ("tiny-docker", ""),
    };
    let mut script = Vec::new();
    generate(shell, &mut without_hidden(name), name, &mut script);
    script.extend(more.as_bytes());
    io::stdout().write_all(&script).context("cannot print")?;
    Ok(0)
}
// ANCHOR_END: print

/// What the help does not show, the script would offer.
fn without_hidden(name: &'static str) -> Command {
    let cli = Cli::command();
    let shown = cli.get_subcommands().filter(|it| !it.is_hide_set());
    Command::new(name)
        .version(env!("CARGO_PKG_VERSION"))
        .args(cli.get_arguments())
        .subcommands(shown)
}
