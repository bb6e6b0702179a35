//! What becomes of a config.json with a mistake in it: one line that says so, and nothing is left behind. Some of these
//! are no mistakes. mutations.json has them all.

use std::fs;

use nix::unistd::geteuid;
use serde::Deserialize;
use serde_json::Value;

use crate::ground::Ground;
use crate::need_cgroups;
use crate::oci::TinyRunc;
use crate::support::{groups, leave_to, wait_until};

/// One way to change a configuration.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Mutation {
    name: String,
    /// Which one: `spec` is what tiny-runc writes, `docker` is in docker.json.
    config: String,
    /// Where, as a JSON pointer. The last step may be new, and `-` is the end of an array.
    at: Option<String>,
    #[serde(default)]
    to: Value,
    #[serde(default)]
    remove: bool,
    /// How often `to` or `text` is there.
    repeat: Option<usize>,
    /// An array that is appended to itself.
    twice: Option<String>,
    /// A change of the JSON text, from and to.
    replace: Option<[String; 2]>,
    /// Something else altogether.
    text: Option<String>,
    /// What its error mentions. Without this, the container runs.
    says: Option<String>,
}

impl Mutation {
    /// The changed configuration, in which `{id}` becomes `id`.
    fn apply(&self, mut config: Value, id: &str) -> String {
        if let Some(text) = &self.text {
            return text.repeat(self.repeat.unwrap_or(1));
        }
        if let Some(at) = &self.twice {
            let all = config.pointer_mut(at).unwrap().as_array_mut().unwrap();
            all.extend(all.clone());
        }
        if let Some(at) = &self.at {
            self.change(&mut config, at);
        }
        let mut text = config.to_string();
        if let Some([from, to]) = &self.replace {
            assert!(text.contains(from), "{}", self.name);
            text = text.replace(from, to);
        }
        text.replace("{id}", id)
    }

    fn change(&self, config: &mut Value, at: &str) {
        let (place, last) = at.rsplit_once('/').unwrap();
        let to = match (self.repeat, &self.to) {
            (Some(times), Value::String(text)) => text.repeat(times).into(),
            (_, to) => to.clone(),
        };
        match config.pointer_mut(place).unwrap() {
            Value::Object(fields) if self.remove => drop(fields.remove(last).unwrap()),
            Value::Object(fields) => drop(fields.insert(last.to_owned(), to)),
            Value::Array(items) => match last.parse::<usize>() {
                Ok(n) if n < items.len() => items[n] = to,
                _ => items.push(to),
            },
            _ => panic!("{}: nothing is at {at}", self.name),
        }
    }
}

#[test]
fn a_mistake_in_the_configuration_is_one_line_and_leaves_nothing() {
    need_cgroups!();
    if !geteuid().is_root() {
        return leave_to("root");
    }
    let (runc, ground) = (TinyRunc::new(), Ground::new());
    let rootfs = ground.rootfs();
    let bundle = rootfs.parent().unwrap();
    let spec = runc.spec(bundle);
    let docker: Value = serde_json::from_str(include_str!("docker.json")).unwrap();
    let all: Vec<Mutation> = serde_json::from_str(include_str!("mutations.json")).unwrap();
    let mounts = || fs::read_to_string("/proc/self/mountinfo").unwrap();
    let before = mounts();
    for (n, mutation) in all.iter().enumerate() {
        let id = format!("mutation-{}-{n}", std::process::id());
        let config = match mutation.config.as_str() {
            "spec" => &spec,
            _ => &docker,
        };
        let text = mutation.apply(config.clone(), &id);
        fs::write(bundle.join("config.json"), text).unwrap();
        let seen = runc.see(&["run", "--bundle", bundle.to_str().unwrap(), &id]);
        let shown = format!("{}: {:?} {}", mutation.name, seen.code, seen.stderr);
        match &mutation.says {
            None => assert_eq!(seen.code, Some(0), "{shown}"),
            Some(word) => {
                assert_eq!(seen.code, Some(1), "{shown}");
                let lines: Vec<_> = seen.stderr.lines().collect();
                let one = matches!(lines[..], [first] | [first, _] if first.contains(word));
                let hint = lines.get(1).is_none_or(|line| line.starts_with("hint: "));
                assert!(one && hint, "{shown}");
            }
        }
        let left = fs::read_dir(runc.root()).is_ok_and(|mut all| all.next().is_some());
        assert!(!left, "{shown}: its state is left");
        // A group can only be gone if its processes are.
        assert!(groups(&id).is_empty(), "{shown}: its cgroups are left");
        assert_eq!(mounts(), before, "{shown}: its mounts are left");
        wait_until("its processes gone", || !is_alive(&id));
    }
}

/// Whether a process is still in a cgroup of the container `id`: even a zombie is.
fn is_alive(id: &str) -> bool {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let groups =
        processes.filter_map(|process| fs::read_to_string(process.path().join("cgroup")).ok());
    groups.into_iter().any(|groups| groups.contains(id))
}
