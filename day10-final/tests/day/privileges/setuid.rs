//! Attacks by programs that make who executes them somebody else: credentials(7), capabilities(7).

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use nix::unistd::geteuid;

use crate::need_namespaces;
use crate::pair::earlier;
use crate::privileges::users::with_users;
use crate::support::{TINY_DOCKER, copy_program, host, leave_to, skip, state};

const NOBODY: &str = "nobody:x:65534:65534::/:/bin/sh\n";

/// The effective user and capabilities of nobody who executes `program`: of their own accord on day 9, which has no `-u`,
/// today with that, and today with new privileges allowed.
fn as_nobody(rootfs: &Path, program: &str) -> Option<[String; 3]> {
    let day_9 = earlier("day09-bridge")?;
    let command = format!("{program} -E 'Uid|CapEff' /proc/self/status");
    let run = |run: &str, command: &str| {
        let line = format!(
            "TINY_DOCKER_ROOT={} {run} --net isolated --rootfs {} {command} 2>&1 || true",
            state().display(),
            rootfs.display()
        );
        // The second number is the effective user's.
        let seen = host(&line).replace('\t', " ");
        seen.replace("Uid: 65534 ", "").replace("CapEff: ", "")
    };
    let today = format!("{} run -u nobody", TINY_DOCKER);
    Some([
        run(
            &format!("{} run", day_9.display()),
            &format!("setpriv --reuid 65534 --regid 65534 --clear-groups {command}"),
        ),
        run(&today, &command),
        run(
            &format!("{today} --security-opt no-new-privileges=false"),
            &command,
        ),
    ])
}

#[test]
fn a_setuid_program_makes_nobody_root() {
    need_namespaces!();
    if !geteuid().is_root() {
        // Who cannot create a file of root's: in a user namespace, its root is an ordinary user.
        return leave_to("root");
    }
    let (_directory, rootfs) = with_users(NOBODY, "");
    let program = rootfs.join("bin/setuid-grep");
    copy_program(&rootfs.join("bin/grep"), &program);
    fs::set_permissions(&program, Permissions::from_mode(0o4755)).unwrap();
    let Some([before, now, allowed]) = as_nobody(&rootfs, "setuid-grep") else {
        return;
    };
    let everything = host("grep CapBnd /proc/self/status");
    let everything = everything.split_whitespace().nth(1).unwrap();
    assert_eq!(before, format!("0 0 0\n{everything}\n"));
    assert_eq!(now, "65534 65534 65534\n0000000000000000\n");
    // As root of this container: the bounding set is the limit.
    assert_eq!(allowed, "0 0 0\n00000000a80425fb\n");
}

#[test]
fn a_file_with_capabilities_hands_them_to_nobody() {
    need_namespaces!();
    if !geteuid().is_root() {
        return leave_to("root");
    }
    let (_directory, rootfs) = with_users(NOBODY, "");
    let program = rootfs.join("bin/able-grep");
    copy_program(&rootfs.join("bin/grep"), &program);
    // VFS_CAP_REVISION_2 and VFS_CAP_FLAGS_EFFECTIVE, then what is permitted, NET_BIND_SERVICE, and what is inheritable.
    let error = host(&format!(
        r#"perl -e '$v = pack("V5", 0x02000001, 1 << 10, 0, 0, 0);
        syscall({}, $f = "{}", $n = "security.capability", $v, 20, 0) < 0 and print "$!"'"#,
        libc::SYS_setxattr,
        program.display()
    ));
    if !error.is_empty() {
        return skip("a /tmp that supports file capabilities");
    }
    let Some([before, now, allowed]) = as_nobody(&rootfs, "able-grep") else {
        return;
    };
    let with_it = "65534 65534 65534\n0000000000000400\n";
    assert_eq!(before, with_it);
    assert_eq!(now, "65534 65534 65534\n0000000000000000\n");
    assert_eq!(allowed, with_it);
}
