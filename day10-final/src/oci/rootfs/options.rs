//! The options of a mount in config.json, as mount(8) takes them, with those that runc and crun have added.

use anyhow::{Context, Result, bail};
use nix::mount::MsFlags;

use crate::oci::rootfs::attributes::{
    ATIME, Change, NOATIME, NODEV, NODIRATIME, NOEXEC, NOSUID, NOSYMFOLLOW, RDONLY, STRICTATIME,
};

/// What they mean.
#[derive(Default, PartialEq, Eq, Debug)]
pub struct Options {
    /// Some(true) if the mounts below the source come along.
    pub bind: Option<bool>,
    pub remount: bool,
    /// Of the mount itself, and of all below it.
    pub own: Change,
    pub all: Change,
    pub propagation: Vec<Change>,
    /// A tmpfs begins with what the directory contained.
    pub copy_up: bool,
    /// Some(true) if the ids of the mounts below it change, too.
    pub idmap: Option<bool>,
    /// For the filesystem itself.
    pub data: Vec<String>,
}

/// What is set and cleared by each flag, by its name and its opposite.
const FLAGS: [(&str, &str, u64); 6] = [
    ("ro", "rw", RDONLY),
    ("nosuid", "suid", NOSUID),
    ("nodev", "dev", NODEV),
    ("noexec", "exec", NOEXEC),
    ("nodiratime", "diratime", NODIRATIME),
    ("nosymfollow", "symfollow", NOSYMFOLLOW),
];

/// What each of these makes of a mount's access times.
const TIMES: [(&str, u64); 6] = [
    ("noatime", NOATIME),
    ("atime", 0),
    ("relatime", 0),
    ("norelatime", 0),
    ("strictatime", STRICTATIME),
    ("nostrictatime", 0),
];

impl Options {
    pub fn parse(texts: &[String]) -> Result<Self> {
        let mut options = Self::default();
        options.all.recursive = true;
        for text in texts {
            options
                .add(text)
                .with_context(|| format!("options: cannot use {text:?}"))?;
        }
        Ok(options)
    }

    // ANCHOR: add
    fn add(&mut self, text: &str) -> Result<()> {
        match text {
            "" | "defaults" | "silent" | "loud" | "async" | "nomand" | "noiversion"
            | "nolazytime" => (),
            // Beside "rbind", it changes nothing.
            "bind" => drop(self.bind.get_or_insert(false)),
            "rbind" => self.bind = Some(true),
            "remount" => self.remount = true,
            "tmpcopyup" => self.copy_up = true,
            "idmap" => self.idmap = Some(false),
            "ridmap" => self.idmap = Some(true),
            "mand" | "iversion" => bail!("the kernel has no such option any more"),
            _ if propagation(text).is_ok() => {
                self.propagation
                    .push(Change::propagation(propagation(text)?));
            }
            _ if change(&mut self.own, text) => (),
            _ => {
                let all = text.strip_prefix('r');
                if !all.is_some_and(|text| change(&mut self.all, text)) {
                    self.data.push(text.to_owned());
                }
            }
        }
        Ok(())
    }
    // ANCHOR_END: add
}

/// Adds `text` to the `changes`, if it is a flag of a mount.
fn change(changes: &mut Change, text: &str) -> bool {
    for (set, clear, flag) in FLAGS {
        if text == set {
            (changes.set, changes.clear) = (changes.set | flag, changes.clear & !flag);
            return true;
        }
        if text == clear {
            (changes.set, changes.clear) = (changes.set & !flag, changes.clear | flag);
            return true;
        }
    }
    let Some((_, time)) = TIMES.iter().find(|(name, _)| *name == text) else {
        return false;
    };
    changes.set = changes.set & !ATIME | time;
    changes.clear |= ATIME;
    true
}

/// The name of a propagation, for mount(2).
pub fn propagation(name: &str) -> Result<MsFlags> {
    let (recursive, plain) = match name {
        "rshared" | "rslave" | "rprivate" | "runbindable" => (MsFlags::MS_REC, &name[1..]),
        _ => (MsFlags::empty(), name),
    };
    Ok(recursive
        | match plain {
            "shared" => MsFlags::MS_SHARED,
            "slave" => MsFlags::MS_SLAVE,
            "private" => MsFlags::MS_PRIVATE,
            "unbindable" => MsFlags::MS_UNBINDABLE,
            _ => bail!("expected shared, slave, private or unbindable"),
        })
}

/// All options that [`Options::parse`] knows, sorted.
pub fn names() -> Vec<String> {
    let flags = FLAGS.iter().flat_map(|(set, clear, _)| [*set, *clear]);
    let of_mounts: Vec<_> = flags.chain(TIMES.iter().map(|(name, _)| *name)).collect();
    let recursive = of_mounts.iter().map(|name| format!("r{name}"));
    let spread = ["shared", "slave", "private", "unbindable"];
    let spread = spread
        .into_iter()
        .flat_map(|name| [name.to_owned(), format!("r{name}")]);
    let others = [
        "bind",
        "rbind",
        "remount",
        "tmpcopyup",
        "idmap",
        "ridmap",
        "defaults",
    ];
    let plain = of_mounts
        .iter()
        .chain(&others)
        .map(|name| (*name).to_owned());
    let mut all: Vec<_> = plain.chain(recursive).chain(spread).collect();
    all.sort();
    all
}
