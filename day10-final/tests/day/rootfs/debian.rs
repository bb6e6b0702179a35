//! A Debian root filesystem: what its package manager needs is there.

use std::env;

use crate::need_namespaces;
use crate::privileges::users::can_be_somebody_else;
use crate::support::{see, skip};

#[test]
fn packages_can_be_installed() {
    need_namespaces!();
    let (Some(debian), Some(packages)) = (
        env::var("TINY_DOCKER_DEBIAN").ok(),
        env::var("TINY_DOCKER_PACKAGES").ok(),
    ) else {
        return skip(
            "Debian packages in $TINY_DOCKER_PACKAGES, and a root filesystem in $TINY_DOCKER_DEBIAN",
        );
    };
    if !can_be_somebody_else() {
        return skip(
            "newuidmap, and a range of ids for this user in /etc/subuid: sudo apt install uidmap",
        );
    }
    let volume = format!("{packages}:/packages:ro");
    // One of their files belongs to the group utmp: dpkg gives it to that group.
    let script = "
        ls /usr/bin/screen 2>/dev/null
        dpkg -i /packages/*.deb >/tmp/out 2>&1 || { cat /tmp/out; exit 1; }
        stat -c '%U:%G %a' /usr/lib/*/utempter/utempter
        su nobody -s /bin/sh -c 'screen --version | cut -c 1-14'";
    let options = ["--net", "isolated", "--rootfs", &debian, "-v", &volume];
    let seen = see(&[&["run"], &options[..], &["sh", "-c", script]].concat());
    assert_eq!(seen.code, Some(0), "{}{}", seen.stdout, seen.stderr);
    assert_eq!(seen.stdout, "root:utmp 2755\nScreen version\n");
}
