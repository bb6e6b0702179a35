"""Mounts and a network of our own: whatever gets out of a state directory is seen, and harms nobody."""
import ctypes
import os
import subprocess
import sys

NEWNS, NEWNET = 0x20000, 0x40000000


def enter(program, network=None):
    """The disk is read-only, /tmp and /dev/shm are empty. Joins the named network namespace, or makes one with loopback alone.
    Returns where `program` is from now on."""
    libc = ctypes.CDLL(None, use_errno=True)
    if network:
        joined = libc.setns(os.open(f"/run/netns/{network}", os.O_RDONLY), NEWNET) == 0
    else:
        joined = libc.unshare(NEWNET) == 0
    if not joined or libc.unshare(NEWNS) != 0:
        sys.exit(f"{sys.argv[0]}: it needs root")
    with open(program, "rb") as file:
        content = file.read()
    subprocess.run(["sh", "-ec", """mount --make-rprivate /; mount -o remount,bind,ro /; ip link set lo up
        mount -t tmpfs -o mode=1777 tmpfs /tmp; mount -t tmpfs -o mode=1777 tmpfs /dev/shm"""], check=True)
    with open("/tmp/tiny-docker", "wb") as file:
        file.write(content)
    os.chmod("/tmp/tiny-docker", 0o755)
    return "/tmp/tiny-docker"
