//! The programs that a configuration wants to have run along the way: config.md, "POSIX-platform Hooks".
//!
//! Each gets the container's state on its stdin. One that fails before the container has started is the end of it.

use std::ffi::CStr;
use std::fs::File;
use std::io::{Seek, Write};
use std::os::unix::fs::FileExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::unistd::getpid;
use oci_spec::runtime::{Hook, Hooks, Spec};

use crate::oci::VERSION;
use crate::oci::channel::Orders;
use crate::oci::container::{State, Status};
use crate::oci::log;
use crate::signals::unblock;

/// How much of what a hook says is shown, in bytes.
const MOST: usize = 4096;

/// Which of them, as config.json names them.
pub type Which = fn(&Hooks) -> &Option<Vec<Hook>>;

// ANCHOR: run
/// Runs the hooks of one kind, in their order. They have `name` in errors.
pub fn run(hooks: Option<&Hooks>, which: Which, name: &str, state: &State) -> Result<()> {
    let Some(hooks) = hooks.and_then(|hooks| which(hooks).as_ref()) else {
        return Ok(());
    };
    let text = serde_json::to_vec(state).context("cannot serialize the state")?;
    // As with runc. The bundle has no path in the container.
    let directory = match name {
        "createContainer" => Path::new("."),
        "startContainer" => Path::new("/"),
        _ => state.bundle,
    };
    for (n, hook) in hooks.iter().enumerate() {
        // With runc's words, which some callers look for.
        run_one(hook, &text, directory)
            .with_context(|| format!("error running {name} hook #{n}"))?;
    }
    Ok(())
}
// ANCHOR_END: run

/// Whether there are hooks for the runtime, while the container's first process waits.
#[allow(deprecated)] // by the specification, but older versions of Docker use it
pub fn are_on_host(spec: &Spec) -> bool {
    let are_there = |hooks: &Hooks| hooks.prestart().is_some() || hooks.create_runtime().is_some();
    spec.hooks().as_ref().is_some_and(are_there)
}

/// The poststop hooks run when there is nothing left to fail: one that does is worth a warning.
pub fn run_poststop(hooks: Option<&Hooks>, state: &State) {
    let hooks = hooks.and_then(|hooks| hooks.poststop().as_ref());
    let Ok(text) = serde_json::to_vec(state) else {
        return;
    };
    for (n, hook) in hooks.into_iter().flatten().enumerate() {
        if let Err(error) = run_one(hook, &text, state.bundle) {
            log::warn(&format!("error running poststop hook #{n}: {error:#}"));
        }
    }
}

// ANCHOR: run_one
fn run_one(hook: &Hook, state: &[u8], directory: &Path) -> Result<()> {
    ensure!(hook.path().is_absolute(), "its path is not absolute");
    let mut command = Command::new(hook.path());
    let mut arguments = hook.args().iter().flatten();
    if let Some(name) = arguments.next() {
        command.arg0(name);
    }
    command.args(arguments);
    if directory.is_dir() {
        command.current_dir(directory);
    }
    if hook.env().is_some() {
        // Without this field, it has ours, as with runc.
        command.env_clear();
    }
    for variable in hook.env().iter().flatten() {
        let (name, value) = variable.split_once('=').unwrap_or((variable, ""));
        command.env(name, value);
    }
    let (mut stdin, said) = (nameless()?, nameless()?);
    let written = stdin.write_all(state).and_then(|()| stdin.rewind());
    written.context("cannot write the state")?;
    command.stdin(stdin).stdout(Stdio::null());
    command.stderr(said.try_clone().context("cannot share a file")?);
    // SAFETY: between fork and exec, one system call.
    unsafe { command.pre_exec(unblock) };
    let mut child = command.spawn().context("cannot run it")?;
    let timeout = hook.timeout().filter(|seconds| *seconds > 0);
    if let Some(seconds) = timeout {
        end_after(&mut child, Duration::from_secs(seconds as u64))?;
    }
    let status = child.wait().context("cannot wait for it")?;
    if status.success() {
        return Ok(());
    }
    let mut reason = [0; MOST];
    let length = said.read_at(&mut reason, 0).unwrap_or(0);
    let reason = String::from_utf8_lossy(&reason[..length]);
    bail!("{}: {}", shown(status), reason.trim_end())
}

/// No pipe: a hook need not read its state, may say more than a pipe holds, and may leave both open to another process.
fn nameless() -> Result<File> {
    let file = memfd_create(c"hook", MFdFlags::MFD_CLOEXEC);
    file.map(File::from)
        .context("cannot create a file in memory")
}
// ANCHOR_END: run_one

/// How a hook has ended: strsignal(3).
fn shown(status: ExitStatus) -> String {
    let Some(signal) = status.signal() else {
        return status.to_string();
    };
    // SAFETY: strsignal(3) returns a text for every number; no other thread calls it.
    let name = unsafe { CStr::from_ptr(libc::strsignal(signal)) };
    format!("signal: {}", name.to_string_lossy().to_lowercase())
}

// ANCHOR: end_after
/// Kills the `child` if it has not ended by then.
fn end_after(child: &mut Child, timeout: Duration) -> Result<()> {
    // One that no clock can show never comes.
    let deadline = Instant::now().checked_add(timeout);
    let mut pause = Duration::from_millis(1);
    while child.try_wait().context("cannot wait for it")?.is_none() {
        if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            child.kill().context("cannot kill it")?;
            let _ = child.wait();
            bail!("it has not ended after {} s", timeout.as_secs());
        }
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        thread::sleep(pause.min(left.unwrap_or(pause)));
        pause = Duration::from_millis(50).min(pause * 2);
    }
    Ok(())
}
// ANCHOR_END: end_after

// ANCHOR: inside
/// In the container, before its root is changed.
pub fn create_container(orders: &Orders) -> Result<()> {
    let hooks = orders.spec.hooks().as_ref();
    let state = state(orders, Status::Creating);
    run(hooks, Hooks::create_container, "createContainer", &state)
}

/// In the container, right before its command.
pub fn start_container(orders: &Orders, environment: &[String]) -> Result<()> {
    let mut hooks = orders.spec.hooks().clone();
    let start = hooks
        .as_mut()
        .and_then(|hooks| hooks.start_container_mut().as_mut());
    for hook in start.into_iter().flatten() {
        // Without an environment of its own, it has that of the command, as with runc.
        hook.env_mut().get_or_insert_with(|| environment.to_vec());
    }
    let hooks = hooks.as_ref();
    let state = state(orders, Status::Created);
    run(hooks, Hooks::start_container, "startContainer", &state)
}
// ANCHOR_END: inside

fn state(orders: &Orders, status: Status) -> State<'_> {
    State {
        version: VERSION,
        id: &orders.id,
        pid: getpid().as_raw(),
        status,
        bundle: &orders.bundle,
        rootfs: None,
        created: None,
        annotations: orders.spec.annotations().as_ref(),
        owner: None,
    }
}
