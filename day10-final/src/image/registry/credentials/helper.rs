//! Programs that keep passwords, docker-credential-NAME: the protocol of docker-credential-helpers.

use std::io::{ErrorKind, Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail, ensure};
use serde::Deserialize;
use serde_json::json;

use crate::failure::quoted;
use crate::image::registry::credentials::{Credentials, password};

/// How long a helper may take: it may ask the user to unlock something.
const LIMIT: Duration = Duration::from_secs(60);

/// No answer of a helper is longer.
const LONGEST: u64 = 1 << 20;

/// What all helpers say if they have nothing.
const NOTHING: &str = "credentials not found";

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Kept {
    username: String,
    secret: String,
}

/// What the helper keeps for `server`. None: nothing.
pub fn get(helper: &str, server: &str) -> Result<Option<Credentials>> {
    let kept = match run(helper, "get", server) {
        Err(error) if format!("{error:#}").contains(NOTHING) => return Ok(None),
        kept => kept?,
    };
    let kept: Kept = serde_json::from_str(&kept)
        .map_err(|_| anyhow!("docker-credential-{helper} answers something else"))?;
    Ok(Some(password(&kept.username, &kept.secret)))
}

pub fn store(helper: &str, server: &str, user: &str, password: &str) -> Result<()> {
    let kept = json!({"ServerURL": server, "Username": user, "Secret": password});
    run(helper, "store", &kept.to_string()).map(drop)
}

/// Returns whether there was something.
pub fn erase(helper: &str, server: &str) -> bool {
    run(helper, "erase", server).is_ok()
}

fn run(helper: &str, action: &str, input: &str) -> Result<String> {
    let program = format!("docker-credential-{}", quoted(helper));
    let mut child = start(helper, action).with_context(|| format!("cannot run {program}"))?;
    let outcome = talk(&mut child, input);
    if outcome.is_err() {
        let _ = child.kill();
    }
    let status = child.wait().context("cannot wait for it")?;
    let said = outcome.with_context(|| format!("{program} does not answer"))?;
    match said.trim() {
        _ if status.success() => Ok(said),
        "" => bail!("{program} fails: {status}"),
        reason => bail!("{program} fails: {}", quoted(reason)),
    }
}

// ANCHOR: start
fn start(helper: &str, action: &str) -> Result<Child> {
    // It is a name, not a path to some other program.
    let is_inside = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    ensure!(
        helper.bytes().all(is_inside),
        "it is not the name of a program"
    );
    let mut command = Command::new(format!("docker-credential-{helper}"));
    command
        .arg(action)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    Ok(command.spawn()?)
}
// ANCHOR_END: start

/// Sends `input`, and returns all output.
fn talk(child: &mut Child, input: &str) -> Result<String> {
    let (mut stdin, stdout) = (child.stdin.take(), child.stdout.take());
    let (mut stdin, stdout) = stdin.take().zip(stdout).context("it has no pipes")?;
    // It may have ended already. Its exit code says more than a broken pipe.
    if let Err(error) = stdin.write_all(input.as_bytes()) {
        ensure!(error.kind() == ErrorKind::BrokenPipe, "{error}");
    }
    drop(stdin);
    let (sender, receiver) = channel();
    thread::spawn(move || {
        let mut said = String::new();
        let outcome = stdout.take(LONGEST).read_to_string(&mut said);
        let _ = sender.send(outcome.map(|_| said));
    });
    match receiver.recv_timeout(LIMIT) {
        Ok(said) => Ok(said?),
        Err(RecvTimeoutError::Timeout) => bail!("it has been running for {} s", LIMIT.as_secs()),
        Err(RecvTimeoutError::Disconnected) => bail!("its output cannot be read"),
    }
}
