//! Extended attributes: xattr(7). The crate nix does not have them.

use std::ffi::{CStr, CString};
use std::os::fd::{AsRawFd, BorrowedFd};

use nix::errno::Errno;

/// The kernel's limit on a value, and on all names of a file, in bytes.
const MOST: usize = 64 << 10;

pub fn set(fd: BorrowedFd, name: &CStr, value: &[u8]) -> nix::Result<()> {
    let (fd, length) = (fd.as_raw_fd(), value.len());
    // SAFETY: the call only reads the name, up to its end, and the value.
    let set = unsafe { libc::fsetxattr(fd, name.as_ptr(), value.as_ptr().cast(), length, 0) };
    Errno::result(set).map(drop)
}

/// Of what is at `path` itself, even if that is a link.
pub fn set_at(path: &CStr, name: &CStr, value: &[u8]) -> nix::Result<()> {
    let (path, length) = (path.as_ptr(), value.len());
    // SAFETY: the call only reads the path and the name, up to their ends, and the value.
    let set = unsafe { libc::lsetxattr(path, name.as_ptr(), value.as_ptr().cast(), length, 0) };
    Errno::result(set).map(drop)
}

pub fn remove(fd: BorrowedFd, name: &CStr) -> nix::Result<()> {
    // SAFETY: the call only reads the name, up to its end.
    let removed = unsafe { libc::fremovexattr(fd.as_raw_fd(), name.as_ptr()) };
    Errno::result(removed).map(drop)
}

/// The names of all attributes that it has.
pub fn list(fd: BorrowedFd) -> nix::Result<Vec<CString>> {
    let list = |names: &mut [u8]| {
        let (start, length) = (names.as_mut_ptr(), names.len());
        // SAFETY: the call writes at most as many bytes as there are.
        Errno::result(unsafe { libc::flistxattr(fd.as_raw_fd(), start.cast(), length) })
    };
    // Without room for the names, it only says how long they are. In most cases, that is 0.
    if list(&mut [])? == 0 {
        return Ok(Vec::new());
    }
    let mut names = vec![0_u8; MOST];
    let length = list(&mut names)?;
    names.truncate(length as usize);
    let names = names
        .split(|byte| *byte == 0)
        .filter(|name| !name.is_empty());
    Ok(names.filter_map(|name| CString::new(name).ok()).collect())
}

pub fn get(fd: BorrowedFd, name: &CStr) -> nix::Result<Vec<u8>> {
    let mut value = vec![0_u8; MOST];
    let (fd, start) = (fd.as_raw_fd(), value.as_mut_ptr());
    // SAFETY: the call reads the name, up to its end, and writes at most as many bytes as there are.
    let length = unsafe { libc::fgetxattr(fd, name.as_ptr(), start.cast(), MOST) };
    value.truncate(Errno::result(length)? as usize);
    Ok(value)
}
