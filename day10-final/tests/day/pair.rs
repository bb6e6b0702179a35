//! Attacks come in pairs: on an earlier day, where they work, and on this one.

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

/// What comes of a line of shell, with `$TD` for the program of `day`, and then for this one.
///
/// `$RUN` is its `run`, away from the host's network where the day can do that. `$ATTACK` is the `attack`.
pub fn pair(day: &str, line: &str, attack: &str) -> Option<[Seen; 2]> {
    let net = if day < "day08" { "" } else { "--net isolated" };
    let before = attempt(&earlier(day)?, net, line, attack);
    let now = attempt(Path::new(TINY_DOCKER), "--net isolated", line, attack);
    Some([before, now])
}

/// Options of `run` that leave to a container all capabilities and system calls.
pub const UNPROTECTED: &str = "--cap-add ALL --security-opt seccomp=unconfined";

/// What comes of it today, with `options` of `run`: one lock opened, so that another is seen to hold, or not to.
pub fn now(options: &str, line: &str, attack: &str) -> Seen {
    let options = format!("--net isolated {options}");
    attempt(Path::new(TINY_DOCKER), &options, line, attack)
}

/// What a perl script of this name prints.
pub fn perl(day: &str, attack: &str) -> Option<[Seen; 2]> {
    pair(day, PERL, attack)
}

/// The line for an attack in perl, of which the default rootfs has no modules: but syscall is built in.
pub const PERL: &str = r#"$RUN perl -e "$ATTACK""#;

fn attempt(program: &Path, options: &str, line: &str, attack: &str) -> Seen {
    let mut sh = Command::new("sh");
    sh.args(["-c", &line.replace("$RUN", &format!("$TD run {options}"))]);
    sh.env("TD", program).env("ATTACK", attack);
    sh.env("TINY_DOCKER_ROOT", state());
    sh.stdin(Stdio::null()).output().unwrap().into()
}
