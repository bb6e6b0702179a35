//! `hooks`: config.md, "POSIX-platform Hooks".

use anyhow::{Result, ensure};
use oci_spec::runtime::Spec;

pub fn check(spec: &Spec) -> Result<()> {
    let Some(hooks) = spec.hooks() else {
        return Ok(());
    };
    #[allow(deprecated)] // by the specification, but Docker still uses it
    let all = [
        ("prestart", hooks.prestart()),
        ("createRuntime", hooks.create_runtime()),
        ("createContainer", hooks.create_container()),
        ("startContainer", hooks.start_container()),
        ("poststart", hooks.poststart()),
        ("poststop", hooks.poststop()),
    ];
    for (name, hooks) in all {
        for (n, hook) in hooks.iter().flatten().enumerate() {
            let field = format!("hooks.{name}[{n}]");
            let path = hook.path();
            ensure!(
                path.is_absolute(),
                "{field}.path: {path:?} is not an absolute path"
            );
            let timeout = hook.timeout().unwrap_or(0);
            ensure!(timeout >= 0, "{field}.timeout: {timeout} is negative");
        }
    }
    Ok(())
}
