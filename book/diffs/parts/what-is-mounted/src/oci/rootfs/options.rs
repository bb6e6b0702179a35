//! The options of a mount in config.json, as mount(8) takes them, with those that runc and crun have added.

use anyhow::{Context, Result, bail};

use crate::oci::rootfs::attributes::{
    ATIME, Change, NOATIME, NODEV, NODIRATIME, NOEXEC, NOSUID, NOSYMFOLLOW, RDONLY, STRICTATIME,
};

/// What they mean.
#[derive(Default, PartialEq, Eq, Debug)]
pub struct Options {
    /// Some(true) if the mounts below the source come along.
    pub bind: Option<bool>,
    /// Of the mount itself.
    pub own: Change,
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
            "mand" | "iversion" => bail!("the kernel has no such option any more"),
            "remount" | "tmpcopyup" | "shared" | "slave" | "private" | "unbindable" | "rshared"
            | "rslave" | "rprivate" | "runbindable" => bail!("it is not supported"),
            _ if text
                .strip_prefix('r')
                .is_some_and(|text| change(&mut Change::default(), text)) =>
            {
                bail!("it is not supported")
            }
            "idmap" | "ridmap" => bail!("it is not supported"),
            _ if change(&mut self.own, text) => (),
            _ => self.data.push(text.to_owned()),
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
