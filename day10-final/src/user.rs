//! `-u`: a user of the container's, as its own /etc says. passwd(5), group(5).

use std::fs::OpenOptions;
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;

use anyhow::{Context, Result};
use nix::unistd::{Gid, Uid};

/// Far more than such a file has. It comes with the rootfs, and may be a link to /dev/zero.
const MOST: u64 = 1 << 20;

/// Who a command runs as.
pub struct User {
    pub uid: Uid,
    pub gid: Gid,
    /// Those that it is in beside that one.
    pub groups: Vec<Gid>,
    pub home: String,
}

/// A line of either file. After the id: GROUP:COMMENT:HOME:SHELL, or MEMBER,MEMBER,…
struct Entry {
    name: String,
    id: u32,
    rest: Vec<String>,
}

impl User {
    /// Who needs no file to exist.
    pub fn root() -> Self {
        Self {
            uid: Uid::from_raw(0),
            gid: Gid::from_raw(0),
            groups: Vec::new(),
            home: "/root".to_owned(),
        }
    }

    // ANCHOR: find
    /// The one that `text` means, as USER or USER:GROUP, each a name or a number.
    ///
    /// As in Docker: a number may be in no file, and then the group is root's. Who names a group is in no other.
    pub fn find(text: &str) -> Result<Self> {
        let (user, group) = match text.split_once(':') {
            Some((user, group)) => (user, Some(group)),
            None => (text, None),
        };
        let (users, groups) = (entries("/etc/passwd"), entries("/etc/group"));
        let entry = users.iter().find(|entry| entry.is(user));
        let field = |n: usize| entry.and_then(|entry| entry.rest.get(n));
        let uid = id(entry, user)
            .with_context(|| format!("there is no user {user} in its /etc/passwd"))?;
        let gid = match group {
            Some(group) => id(groups.iter().find(|entry| entry.is(group)), group)
                .with_context(|| format!("there is no group {group} in its /etc/group"))?,
            None => field(0).and_then(|gid| number(gid)).unwrap_or(0),
        };
        let joined = |of: &&Entry| {
            let mut members = of.rest.iter().flat_map(|members| members.split(','));
            group.is_none() && members.any(|member| entry.is_some_and(|entry| entry.name == member))
        };
        Ok(Self {
            uid: Uid::from_raw(uid),
            gid: Gid::from_raw(gid),
            groups: groups
                .iter()
                .filter(joined)
                .map(|group| Gid::from_raw(group.id))
                .collect(),
            home: field(2).cloned().unwrap_or("/".to_owned()),
        })
    }
    // ANCHOR_END: find
}

impl Entry {
    fn is(&self, text: &str) -> bool {
        self.name == text || number(text) == Some(self.id)
    }
}

fn id(entry: Option<&Entry>, text: &str) -> Option<u32> {
    entry.map(|entry| entry.id).or_else(|| number(text))
}

/// A user or group id. Docker knows no more of them, and the last one, -1, would mean to setresuid(2): stay root.
fn number(text: &str) -> Option<u32> {
    text.parse().ok().filter(|&id| id <= i32::MAX as u32)
}

/// Those lines of `file` that make sense. There may be no such file.
fn entries(file: &str) -> Vec<Entry> {
    let mut text = Vec::new();
    // Should it be a FIFO, then not one that we wait for: open(2).
    let mut options = OpenOptions::new();
    let opened = options.read(true).custom_flags(libc::O_NONBLOCK).open(file);
    let _ = opened.and_then(|file| file.take(MOST).read_to_end(&mut text));
    let entry = |line: &str| {
        let mut fields = line.split(':').map(str::to_owned);
        Some(Entry {
            name: fields.next()?,
            id: number(&fields.nth(1)?)?,
            rest: fields.collect(),
        })
    };
    String::from_utf8_lossy(&text)
        .lines()
        .filter_map(entry)
        .collect()
}
