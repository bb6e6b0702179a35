//! What an entry's header says, and the extended headers in front of it.

use std::ffi::OsString;
use std::io::BufRead;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use anyhow::{Context, Result, bail, ensure};
use nix::sys::stat::{SFlag, makedev};
use nix::sys::time::TimeSpec;
use tar::Header;

use crate::failure::shown;
use crate::image::layer::archive::{About, Archive, text};
use crate::image::layer::attributes::Attributes;
use crate::image::layer::extended::Extended;
use crate::image::layer::number;
use crate::image::layer::path::{cannot_unpack, clean};
use crate::image::layer::sparse::{self, Sparse};

pub struct Entry {
    /// As it is in the archive, for messages.
    pub name: Vec<u8>,
    pub path: PathBuf,
    pub kind: Kind,
    pub attributes: Attributes,
}

pub enum Kind {
    /// So many bytes follow in the archive. It may have holes.
    File(u64, Option<Sparse>),
    Directory,
    Link(OsString),
    /// Another name of the file at this path.
    Hard(PathBuf),
    /// A device or a FIFO.
    Node(SFlag, libc::dev_t),
}

impl Entry {
    /// The next one of an archive. None if there are no more.
    pub fn next(archive: &mut Archive<impl BufRead>) -> Result<Option<Self>> {
        let next = archive.next()?;
        next.map(|(header, about)| Self::read(&header, about, archive))
            .transpose()
    }

    fn read(header: &Header, about: About, archive: &mut Archive<impl BufRead>) -> Result<Self> {
        let About {
            extended,
            name,
            link,
        } = about;
        let name = name.or_else(|| extended.sparse.name.clone());
        let name = name.or_else(|| extended.path.clone());
        let name = name.unwrap_or_else(|| header.path_bytes().into_owned());
        let link = link.or_else(|| extended.link.clone());
        let link = link.unwrap_or_else(|| text(&header.as_old().linkname));
        let cannot = || cannot_unpack(&name);
        let path = clean(&name).with_context(cannot)?;
        let kind = Kind::read(header, &name, link, &extended, archive).with_context(cannot)?;
        let attributes = attributes(header, extended).with_context(cannot)?;
        Ok(Self {
            name,
            path,
            kind,
            attributes,
        })
    }
}

// ANCHOR: kind
impl Kind {
    fn read(
        header: &Header,
        name: &[u8],
        link: Vec<u8>,
        extended: &Extended,
        archive: &mut Archive<impl BufRead>,
    ) -> Result<Self> {
        let old = header.as_old();
        let size = extended.size.map_or_else(|| number::field(&old.size), Ok)?;
        let size = || u64::try_from(size).ok().context("its size is negative");
        Ok(match old.linkflag[0] {
            // In the oldest archives, only a slash says that it is a directory.
            0 if name.ends_with(b"/") => Self::Directory,
            0 | b'0' | b'7' => {
                archive.begin(size()?);
                let sparse = sparse::extended(&extended.sparse, archive)?;
                Self::File(archive.rest(), sparse)
            }
            b'S' => {
                let sparse = sparse::old(header, archive, size()?)?;
                archive.begin(size()?);
                Self::File(archive.rest(), Some(sparse))
            }
            b'1' => Self::Hard(clean(&link).context("it is a link to something else")?),
            b'2' => Self::Link(OsString::from_vec(link)),
            b'3' => Self::Node(SFlag::S_IFCHR, device(header)?),
            b'4' => Self::Node(SFlag::S_IFBLK, device(header)?),
            b'5' => Self::Directory,
            b'6' => Self::Node(SFlag::S_IFIFO, 0),
            other => bail!(
                "its type is unknown: {}",
                shown(&char::from(other).to_string())
            ),
        })
    }
}
// ANCHOR_END: kind

/// What pax says counts more than the header itself.
fn attributes(header: &Header, extended: Extended) -> Result<Attributes> {
    let old = header.as_old();
    let number = |extended: Option<i64>, field| extended.map_or_else(|| number::field(field), Ok);
    let time = match extended.time {
        Some(time) => time,
        None => TimeSpec::new(number::field(&old.mtime)?, 0),
    };
    Ok(Attributes {
        user: number::id(number(extended.user, &old.uid)?)?,
        group: number::id(number(extended.group, &old.gid)?)?,
        mode: number::field(&old.mode)? as u32 & 0o7777,
        time,
        extended: extended.attributes,
    })
}

/// The numbers of a device. Larger ones would be cut off by the kernel, and mean another device.
fn device(header: &Header) -> Result<libc::dev_t> {
    let bytes = header.as_bytes();
    let (major, minor) = (&bytes[329..337], &bytes[337..345]);
    let (major, minor) = (number::field(major)?, number::field(minor)?);
    let valid = (0..1 << 12).contains(&major) && (0..1 << 20).contains(&minor);
    ensure!(valid, "there is no device {major}:{minor}");
    // In a directory of overlayfs, it would be a whiteout: it would hide what is below.
    ensure!((major, minor) != (0, 0), "a device 0:0 would hide a file");
    Ok(makedev(major as u64, minor as u64))
}
