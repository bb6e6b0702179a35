//! Containers of `tiny-runc` for tests to change and to attack.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};

use crate::ground::Ground;
use crate::oci::TinyRunc;
use crate::support::{Seen, wait_until};

/// A container whose image and configuration a test can change. It goes in the end.
pub struct Container {
    pub runc: TinyRunc,
    pub ground: Ground,
    pub spec: Value,
    pub id: String,
}

impl Container {
    pub fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let (runc, ground) = (TinyRunc::new(), Ground::new());
        let spec = runc.spec(ground.rootfs().parent().unwrap());
        let id = format!("attack-{}-{number}", std::process::id());
        Self {
            runc,
            ground,
            spec,
            id,
        }
    }

    /// `tiny-runc COMMAND --bundle … ID`, with these options, still to be started.
    pub fn command(&self, command: &str, options: &[&str]) -> Command {
        let bundle = self.ground.rootfs();
        let bundle = bundle.parent().unwrap();
        let text = self.spec.to_string().replace("{id}", &self.id);
        fs::write(bundle.join("config.json"), text).unwrap();
        let start = [command, "--bundle", bundle.to_str().unwrap()];
        let mut command = self.runc.command(&start);
        command.args(options).arg(&self.id);
        command
    }

    /// Runs a line of shell in it.
    pub fn run(&mut self, line: &str) -> Seen {
        self.runs(line);
        self.command("run", &[]).output().unwrap().into()
    }

    /// Starts a line of shell that goes on, and waits until it has created the file /ready.
    pub fn start(&mut self, line: &str) {
        self.runs(&format!("{line}; touch /ready; sleep 1000"));
        let mut run = self.command("run", &["--detach"]);
        let log = File::create(self.log()).unwrap();
        run.stdout(log.try_clone().unwrap()).stderr(log);
        let status = run.status().unwrap();
        assert!(status.success(), "{}", self.said());
        let ready = self.ground.rootfs().join("ready");
        wait_until("the container ready", || ready.exists());
    }

    pub fn runs(&mut self, line: &str) {
        self.spec["process"]["args"] = json!(["sh", "-c", line]);
    }

    /// Runs a further command in it.
    pub fn exec(&self, options: &[&str], command: &[&str]) -> Seen {
        let words = [&["exec"], options, &[self.id.as_str()], command].concat();
        self.runc.see(&words)
    }

    pub fn log(&self) -> PathBuf {
        self.ground.place("log")
    }

    pub fn said(&self) -> String {
        fs::read_to_string(self.log()).unwrap()
    }

    pub fn grant(&mut self, capability: &str) {
        for set in ["bounding", "effective", "permitted"] {
            let set = &mut self.spec["process"]["capabilities"][set];
            set.as_array_mut().unwrap().push(capability.into());
        }
    }

    pub fn add_mount(&mut self, mount: Value) {
        self.spec["mounts"].as_array_mut().unwrap().push(mount);
    }

    pub fn without_mount(&mut self, at: &str) {
        let mounts = self.spec["mounts"].as_array_mut().unwrap();
        mounts.retain(|mount| !mount["destination"].as_str().unwrap().starts_with(at));
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        self.runc.see(&["delete", "--force", &self.id]);
    }
}

macro_rules! need_root {
    () => {
        $crate::need_cgroups!();
        if !nix::unistd::geteuid().is_root() {
            return $crate::support::leave_to("root");
        }
    };
}
pub(crate) use need_root;
