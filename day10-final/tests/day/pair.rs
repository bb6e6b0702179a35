//! Attacks come in pairs: on an earlier day, where they work, and today.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::support::{Seen, TINY_DOCKER, skip, state};

/// The program of an earlier `day`, if it has been built.
pub fn earlier(day: &str) -> Option<PathBuf> {
    let program = Path::new(TINY_DOCKER).with_file_name(day);
    if !program.exists() {
        skip(&format!("{}: cargo build", program.display()));
        return None;
    }
    Some(program)
}

/// The results of a line of shell, with `$TD` first for the program of `day`, and then for this one.
///
/// `$RUN` is its `run`, away from the host's network if the day can do that. `$ATTACK` is the `attack`.
pub fn pair(day: &str, line: &str, attack: &str) -> Option<[Seen; 2]> {
    let net = if day < "day08" { "" } else { "--net isolated" };
    let before = attempt(&earlier(day)?, net, line, attack);
    let now = attempt(Path::new(TINY_DOCKER), "--net isolated", line, attack);
    Some([before, now])
}

/// Options of `run` that leave a container all capabilities and system calls.
pub const UNPROTECTED: &str = "--cap-add ALL --security-opt seccomp=unconfined";

/// The result today, with `options` of `run`: they open one lock, which shows whether another one holds.
pub fn now(options: &str, line: &str, attack: &str) -> Seen {
    let options = format!("--net isolated {options}");
    attempt(Path::new(TINY_DOCKER), &options, line, attack)
}

/// What a perl script of this name prints.
pub fn perl(day: &str, attack: &str) -> Option<[Seen; 2]> {
    pair(day, PERL, attack)
}

/// The line for an attack in perl. The default rootfs has none of its modules, but syscall is built in.
pub const PERL: &str = r#"$RUN perl -e "$ATTACK""#;

fn attempt(program: &Path, options: &str, line: &str, attack: &str) -> Seen {
    let mut sh = Command::new("sh");
    sh.args(["-c", &line.replace("$RUN", &format!("$TD run {options}"))]);
    sh.env("TD", program).env("ATTACK", attack);
    sh.env("TINY_DOCKER_ROOT", state());
    sh.stdin(Stdio::null()).output().unwrap().into()
}
