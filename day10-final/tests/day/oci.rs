//! `tiny-runc`: the program by its other name.

mod a_bundle;
mod a_configuration;
mod arguments;
mod ask_an_agent;
mod attacks;
mod bundle;
mod console;
#[allow(dead_code)] // Each part uses more of it.
mod container;
mod create_and_start;
mod device_program;
mod device_rules;
mod engines;
mod filter;
mod freezer;
mod hooks;
mod init;
mod its_places;
mod its_state;
mod its_turn;
mod joining;
mod limits;
mod limits_again;
mod limits_v1;
mod mounts_that_lie;
mod mutations;
mod new_limits;
mod new_namespaces;
mod nodes_and_masks;
mod one_more_process;
mod other_limits;
mod other_programs;
mod others_namespaces;
mod processes;
mod rootless;
mod seen_from_inside;
mod unified;
mod what_is_mounted;
mod what_it_uses;
mod what_it_uses_again;
mod what_stays;
mod who_it_is;

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::{Seen, TINY_DOCKER, hear_signals};

/// A directory with the program in it, as tiny-runc.
pub struct TinyRunc(TempDir);

impl TinyRunc {
    pub fn new() -> Self {
        hear_signals();
        let own = TempDir::new().unwrap();
        symlink(TINY_DOCKER, own.path().join("tiny-runc")).unwrap();
        Self(own)
    }

    /// Runs `tiny-runc --root … ARGUMENTS…` to its end.
    pub fn see(&self, arguments: &[&str]) -> Seen {
        self.command(arguments).output().unwrap().into()
    }

    /// The same, with files in place of pipes: a container in the background would keep those open.
    pub fn see_apart(&self, arguments: &[&str]) -> Seen {
        let [stdout, stderr] = ["stdout", "stderr"].map(|name| self.0.path().join(name));
        let mut command = self.command(arguments);
        command.stdout(File::create(&stdout).unwrap());
        command.stderr(File::create(&stderr).unwrap());
        let code = command.status().unwrap().code();
        let [stdout, stderr] = [stdout, stderr].map(|file| fs::read_to_string(file).unwrap());
        Seen {
            code,
            stdout,
            stderr,
        }
    }

    /// The same, still to be started.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.path());
        command.arg("--root").arg(self.root()).args(arguments);
        command.stdin(Stdio::null());
        command
    }

    /// What `tiny-runc spec` writes, made to fit a test. The container's cgroups have the name `{id}`.
    pub fn spec(&self, bundle: &Path) -> Value {
        let written = self.see(&["spec", "--bundle", bundle.to_str().unwrap()]);
        assert_eq!(written.code, Some(0), "{}", written.stderr);
        let text = fs::read(bundle.join("config.json")).unwrap();
        let mut spec: Value = serde_json::from_slice(&text).unwrap();
        spec["process"]["terminal"] = false.into();
        spec["process"]["args"] = vec!["true"].into();
        spec["root"]["readonly"] = false.into();
        spec["linux"]["cgroupsPath"] = "{id}".into();
        spec
    }

    /// The program.
    pub fn path(&self) -> PathBuf {
        self.0.path().join("tiny-runc")
    }

    /// Where the state of its containers is.
    pub fn root(&self) -> PathBuf {
        self.0.path().join("root")
    }
}
