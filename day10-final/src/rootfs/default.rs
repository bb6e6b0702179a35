//! A root filesystem made of the host's own programs: the first container needs no download. For `container`.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::command::environment::PATH;
use crate::failure::say;
use crate::state::create_private;
use crate::state::lock;

/// What we copy, as far as the host has it.
const PROGRAMS: &str = "
    awk basename bash cat chgrp chmod chown chroot clear cp cut date dd df dirname du echo env expr false find
    free getent grep groups head hostname id ip kill ln ls lsns md5sum mkdir mknod mktemp mount mv nproc nsenter
    perl pgrep ping pkill printf ps pwd readlink realpath rm rmdir sed seq setpriv sh sha256sum sleep sort ss
    stat stty sync tail tar tee test timeout top touch tr true truncate tty umount uname uniq unshare uptime wc
    whoami xargs yes";

/// What some of them load by name, unseen by ldd: user and host names in older glibcs, and the terminal's properties.
const UNSEEN: &str = "
    /lib/x86_64-linux-gnu/libnss_dns.so.2 /lib/aarch64-linux-gnu/libnss_dns.so.2
    /lib/x86_64-linux-gnu/libnss_files.so.2 /lib/aarch64-linux-gnu/libnss_files.so.2
    /lib/x86_64-linux-gnu/libresolv.so.2 /lib/aarch64-linux-gnu/libresolv.so.2
    /lib/terminfo/x/xterm /usr/share/terminfo/x/xterm";

const DIRECTORIES: &str = "bin dev etc proc root sys tmp usr var";
const FILES: [(&str, &str); 7] = [
    ("etc/group", "root:x:0:\nnogroup:x:65534:\n"),
    ("etc/hosts", "127.0.0.1\tlocalhost\n::1\tlocalhost\n"),
    // The container's own files are mounted over these.
    ("etc/hostname", ""),
    ("etc/resolv.conf", ""),
    // Without it, glibc asks the DNS server first, and then perhaps nobody else.
    ("etc/nsswitch.conf", "hosts: files dns\n"),
    (
        "etc/os-release",
        "ID=tiny\nNAME=\"Tiny\"\nPRETTY_NAME=\"tiny-docker's default root filesystem\"\n",
    ),
    (
        "etc/passwd",
        "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n",
    ),
];

/// How long a slow machine may take to build it.
const BUILD_SECONDS: u64 = 120;

// ANCHOR: find
/// The default root filesystem below the directory `state`. It is built the first time.
pub fn find(state: &Path) -> Result<PathBuf> {
    let rootfs = state.join("rootfs/default");
    if rootfs.is_dir() {
        return Ok(rootfs);
    }
    let parent = create_private(state, "rootfs")?;
    // If several first containers start at once, one builds. The others wait here, and find it built.
    let lock = File::open(&parent).with_context(|| format!("cannot open {}", parent.display()))?;
    lock::wait(&lock, &parent, File::try_lock, BUILD_SECONDS)?;
    if !rootfs.is_dir() {
        say("building a root filesystem from this machine's programs (first run)");
        let unfinished = parent.join("default.unfinished");
        // An earlier build may have been interrupted.
        let _ = fs::remove_dir_all(&unfinished);
        let built = build(&unfinished).and_then(|()| Ok(fs::rename(&unfinished, &rootfs)?));
        // If the build has failed, something is left.
        let _ = fs::remove_dir_all(&unfinished);
        built.context("cannot build a root filesystem")?;
    }
    Ok(rootfs)
}
// ANCHOR_END: find

/// Whether `name` is in one of the directories of `path`, or will be once the root filesystem is built.
pub fn has_program(state: &Path, name: &str, path: &str) -> bool {
    let rootfs = state.join("rootfs/default");
    if !rootfs.is_dir() {
        let mut programs = PROGRAMS.split_whitespace();
        return programs.any(|program| program == name) && find_program(name).is_some();
    }
    path.split(':').any(|directory| {
        let directory = rootfs.join(directory.trim_start_matches('/'));
        fs::symlink_metadata(directory.join(name)).is_ok()
    })
}

fn build(root: &Path) -> Result<()> {
    for directory in DIRECTORIES.split(' ') {
        fs::create_dir_all(root.join(directory))?;
    }
    fs::set_permissions(root.join("tmp"), Permissions::from_mode(0o1777))?;
    symlink("bin", root.join("sbin"))?;
    symlink("../bin", root.join("usr/bin"))?;
    symlink("../bin", root.join("usr/sbin"))?;
    for (file, text) in FILES {
        fs::write(root.join(file), text)?;
    }

    let programs = PROGRAMS.split_whitespace().filter_map(find_program);
    let mut files: Vec<_> = programs.collect();
    files.extend(libraries(&files)?);
    let unseen = UNSEEN.split_whitespace().map(PathBuf::from);
    files.extend(unseen.filter(|file| file.exists()));
    for file in files {
        copy(&file, root)?;
    }
    let has_shell = root.join("bin/sh").exists();
    ensure!(
        has_shell,
        "no sh was found on this machine\nhint: provide a root filesystem: --rootfs DIR"
    );
    Ok(())
}

/// Where the host has `name`. Only a binary will do: a script would need its interpreter, and more.
fn find_program(name: &str) -> Option<PathBuf> {
    let is_elf = |path: &PathBuf| fs::read(path).is_ok_and(|file| file.starts_with(b"\x7fELF"));
    // From the end: the distribution's own programs come first.
    let mut places = PATH.rsplit(':').map(|place| Path::new(place).join(name));
    places.find(is_elf)
}

// ANCHOR: libraries
/// The shared libraries that `programs` load, and the loader itself: ldd(1).
fn libraries(programs: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let ldd = Command::new("ldd").args(programs).output();
    let ldd = ldd.context("cannot run ldd")?;
    let listing = String::from_utf8_lossy(&ldd.stdout);
    // musl's ldd looks at one program only, and does not name it.
    if programs.len() > 1 && !listing.contains(":\n") {
        let each: Result<Vec<_>> = programs.chunks(1).map(libraries).collect();
        return Ok(each?.concat());
    }
    // Such as "\tlibc.so.6 => /lib/libc.so.6 (0x…)" and "\t/lib64/ld-linux-x86-64.so.2 (0x…)", below "/bin/sh:".
    let path = |line: &str| {
        let mut words = line.strip_prefix('\t')?.split_whitespace();
        words.find(|word| word.starts_with('/')).map(PathBuf::from)
    };
    Ok(listing.lines().filter_map(path).collect())
}
// ANCHOR_END: libraries

/// The path of `file` below `root`, in a directory that exists.
fn below(root: &Path, file: &Path) -> Result<PathBuf> {
    let path = root.join(file.strip_prefix("/")?);
    fs::create_dir_all(path.parent().unwrap_or(root))?;
    Ok(path)
}

/// Copies `file` to the same path below `root`. Many programs in one file (busybox) stay one file.
fn copy(file: &Path, root: &Path) -> Result<()> {
    let original = file.canonicalize()?;
    let (copy, link) = (below(root, &original)?, below(root, file)?);
    if !copy.exists() {
        fs::copy(&original, &copy).with_context(|| format!("cannot copy {}", file.display()))?;
        // Readable and executable, and no more: su and mount would bring the setuid bit along.
        fs::set_permissions(&copy, Permissions::from_mode(0o755))?;
    }
    if !link.exists() {
        fs::hard_link(copy, link)?;
    }
    Ok(())
}
