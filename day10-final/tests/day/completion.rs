//! The shell completes what is typed.

use crate::need_namespaces;
use crate::support::{Detached, Seen, TINY_DOCKER, see, skip, state};
use std::path::Path;
use std::process::Command;

/// What a real bash offers where the last of `words` is about to be completed. None without a bash.
fn offered(words: &[&str]) -> Option<String> {
    let script = r#"
        source <(tiny-docker completion bash) || exit
        COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
        $(complete -p tiny-docker | sed 's/.*-F \([^ ]*\).*/\1/') tiny-docker "${@: -1}" "${@: -2:1}"
        echo "${COMPREPLY[@]}""#;
    let programs = Path::new(TINY_DOCKER).parent().unwrap();
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
    let mut bash = Command::new("bash");
    bash.args(["-c", script, "bash"]).args(words);
    bash.env("PATH", path).env("TINY_DOCKER_ROOT", state());
    let Ok(output) = bash.output() else {
        skip("bash");
        return None;
    };
    let seen: Seen = output.into();
    assert_eq!((seen.code, seen.stderr.as_str()), (Some(0), ""));
    Some(seen.stdout.trim().to_owned())
}

#[test]
fn bash_completes_commands_and_options() {
    let complete = |words: &[&str], whole: &str| {
        if let Some(offered) = offered(words) {
            assert_eq!(offered, whole, "{words:?}");
        }
    };
    complete(&["tiny-docker", "ru"], "run");
    complete(&["tiny-docker", "run", "--mem"], "--memory");
    complete(&["tiny-docker", "--ver"], "--version");
    complete(&["tiny-docker", "run", "--net", "bri"], "bridge");
}

#[test]
fn bash_completes_containers() {
    need_namespaces!();
    let container = Detached::start(&["--name", "web", "sleep", "600"]);
    let Some(exec) = offered(&["tiny-docker", "exec", &container.id[..4]]) else {
        return;
    };
    assert_eq!(exec, container.id);
    // Not where a container is what comes out.
    let run = offered(&["tiny-docker", "run", &container.id[..4]]);
    assert_eq!(run.unwrap(), "");
}

#[test]
fn what_the_help_hides_is_not_offered() {
    for shell in ["bash", "zsh", "fish"] {
        let script = see(&["completion", shell]).stdout;
        assert!(script.contains("prune"), "{shell}: {script}");
        assert!(!script.contains("tidy"), "{shell}: {script}");
    }
}
