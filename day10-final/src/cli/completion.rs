//! `completion`: a script with which the shell completes our commands. bash(1), "Programmable Completion".

mod images;

use std::io::{self, Write};

use anyhow::{Context, Result};
use clap::{Arg, Command, CommandFactory};
use clap_complete::{Shell, generate};

use crate::cli::Cli;
use crate::cli::completion::images::FOR_ZSH;

// ANCHOR: containers
/// clap knows the words, but not which containers exist. The shell asks `ps`, which puts the name last.
///
/// A completed line is executed next. So whatever does not look like a name is left out, and no name is ever expanded:
/// compgen -W, for example, would execute a name like $(reboot).
const IN_BASH: &str = r#"
_tiny_docker_containers() {
    _tiny_docker "$@"
    local word which=none container
    for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
        case "$word" in
            run | image | system) return ;;
            exec | kill | stats | stop) which= && break ;;
            inspect | logs | rm | wait) which=-a && break ;;
        esac
    done
    [[ $which == none ]] && return
    case "$word $3" in VALUES) return ;; esac
    while read -r container; do
        [[ $container == "$2"* ]] && COMPREPLY+=("$container")
    done < <(tiny-docker ps $which 2>/dev/null | NAMES)
}
complete -F _tiny_docker_containers -o nosort -o bashdefault -o default tiny-docker
"#;

const IN_ZSH: &str = r#"
_tiny-docker_containers() {
    local which=-a
    case $curcontext in
        (*-command-(exec|kill|stats|stop):*) which= ;;
    esac
    local -a containers
    containers=(${(f)"$(tiny-docker ps $which 2>/dev/null | NAMES)"})
    compadd -- $containers
}
"#;

const IN_FISH: &str = r#"
function __tiny_docker_containers
    tiny-docker ps $argv 2>/dev/null | NAMES
end
complete -c tiny-docker -n "__fish_tiny_docker_using_subcommand exec kill stats stop" -f -a "(__tiny_docker_containers)"
complete -c tiny-docker -n "__fish_tiny_docker_using_subcommand inspect logs rm wait" -f -a "(__tiny_docker_containers -a)"
"#;

/// Takes the place of NAMES: it extracts the ids and names from the table that `ps` prints.
const NAMES: &str =
    r#"awk 'NR > 1 { print $1; print $NF }' | env LC_ALL=C grep -x '[A-Za-z0-9][A-Za-z0-9_.-]*'"#;
// ANCHOR_END: containers

/// How clap's script completes a path, and how ours does: once bash knows that these are paths, it quotes them, and
/// marks directories.
const PATHS_IN_BASH: [&str; 2] = [
    r#"COMPREPLY=($(compgen -f "${cur}"))"#,
    r#"compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -f -- "${cur}")"#,
];

// ANCHOR: print
/// Prints the script for `shell`.
pub fn print(shell: Shell) -> Result<u8> {
    // In bash, clap's scripts lose the options of a program with a hyphen in its name: clap's issue 6421.
    let name = match shell {
        Shell::Bash => "tiny_docker",
        _ => "tiny-docker",
    };
    let command = without_hidden(name);
    let mut script = Vec::new();
    generate(shell, &mut command.clone(), name, &mut script);
    let script = String::from_utf8(script).context("cannot print")?;
    let script = match shell {
        Shell::Bash => {
            let script = script.replace(PATHS_IN_BASH[0], PATHS_IN_BASH[1]);
            let ours = IN_BASH.to_owned() + images::IN_BASH;
            script + &ours.replace("VALUES", &with_values(&command))
        }
        Shell::Fish => script + IN_FISH + images::IN_FISH,
        Shell::Zsh => for_zsh(script, &command),
        _ => script,
    };
    let script = script.replace("NAMES", NAMES);
    let script = script.replace("IMAGES", images::NAMES);
    write!(io::stdout(), "{script}").context("cannot print")?;
    Ok(0)
}
// ANCHOR_END: print

/// Where the next word is a value, and not a container or an image: after "kill -s", for example. As patterns for bash.
fn with_values(command: &Command) -> String {
    let mut patterns = Vec::new();
    for subcommand in command.get_subcommands() {
        let options = subcommand.get_arguments();
        for option in options.filter(|option| option.get_action().takes_values()) {
            let names = [
                option.get_short().map(|short| format!("-{short}")),
                option.get_long().map(|long| format!("--{long}")),
            ];
            let names = names.into_iter().flatten();
            patterns.extend(names.map(|name| format!("'{} {name}'", subcommand.get_name())));
        }
    }
    patterns.push("*' --root'".to_owned());
    patterns.join(" | ")
}

// ANCHOR: zsh
/// To zsh, a colon ends the name of a value, and what follows is a command, which it executes: "_arguments" in
/// zshcompsys(1). clap does not escape it.
fn for_zsh(mut script: String, command: &Command) -> String {
    let options = |command: &Command| command.get_arguments().cloned().collect::<Vec<_>>();
    for option in command.get_subcommands().flat_map(options) {
        for name in option.get_value_names().unwrap_or_default() {
            let escaped = name.replace(':', r"\:");
            script = script.replace(&format!("]:{name}:"), &format!("]:{escaped}:"));
        }
    }
    // Its first line has to stay first.
    let script = script.replacen('\n', &format!("{IN_ZSH}{}", images::IN_ZSH), 1);
    let is_id = |line: &str| line.starts_with("':id -- ") || line.starts_with("'*::ids -- ");
    let lines = script.lines().map(|line| {
        let of_images = FOR_ZSH
            .iter()
            .find(|(argument, _)| line.starts_with(&format!("'{argument}")));
        match of_images {
            Some((_, function)) => line.replace(":_default'", &format!(":{function}'")) + "\n",
            None if is_id(line) => line.replace(":_default'", ":_tiny-docker_containers'") + "\n",
            None => line.to_owned() + "\n",
        }
    });
    lines.collect()
}
// ANCHOR_END: zsh

/// The script would even offer what the help hides.
fn without_hidden(name: &'static str) -> Command {
    let mut cli = Cli::command();
    // Some commands get their options only now.
    cli.build();
    let options = cli.get_arguments().filter(|it| it.is_global_set());
    shown(&cli, name)
        .args(options)
        .version(env!("CARGO_PKG_VERSION"))
}

/// What clap has added to the `command` is left out: it will add that again.
fn shown(command: &Command, name: &'static str) -> Command {
    let without_help = command.is_disable_help_flag_set();
    let is_ours = |it: &&Arg| without_help || !["help", "version"].contains(&it.get_id().as_str());
    let options = command.get_arguments().filter(is_ours);
    let options = options.filter(|it| !it.is_hide_set() && !it.is_global_set());
    let subcommands = command.get_subcommands().filter(|it| !it.is_hide_set());
    let subcommands = subcommands.filter(|it| it.get_name() != "help");
    // clap wants a name that lasts as long as the program.
    let subcommands = subcommands.map(|it| shown(it, it.get_name().to_owned().leak()));
    Command::new(name)
        .args(options)
        .about(command.get_about().cloned().unwrap_or_default())
        .disable_help_flag(without_help)
        .subcommands(subcommands)
}
