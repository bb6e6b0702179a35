//! Layers, entry by entry.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::sync::OnceLock;

use tar::{EntryType, Header};

use crate::support::{host, state};

/// A tar archive that grows. All owners are 0 and all times are 2023's, unless a test says otherwise.
#[derive(Clone, Default)]
pub struct Layer(Vec<u8>);

impl Layer {
    pub fn new() -> Self {
        Self::default()
    }

    /// A shell, some programs, and the libraries that they need: `sh cat env id ls pwd sleep stat true`.
    pub fn base() -> Self {
        static BASE: OnceLock<Layer> = OnceLock::new();
        BASE.get_or_init(|| base(&state().join("rootfs/default")))
            .clone()
    }

    pub fn file(self, path: &str, contents: impl AsRef<[u8]>) -> Self {
        self.entry(path, contents, |_| ())
    }

    pub fn directory(self, path: &str) -> Self {
        self.entry(path, "", |header| {
            header.set_entry_type(EntryType::Directory);
            header.set_mode(0o755);
        })
    }

    pub fn link(self, path: &str, target: &str) -> Self {
        self.other(path, EntryType::Symlink, target)
    }

    pub fn hard_link(self, path: &str, target: &str) -> Self {
        self.other(path, EntryType::Link, target)
    }

    /// A link of either kind. tar's own functions would refuse what hostile archives say.
    fn other(self, path: &str, kind: EntryType, target: &str) -> Self {
        self.entry(path, "", |header| {
            header.set_entry_type(kind);
            header.as_old_mut().linkname[..target.len()].copy_from_slice(target.as_bytes());
        })
    }

    /// Anything: `change` may say what it is. A path has at most 100 bytes here: for others, there is [`Self::pax`].
    pub fn entry(
        mut self,
        path: &str,
        contents: impl AsRef<[u8]>,
        change: impl FnOnce(&mut Header),
    ) -> Self {
        let contents = contents.as_ref();
        let mut header = Header::new_ustar();
        header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
        header.set_size(contents.len() as u64);
        header.set_mode(0o644);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(1_700_000_000);
        change(&mut header);
        header.set_cksum();
        self.0.extend(header.as_bytes());
        self.0.extend(contents);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
        self
    }

    /// Extended headers for the next entry: pax(1). For example ("SCHILY.xattr.user.a", "b").
    pub fn pax(self, records: &[(&str, &str)]) -> Self {
        let mut contents = Vec::new();
        for (key, value) in records {
            let rest = format!(" {key}={value}\n");
            // The length counts its own digits.
            let digits = |length: usize| rest.len() + length.to_string().len();
            let length = digits(digits(rest.len()));
            write!(contents, "{length}{rest}").unwrap();
        }
        self.entry("pax", contents, |header| {
            header.set_entry_type(EntryType::XHeader)
        })
    }

    /// Bytes that no archive should have.
    pub fn raw(mut self, bytes: &[u8]) -> Self {
        self.0.extend(bytes);
        self
    }

    /// So far.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// The archive, with its end.
    pub fn archive(&self) -> Vec<u8> {
        let mut archive = self.0.clone();
        archive.extend([0; 1024]);
        archive
    }
}

fn base(rootfs: &Path) -> Layer {
    let mut layer = Layer::new();
    for directory in ["bin/", "dev/", "etc/", "proc/", "root/", "sys/", "tmp/"] {
        layer = layer.directory(directory);
    }
    for file in ["etc/group", "etc/passwd"] {
        layer = layer.file(file, fs::read(rootfs.join(file)).unwrap());
    }
    let mut files: Vec<String> = Vec::new();
    for program in "sh cat env id ls pwd sleep stat true".split(' ') {
        let file = rootfs.join("bin").join(program);
        let libraries = host(&format!("ldd {} | grep -o '/[^ ]*'", file.display()));
        files.extend(libraries.lines().map(|library| library[1..].to_owned()));
        files.push(format!("bin/{program}"));
    }
    files.sort();
    files.dedup();
    for file in files {
        let contents = fs::read(rootfs.join(&file)).unwrap();
        layer = layer.entry(&file, contents, |header| header.set_mode(0o755));
    }
    layer
}
