//! The process that `exec` starts: what its options change of the container's own.

use anyhow::{Context, Result, ensure};
use oci_spec::runtime::{Capabilities, LinuxCapabilities, Process};

use crate::oci::bundle;
use crate::oci::container::Container;
use crate::oci::exec::options::Options;

/// The process, from its file or from the options and what the container's own has.
pub fn describe(options: &Options, container: &Container) -> Result<Process> {
    if let Some(file) = &options.process {
        let mut process = bundle::process(file)?;
        let own = container.spec.process().as_ref();
        // What the file leaves out is not a right to everything.
        if process.capabilities().is_none() {
            process.set_capabilities(own.and_then(|own| own.capabilities().clone()));
        }
        if process.apparmor_profile().is_none() {
            process.set_apparmor_profile(own.and_then(|own| own.apparmor_profile().clone()));
        }
        if process.selinux_label().is_none() {
            process.set_selinux_label(own.and_then(|own| own.selinux_label().clone()));
        }
        if process.scheduler().is_none() {
            process.set_scheduler(own.and_then(|own| own.scheduler().clone()));
        }
        if process.io_priority().is_none() {
            process.set_io_priority(own.and_then(|own| *own.io_priority()));
        }
        return Ok(process);
    }
    ensure!(!options.command.is_empty(), "there is no command to run");
    let own = container.spec.process().clone();
    let mut process = own.context("the container has no process")?;
    process.set_args(Some(options.command.clone()));
    process.set_terminal(Some(options.tty));
    process.set_console_size(None);
    if let Some(cwd) = &options.cwd {
        process.set_cwd(cwd.clone());
    }
    let mut environment = process.env().clone().unwrap_or_default();
    if options.user.is_some() {
        // A home directory is that of the user.
        environment.retain(|one| !one.starts_with("HOME="));
    }
    environment.extend(options.env.iter().cloned());
    process.set_env(Some(environment));
    if let Some(user) = &options.user {
        let (uid, gid) = match user.split_once(':') {
            Some((uid, gid)) => (uid, Some(gid)),
            None => (user.as_str(), None),
        };
        let parse = |id: &str| {
            id.parse()
                .with_context(|| format!("--user: {id:?} is no id"))
        };
        let mut user = process.user().clone();
        user.set_uid(parse(uid)?);
        if let Some(gid) = gid {
            user.set_gid(parse(gid)?);
        }
        process.set_user(user);
    }
    if !options.additional_gids.is_empty() {
        let mut user = process.user().clone();
        user.set_additional_gids(Some(options.additional_gids.clone()));
        process.set_user(user);
    }
    if options.no_new_privs {
        process.set_no_new_privileges(Some(true));
    }
    if let Some(profile) = &options.apparmor {
        process.set_apparmor_profile(Some(profile.clone()));
    }
    if let Some(label) = &options.process_label {
        process.set_selinux_label(Some(label.clone()));
    }
    let mut sets = process.capabilities().clone().unwrap_or_default();
    for name in &options.cap {
        add(&mut sets, name)?;
    }
    if !options.cap.is_empty() {
        process.set_capabilities(Some(sets));
    }
    bundle::check::process::check(&process)?;
    Ok(process)
}

fn add(sets: &mut LinuxCapabilities, name: &str) -> Result<()> {
    let capability = serde_json::from_value(name.into())
        .with_context(|| format!("--cap: there is no capability {name:?}"))?;
    let with = |set: &Option<Capabilities>| {
        let mut set = set.clone().unwrap_or_default();
        set.insert(capability);
        Some(set)
    };
    let inherits =
        |set: &Option<Capabilities>| set.as_ref().is_some_and(|set| set.contains(&capability));
    if inherits(sets.inheritable()) {
        let ambient = with(sets.ambient());
        sets.set_ambient(ambient);
    }
    let bounding = with(sets.bounding());
    let effective = with(sets.effective());
    let permitted = with(sets.permitted());
    sets.set_bounding(bounding);
    sets.set_effective(effective);
    sets.set_permitted(permitted);
    Ok(())
}
