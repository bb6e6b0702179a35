//! Reads and writes the files of a cgroup, and words the errors: cgroups(7).

use std::fmt::Display;
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::{Context, Error, Result, anyhow};
use nix::errno::Errno;
use nix::sys::statfs::{CGROUP_SUPER_MAGIC, CGROUP2_SUPER_MAGIC, fstatfs};

/// In bytes. The longest files, cgroup.procs, have a line for each process: at most 4 million of up to 8 bytes.
const MOST: u64 = 64 << 20;

/// Opens the file `name` of the cgroup `group`.
///
/// Never with O_CREAT: a file that the kernel has not created is not there. The path comes from a state file, so we
/// make sure that it leads to one of the kernel's files, and to no other.
fn open(group: &Path, name: &str, options: &mut OpenOptions) -> io::Result<File> {
    let options = options.custom_flags(libc::O_NOFOLLOW | libc::O_NOCTTY);
    let file = options.open(group.join(name))?;
    let kind = fstatfs(&file)?.filesystem_type();
    match [CGROUP_SUPER_MAGIC, CGROUP2_SUPER_MAGIC].contains(&kind) {
        true => Ok(file),
        false => Err(io::Error::other("not on a cgroup filesystem")),
    }
}

/// The contents of the file `name`.
pub fn read(group: &Path, name: &str) -> io::Result<String> {
    let mut contents = String::new();
    let file = open(group, name, OpenOptions::new().read(true))?;
    file.take(MOST).read_to_string(&mut contents)?;
    Ok(contents)
}

/// The contents of the file `name`, or none if there is no such file, or no such cgroup any more.
pub fn read_if_there(group: &Path, name: &str) -> io::Result<Option<String>> {
    match read(group, name) {
        Err(error) if is_missing(&error) => Ok(None),
        read => read.map(Some),
    }
}

/// The number in the file `name`. "max" is the largest possible number.
pub fn number(group: &Path, name: &str) -> io::Result<u64> {
    let contents = read(group, name)?;
    match contents.trim() {
        "max" => Ok(u64::MAX),
        number => number
            .parse()
            .map_err(|_| io::Error::other(format!("{name} is not a number"))),
    }
}

/// Of a file with lines such as "oom_kill 3", the number with this `key`.
pub fn number_of(group: &Path, name: &str, key: &str) -> io::Result<u64> {
    let contents = read(group, name)?;
    let mut lines = contents.lines().filter_map(|line| line.split_once(' '));
    let found = lines.find(|line| line.0 == key);
    Ok(found
        .and_then(|line| line.1.trim().parse().ok())
        .unwrap_or(0))
}

/// Writes `value` to the file `name`, in one go: the kernel reads each write as a command.
pub fn write(group: &Path, name: &str, value: &str) -> io::Result<()> {
    open_to_write(group, name)?.write_all(value.as_bytes())
}

/// Opens the file `name`, for several commands.
pub fn open_to_write(group: &Path, name: &str) -> io::Result<File> {
    open(group, name, OpenOptions::new().write(true))
}

/// Writes the value of `field` (as "memory.limit": below `linux.resources` in config.json) to the file `name`.
pub fn set(group: &Path, field: &str, name: &str, value: impl Display) -> Result<()> {
    let value = value.to_string();
    write(group, name, &value).map_err(|error| refused(group, field, name, &value, &error))
}

// ANCHOR: refused
/// Says which field the kernel has refused, its value, and why.
pub fn refused(group: &Path, field: &str, name: &str, value: &str, error: &io::Error) -> Error {
    let (file, why) = (group.join(name), reason(error));
    let hint = match error.kind() {
        ErrorKind::NotFound if group.is_dir() => {
            "\nhint: the kernel does not offer this file: the controller may not be enabled here"
        }
        _ => "",
    };
    let file = file.display();
    anyhow!("cannot set linux.resources.{field} to {value:?}: cannot write to {file}: {why}{hint}")
}
// ANCHOR_END: refused

/// Whether a file or its cgroup has gone, or has never been.
pub fn is_missing(error: &io::Error) -> bool {
    let errno = Errno::from_raw(error.raw_os_error().unwrap_or(0));
    [Errno::ENOENT, Errno::ENODEV].contains(&errno)
}

/// Whether the kernel refuses because of who we are: the mount is read-only, or the cgroup is another user's.
pub fn is_forbidden(error: &io::Error) -> bool {
    let errno = Errno::from_raw(error.raw_os_error().unwrap_or(0));
    [Errno::EACCES, Errno::EPERM, Errno::EROFS].contains(&errno)
}

/// The cause in the words of strerror(3), without the number, and as a part of a sentence: "permission denied". Engines
/// look for these words.
pub fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text
        .split_once(" (os error")
        .map_or(&*text, |(text, _)| text);
    let mut letters = text.chars();
    let first = letters.next().map(|letter| letter.to_ascii_lowercase());
    first.into_iter().chain(letters).collect()
}

/// An error from reading the file `name`.
pub trait Reading<T> {
    /// Says which file could not be read.
    fn reading(self, group: &Path, name: &str) -> Result<T>;
}

impl<T> Reading<T> for io::Result<T> {
    fn reading(self, group: &Path, name: &str) -> Result<T> {
        let file = group.join(name);
        self.with_context(|| format!("cannot read {}", file.display()))
    }
}
