//! What AppArmor and SELinux call the command: apparmor(7), selinux(8).

use std::io::Write;

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::fcntl::OFlag;
use oci_spec::runtime::Process;

use crate::oci::procfs;

/// Sets what they call it from its exec on.
pub fn apply(process: &Process) -> Result<()> {
    let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    if let Some(profile) = given(process.apparmor_profile()) {
        let text = format!("exec {profile}");
        let written = match write("apparmor/exec", &text) {
            // Before Linux 5.8, all modules share one file.
            Err(error) if error.downcast_ref() == Some(&Errno::ENOENT) => write("exec", &text),
            written => written,
        };
        written.with_context(|| format!("process.apparmorProfile: cannot use {profile:?}"))?;
    }
    if let Some(label) = given(process.selinux_label()) {
        write("exec", &label)
            .with_context(|| format!("process.selinuxLabel: cannot use {label:?}"))?;
    }
    Ok(())
}

fn write(name: &str, text: &str) -> Result<()> {
    let mut file = procfs::open(&format!("thread-self/attr/{name}"), OFlag::O_WRONLY)?;
    Ok(file.write_all(text.as_bytes())?)
}
