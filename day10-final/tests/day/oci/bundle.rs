//! A container of `tiny-runc` in cgroup v2, with a bundle of its own. Both go at the end.

#![allow(dead_code)] // Each part uses more of it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};

use crate::ground::Ground;
use crate::oci::TinyRunc;
use crate::support::Seen;

/// Returns from a test, aloud, on a machine without cgroup v2, and for users who may not write to its top.
#[macro_export]
macro_rules! need_cgroup_v2 {
    () => {
        $crate::need_namespaces!();
        if !nix::unistd::geteuid().is_root() {
            return $crate::support::leave_to("root");
        }
        if !$crate::support::has_cgroup_v2() {
            return $crate::support::skip("cgroup v2: .ci/run boots a virtual machine that has it");
        }
    };
}

pub struct Bundle {
    runc: TinyRunc,
    directory: String,
    /// Where it is.
    _ground: Ground,
    pub id: String,
}

impl Bundle {
    /// A bundle whose command is a long sleep, with `resources` as its limits.
    pub fn new(resources: Value) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let id = format!("limits-{}-{number}", process::id());
        let (runc, ground) = (TinyRunc::new(), Ground::new());
        let rootfs = ground.rootfs();
        let directory = rootfs.parent().unwrap().to_str().unwrap().to_owned();
        let bundle = Self {
            runc,
            directory,
            _ground: ground,
            id,
        };
        let mut spec = bundle.runc.spec(Path::new(&bundle.directory));
        spec["process"]["args"] = json!(["sleep", "1000"]);
        spec["linux"]["cgroupsPath"] = format!("/{}", bundle.id).into();
        spec["linux"]["resources"] = resources;
        bundle.write(&spec);
        bundle
    }

    /// A running container with these limits.
    pub fn running(resources: Value) -> Self {
        let bundle = Self::new(resources);
        bundle.start();
        bundle
    }

    pub fn start(&self) {
        let seen = self.run(&["-d"]);
        assert_eq!((seen.code, seen.stderr.as_str()), (Some(0), ""));
    }

    /// Changes its config.json.
    pub fn change(&self, change: impl FnOnce(&mut Value)) {
        let text = fs::read(self.config()).unwrap();
        let mut spec = serde_json::from_slice(&text).unwrap();
        change(&mut spec);
        self.write(&spec);
    }

    fn write(&self, spec: &Value) {
        fs::write(self.config(), spec.to_string()).unwrap();
    }

    fn config(&self) -> PathBuf {
        Path::new(&self.directory).join("config.json")
    }

    /// Other limits, for the next run.
    pub fn limit(&self, resources: Value) {
        self.change(|spec| spec["linux"]["resources"] = resources);
    }

    /// A shell's script as the command of the next run.
    pub fn script(&self, script: &str) {
        self.change(|spec| spec["process"]["args"] = json!(["sh", "-c", script]));
    }

    /// `tiny-runc run OPTIONS… ID`. What runs in the background gets none of our pipes: it would keep them open.
    pub fn run(&self, options: &[&str]) -> Seen {
        let words = [&["run", "--bundle", &self.directory], options, &[&self.id]].concat();
        match options.contains(&"-d") {
            true => self.runc.see_apart(&words),
            false => self.runc.see(&words),
        }
    }

    /// `tiny-runc create ID`
    pub fn create(&self) {
        let words = ["create", "--bundle", &self.directory, &self.id];
        let seen = self.runc.see_apart(&words);
        assert_eq!((seen.code, seen.stderr.as_str()), (Some(0), ""));
    }

    /// `tiny-runc COMMAND OPTIONS… ID MORE…`
    pub fn call(&self, command: &[&str], more: &[&str]) -> Seen {
        self.runc.see(&[command, &[&self.id], more].concat())
    }

    /// The same, for what has to succeed in silence. Returns what it prints.
    pub fn done(&self, command: &[&str], more: &[&str]) -> String {
        let seen = self.call(command, more);
        assert_eq!(
            (seen.code, seen.stderr.as_str()),
            (Some(0), ""),
            "{command:?}"
        );
        seen.stdout
    }

    pub fn state(&self) -> Value {
        serde_json::from_str(&self.done(&["state"], &[])).unwrap()
    }

    pub fn status(&self) -> String {
        self.state()["status"].as_str().unwrap().to_owned()
    }

    /// Its cgroup, unless it has another path.
    pub fn group(&self) -> PathBuf {
        Path::new("/sys/fs/cgroup").join(&self.id)
    }

    /// What the kernel says in the file `name` of its cgroup.
    pub fn file(&self, name: &str) -> String {
        let file = self.group().join(name);
        let text = fs::read_to_string(&file);
        text.unwrap_or_else(|error| panic!("{}: {error}", file.display()))
            .trim()
            .to_owned()
    }

    /// How many processes it has.
    pub fn processes(&self) -> usize {
        self.file("cgroup.procs").lines().count()
    }
}

impl Drop for Bundle {
    fn drop(&mut self) {
        self.call(&["delete", "-f"], &[]);
    }
}
