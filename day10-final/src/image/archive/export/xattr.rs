//! A file's extended attributes, as far as they belong to it and not to this host: xattr(7).

use std::ffi::{CStr, CString};
use std::os::fd::{AsRawFd, OwnedFd};

use anyhow::{Context, Result};
use nix::errno::Errno;

use crate::image::layer::attributes::is_note;

/// The kernel's limits on the list of names, and on one value: XATTR_LIST_MAX, XATTR_SIZE_MAX.
const MOST: usize = 64 * 1024;

/// What a user has attached, which capabilities a program gets, and who else has access: capabilities(7), acl(5).
///
/// The labels of SELinux and the like are this host's.
const EXPORTED: [&str; 5] = [
    "user.",
    "trusted.",
    "security.capability",
    "system.posix_acl_access",
    "system.posix_acl_default",
];

/// The names and values of those that an archive should have, of what is open as `file`, O_PATH.
pub fn all(file: &OwnedFd) -> Result<Vec<(String, Vec<u8>)>> {
    // The call for descriptors does not take this one: it is O_PATH. This link leads to the same file, even if
    // that is a link itself.
    let path = CString::new(format!("/proc/self/fd/{}", file.as_raw_fd()))?;
    let names = match read(|buffer| list(&path, buffer)) {
        Err(Errno::EOPNOTSUPP) => return Ok(Vec::new()),
        names => names.context("cannot list its attributes")?,
    };
    let mut all = Vec::new();
    for name in names.split(|byte| *byte == 0) {
        // In a record, the name ends with an equals sign.
        let Ok(name) = str::from_utf8(name) else {
            continue;
        };
        let exported = EXPORTED.iter().any(|kind| name.starts_with(kind)) && !is_note(name);
        if !exported || name.contains('=') {
            continue;
        }
        let key = CString::new(name)?;
        match read(|buffer| get(&path, &key, buffer)) {
            // It has been removed since it was listed.
            Err(Errno::ENODATA) => (),
            value => all.push((
                name.to_owned(),
                value.with_context(|| format!("cannot read its {name}"))?,
            )),
        }
    }
    Ok(all)
}

/// What a system call writes into a buffer, which is large enough for anything.
fn read(call: impl FnOnce(&mut [u8]) -> nix::Result<usize>) -> nix::Result<Vec<u8>> {
    let mut buffer = vec![0; MOST];
    let length = call(&mut buffer)?;
    buffer.truncate(length);
    Ok(buffer)
}

fn list(path: &CStr, buffer: &mut [u8]) -> nix::Result<usize> {
    let (text, length) = (buffer.as_mut_ptr().cast(), buffer.len());
    // SAFETY: listxattr(2) reads a path that ends with a NUL, and writes at most so many bytes.
    let length = Errno::result(unsafe { libc::listxattr(path.as_ptr(), text, length) })?;
    Ok(length as usize)
}

fn get(path: &CStr, name: &CStr, buffer: &mut [u8]) -> nix::Result<usize> {
    let (value, length) = (buffer.as_mut_ptr().cast(), buffer.len());
    // SAFETY: getxattr(2) reads two texts that end with a NUL, and writes at most so many bytes.
    let length = unsafe { libc::getxattr(path.as_ptr(), name.as_ptr(), value, length) };
    Ok(Errno::result(length)? as usize)
}
