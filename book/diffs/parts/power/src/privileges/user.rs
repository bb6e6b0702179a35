//! `-u`: a user of the container, looked up in its own /etc. passwd(5), group(5).

use std::fs::File;
use std::io::Read;

use anyhow::{Context, Result};
use nix::fcntl::OFlag;
use nix::unistd::{Gid, Uid};

use crate::rootfs::place;

/// Far more than such a file contains. It comes with the root filesystem, and may be a link to /dev/zero.
const MOST: u64 = 1 << 20;

/// Who a command runs as.
pub struct User {
    pub uid: Uid,
    pub gid: Gid,
    /// The supplementary groups.
    pub groups: Vec<Gid>,
}

/// A line of either file. What follows the id is GROUP:COMMENT:HOME:SHELL, or MEMBER,MEMBER,…
struct Entry {
    name: String,
    id: u32,
    rest: Vec<String>,
}

impl User {
    /// The user that exists even without any file.
    pub fn root() -> Self {
        Self {
            uid: Uid::from_raw(0),
            gid: Gid::from_raw(0),
            groups: Vec::new(),
        }
    }

    // ANCHOR: find
    /// The user that `text` means. It is USER or USER:GROUP, each a name or a number.
    ///
    /// As in Docker, a number need not be in the file; its group is then root's. With an explicit group, the user is in
    /// no other group. The default user is root, and the default groups are the user's own.
    pub fn find(text: &str) -> Result<Self> {
        let (user, group) = text.split_once(':').unwrap_or((text, ""));
        let wanted = Wanted::parse(if user.is_empty() { "0" } else { user })
            .with_context(|| format!("cannot run as user {user}"))?;
        let entry = wanted.look_up("/etc/passwd");
        let uid = wanted
            .id(entry.as_ref())
            .with_context(|| format!("no user {user} in the container's /etc/passwd"))?;
        let (gid, groups) = match (group, &entry) {
            ("", None) => (0, Vec::new()),
            ("", Some(entry)) => (own_group(entry)?, joined(&entry.name)),
            _ => (named_group(group)?, Vec::new()),
        };
        Ok(Self {
            uid: Uid::from_raw(uid),
            gid: Gid::from_raw(gid),
            groups,
        })
    }
    // ANCHOR_END: find
}

// ANCHOR: wanted
/// What the user has typed. The files come from the author of the root filesystem, who may have named root "1000". So a
/// number never means a name: CVE-2016-3697.
enum Wanted<'a> {
    Id(u32),
    Name(&'a str),
}

impl<'a> Wanted<'a> {
    /// Whatever begins like a number is a number, or a mistake: 4294967296, +5, 0x10, -1.
    fn parse(text: &'a str) -> Result<Self> {
        let numeric = |c: char| c.is_numeric() || c.is_whitespace() || "+-".contains(c);
        match text.starts_with(numeric) {
            true => Ok(Self::Id(number(text).with_context(|| {
                format!("expected a name, or a number from 0 to {}", i32::MAX)
            })?)),
            false => Ok(Self::Name(text)),
        }
    }

    fn look_up(&self, file: &str) -> Option<Entry> {
        entries(file).into_iter().find(|entry| match self {
            Self::Id(id) => entry.id == *id,
            Self::Name(name) => entry.name == *name,
        })
    }

    /// A number does not need an `entry`.
    fn id(&self, entry: Option<&Entry>) -> Option<u32> {
        match self {
            Self::Id(id) => Some(*id),
            Self::Name(_) => entry.map(|entry| entry.id),
        }
    }
}
// ANCHOR_END: wanted

fn named_group(text: &str) -> Result<u32> {
    let wanted = Wanted::parse(text).with_context(|| format!("cannot run as group {text}"))?;
    wanted
        .id(wanted.look_up("/etc/group").as_ref())
        .with_context(|| format!("no group {text} in the container's /etc/group"))
}

/// If it cannot be parsed, the id must not become root's.
fn own_group(user: &Entry) -> Result<u32> {
    let gid = user.rest.first().and_then(|gid| number(gid));
    gid.with_context(|| {
        let who = user.id;
        format!(
            "the group of user {who} in the container's /etc/passwd is not a number\n\
            hint: use -u {who}:GROUP"
        )
    })
}

/// The groups that have a member with this `name`. An entry without a name is a member of none.
fn joined(name: &str) -> Vec<Gid> {
    let is_member = |group: &Entry| {
        let mut members = group.rest.iter().flat_map(|members| members.split(','));
        !name.is_empty() && members.any(|member| member == name)
    };
    let groups = entries("/etc/group").into_iter().filter(is_member);
    groups.map(|group| Gid::from_raw(group.id)).collect()
}

/// A user or group id. This is Docker's range. The very last number, -1, would tell setresuid(2) to stay root.
fn number(text: &str) -> Option<u32> {
    // parse would accept "+5".
    let digits = text.chars().all(|c| c.is_ascii_digit());
    let id = text.parse().ok().filter(|_| digits)?;
    (id <= i32::MAX as u32).then_some(id)
}

/// The lines of `file` that can be parsed: none, if there is no such file.
fn entries(file: &str) -> Vec<Entry> {
    let mut text = Vec::new();
    // O_NONBLOCK: if it is a FIFO, we do not wait for a writer. open(2).
    if let Ok(file) = place::open(file, OFlag::O_RDONLY | OFlag::O_NONBLOCK) {
        let _ = File::from(file).take(MOST).read_to_end(&mut text);
    }
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
