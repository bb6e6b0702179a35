//! The shell completes our commands.

use std::fs;
use std::path::Path;
use std::process::Command;

use rexpect::session::{PtySession, spawn_command};
use tempfile::TempDir;

use crate::cli::help::examples;
use crate::need_namespaces;
use crate::support::{Detached, Seen, TINY_DOCKER, see, skip, state, write_program};

/// What a real bash offers when it completes the last of `words`. None without a bash.
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
        skip("bash: sudo apt install bash");
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
    complete(&["tiny-docker", "kill", "-s", "US"], "USR1 USR2");
    complete(&["tiny-docker", "kill", "--signal", "WI"], "WINCH");
    complete(&["tiny-docker", "image", "pru"], "prune");
    complete(&["tiny-docker", "system", "df", "--verb"], "--verbose");
}

#[test]
fn bash_completes_containers() {
    need_namespaces!();
    let container = Detached::start(&["--name", "web", "sleep", "600"]);
    let Some(exec) = offered(&["tiny-docker", "exec", &container.id[..4]]) else {
        return;
    };
    assert_eq!(exec, container.id);
    // Not where something else is meant.
    for words in [
        &["kill", "-s"][..],
        &["stop", "-t"],
        &["logs", "--tail"],
        &["exec", "-u"],
    ] {
        let words = [&["tiny-docker"], words, &[&container.id[..4]]].concat();
        assert_eq!(offered(&words).unwrap(), "", "{words:?}");
    }
    let exec = offered(&["tiny-docker", "exec", "-t", &container.id[..4]]);
    assert_eq!(exec.unwrap(), container.id);
    // Not where a new container is the result.
    let run = offered(&["tiny-docker", "run", &container.id[..4]]);
    assert_eq!(run.unwrap(), "");
}

#[test]
fn what_the_help_hides_is_not_offered() {
    for shell in ["bash", "zsh", "fish"] {
        let script = see(&["completion", shell]).stdout;
        assert!(script.contains("prune"), "{shell}: {script}");
        for hidden in ["tidy", "restart", "anonymous volume"] {
            assert!(!script.contains(hidden), "{shell}: {script}");
        }
    }
}

/// How each shell loads what `completion` prints, from where the help's examples put it in a new home.
const SHELLS: [(&str, &str, &str); 3] = [
    (
        "bash",
        ".bashrc",
        "PS1='type: '; . ~/.local/share/bash-completion/completions/tiny-docker\n",
    ),
    (
        "zsh",
        ".zshrc",
        "PS1='type: '; fpath=(~/.zfunc $fpath); autoload -U compinit; compinit -u\n",
    ),
    (
        "fish",
        ".config/fish/config.fish",
        "function fish_prompt; printf 'type: '; end\n",
    ),
];

/// A user's home, with a program called tiny-docker in their PATH.
struct Home(TempDir);

impl Home {
    fn new(tiny_docker: &str) -> Self {
        let home = Self(TempDir::new().unwrap());
        home.program("tiny-docker", tiny_docker);
        let lines = examples(&["completion"]);
        assert_eq!(lines.iter().filter(|line| line.contains(" >")).count(), 3);
        for line in lines {
            let mut bash = home.shell("sh");
            let seen: Seen = bash.args(["-c", &line]).output().unwrap().into();
            let known = line.starts_with("source ");
            assert!(known || seen.code == Some(0), "{line}: {}", seen.stderr);
        }
        home
    }

    /// A script of this `name` in their PATH.
    fn program(&self, name: &str, script: &str) {
        let bin = self.0.path().join("bin");
        fs::create_dir_all(&bin).unwrap();
        write_program(&bin.join(name), &format!("#!/bin/sh\n{script}\n"));
    }

    fn shell(&self, name: &str) -> Command {
        let bin = self.0.path().join("bin");
        let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
        let mut shell = Command::new(name);
        shell.current_dir(self.0.path()).env_clear();
        shell.env("PATH", path).env("HOME", self.0.path());
        shell.env("TERM", "xterm").env("TD", TINY_DOCKER);
        shell.env("TINY_DOCKER_ROOT", state());
        shell
    }

    /// Types `typed` and a tab. Returns the line as <word><word>, and everything that was shown.
    fn complete(&self, user: &mut PtySession, typed: &str) -> (String, String) {
        user.send(&format!("{typed}\t")).unwrap();
        // To the beginning of the line.
        user.send("\x01printf '<%s>' ").unwrap();
        user.send_line("").unwrap();
        let shown = user.exp_string("<tiny-docker>").unwrap();
        let words = user.exp_string("type: ").unwrap();
        let end = words.rfind('>').map_or(0, |end| end + 1);
        (words[..end].to_owned(), shown)
    }

    /// Opens a terminal with each of the shells that this machine has.
    fn each_shell(&self, mut type_in: impl FnMut(&str, &mut PtySession)) {
        for (name, file, text) in SHELLS {
            if Command::new(name).arg("-c").arg("true").output().is_err() {
                skip(name);
                continue;
            }
            let file = self.0.path().join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
            let mut shell = self.shell(name);
            shell.arg(if name == "zsh" { "-di" } else { "-i" });
            let mut user = spawn_command(shell, Some(60_000)).unwrap();
            user.exp_string("type: ").unwrap();
            type_in(name, &mut user);
            user.send_line("exit").unwrap();
            user.exp_eof().unwrap();
        }
    }
}

#[test]
fn each_shell_completes_containers_by_name() {
    need_namespaces!();
    let isolated = ["--net", "isolated", "--name"];
    let _running = Detached::start(&[&isolated[..], &["worker", "sleep", "600"]].concat());
    let ended = see(&[&["run"], &isolated[..], &["finished", "true"]].concat());
    assert_eq!(ended.code, Some(0));
    let home = Home::new("exec $TD \"$@\"");
    home.each_shell(|shell, user| {
        for (typed, completed) in [
            ("exec work", "<exec><worker>"),
            ("exec -it work", "<exec><-it><worker>"),
            ("exec finish", "<exec><finish>"),
            ("stop work", "<stop><worker>"),
            ("stop finish", "<stop><finish>"),
            ("kill -s HUP work", "<kill><-s><HUP><worker>"),
            ("kill -s WI", "<kill><-s><WINCH>"),
            ("kill --signal TER", "<kill><--signal><TERM>"),
            ("stats finish", "<stats><finish>"),
            ("rm -f work", "<rm><-f><worker>"),
            ("rm worker finish", "<rm><worker><finished>"),
            ("inspect finish", "<inspect><finished>"),
            ("logs finish", "<logs><finished>"),
            ("wait finish", "<wait><finished>"),
            (
                "run --net isolated finish",
                "<run><--net><isolated><finish>",
            ),
        ] {
            let (words, _) = home.complete(user, &format!("tiny-docker {typed}"));
            assert_eq!(words, completed, "{shell}: {typed}");
        }
    });
}

/// A program that lists these images, and otherwise does what ours does.
const WITH_IMAGES: &str = "case $1 in images) cat <<'END'
REPOSITORY               TAG       IMAGE ID       CREATED       SIZE
alpine                   latest    0123456789ab   2 years ago   1kB
debian                   12-slim   0123456789ac   2 years ago   1kB
localhost:5000/some/it   1.0       0123456789ad   2 years ago   1kB
$(>ran-by-image)         latest    0123456789ae   2 years ago   1kB
x;>ran-by-image          latest    0123456789af   2 years ago   1kB
<none>                   <none>    fedcba987654   2 years ago   1kB
END
;; *) exec $TD \"$@\" ;; esac";

#[test]
fn each_shell_completes_images_by_name() {
    let home = Home::new(WITH_IMAGES);
    home.each_shell(|shell, user| {
        for (typed, completed) in [
            ("rmi alp", "<rmi><alpine>"),
            ("rmi -f fedc", "<rmi><-f><fedcba987654>"),
            ("rmi alpine deb", "<rmi><alpine><debian:12-slim>"),
            ("rmi debian:1", "<rmi><debian:12-slim>"),
            ("rmi debian:", "<rmi><debian:12-slim>"),
            ("image rm debian:", "<image><rm><debian:12-slim>"),
            (
                "rmi localhost:5000/some/it:1",
                "<rmi><localhost:5000/some/it:1.0>",
            ),
            ("rmi x", "<rmi><x>"),
            ("history alp", "<history><alpine>"),
            ("inspect alp", "<inspect><alpine>"),
            ("tag alp", "<tag><alpine>"),
            ("image rm alp", "<image><rm><alpine>"),
            ("save -o alp", "<save><-o><alp>"),
            ("save -o x.tar alp", "<save><-o><x.tar><alpine>"),
            ("run --rm alp", "<run><--rm><alpine>"),
            ("run --name alp", "<run><--name><alp>"),
            ("pull alp", "<pull><alp>"),
            ("rm alp", "<rm><alp>"),
        ] {
            let (words, _) = home.complete(user, &format!("tiny-docker {typed}"));
            assert_eq!(words, completed, "{shell}: {typed}");
        }
    });
    assert!(!home.0.path().join("ran-by-image").exists());
}

#[test]
fn each_shell_completes_paths_and_quotes_them() {
    let home = Home::new("exec $TD \"$@\"");
    for path in ["a folder/inside", "x;>ran-by-file"] {
        fs::create_dir_all(home.0.path().join(path)).unwrap();
    }
    home.each_shell(|shell, user| {
        for (typed, completed) in [
            ("run --rootfs x", "<run><--rootfs><x;>ran-by-file>"),
            ("run -w a", "<run><-w><a folder>"),
            ("run -v a\\ folder/in", "<run><-v><a folder/inside>"),
        ] {
            let (words, _) = home.complete(user, &format!("tiny-docker {typed}"));
            assert_eq!(words.replace("/>", ">"), completed, "{shell}: {typed}");
        }
    });
    assert!(!home.0.path().join("ran-by-file").exists());
}

#[test]
fn no_shell_executes_a_name() {
    let names = [
        "$(>ran-by-name)",
        "`>ran-by-name`",
        "x;>ran-by-name",
        "${x[$(>ran-by-name)]}",
        "x\t$(>ran-by-name)",
        "-f",
        "worker",
    ];
    let table: String = names
        .map(|name| format!("0123456789ab   default   \"sleep\"   {name}\n"))
        .concat();
    let home = Home::new(&format!(
        "case $1 in ps) cat <<'END'\nCONTAINER ID   IMAGE   COMMAND   NAMES\n{table}END\n;; *) exec $TD \"$@\" ;; esac"
    ));
    home.each_shell(|shell, user| {
        for (typed, completed) in [
            ("rm ", "<rm>"),
            ("rm x", "<rm><x>"),
            ("rm work", "<rm><worker>"),
            ("exec work", "<exec><worker>"),
        ] {
            let (words, _) = home.complete(user, &format!("tiny-docker {typed}"));
            let executed = home.0.path().join("ran-by-name").exists();
            assert!(!executed, "{shell}: {typed}");
            assert_eq!(words, completed, "{shell}: {typed}");
        }
    });
}

#[test]
fn no_shell_executes_what_the_help_says() {
    let home = Home::new("exec $TD \"$@\"");
    // What comes after the first colon in HOST:CONTAINER[:ro], and so on.
    for name in [
        "CONTAINER[:ro]:_default",
        "GROUP]:_default",
        "ADDRESS:_default",
    ] {
        home.program(name, ">~/ran-by-help");
    }
    home.each_shell(|shell, user| {
        for typed in [
            "run -v ",
            "run --volume ",
            "run -u ",
            "run --add-host ",
            "run -e ",
            "exec -u ",
            "run -p ",
        ] {
            let (_, shown) = home.complete(user, &format!("tiny-docker {typed}"));
            assert!(!shown.contains("not found"), "{shell}: {shown}");
        }
    });
    assert!(!home.0.path().join("ran-by-help").exists());
}
