"""What is in a directory tree, as far as unpackers must agree on it."""
import ctypes
import hashlib
import os
import stat
import subprocess
import tempfile

# System calls: fsopen, fsconfig, fsmount, move_mount. They have the same numbers everywhere.
FSOPEN, FSCONFIG, FSMOUNT, MOVE_MOUNT = 430, 431, 432, 429
FIELDS = ("mode", "owner", "time", "content", "links", "attributes")
# Of larger files, only the size counts, in bytes.
LARGE = 1 << 27
NOTES = ("trusted.overlay.", "user.overlay.", "user.rootlesscontainers", "user.umoci")


def tree(root, owner=lambda number: number):
    """A dictionary: path -> the values of FIELDS."""
    found, inodes, root = {}, {}, os.fsencode(root)
    for directory, directories, files in os.walk(root):
        for name in [b""] * (directory == root) + directories + files:
            path = os.path.join(directory, name) if name else directory
            status = os.lstat(path)
            attributes = [f"{key}={os.getxattr(path, key, follow_symlinks=False).hex()}"
                          for key in sorted(os.listxattr(path, follow_symlinks=False)) if not key.startswith(NOTES)]
            content = ""
            if stat.S_ISREG(status.st_mode) and status.st_size > LARGE:
                content = f"{status.st_size}"
            elif stat.S_ISREG(status.st_mode):
                with open(path, "rb") as file:
                    content = f"{status.st_size} {hashlib.sha256(file.read()).hexdigest()[:12]}"
            elif stat.S_ISLNK(status.st_mode):
                content = "-> " + repr(os.readlink(path))
            elif stat.S_ISBLK(status.st_mode) or stat.S_ISCHR(status.st_mode):
                content = f"{os.major(status.st_rdev)}:{os.minor(status.st_rdev)}"
            path = repr(os.path.relpath(path, root))[2:-1]
            if not stat.S_ISDIR(status.st_mode):
                inodes.setdefault(status.st_ino, []).append(path)
            found[path] = [stat.filemode(status.st_mode), f"{owner(status.st_uid)}:{owner(status.st_gid)}", status.st_mtime_ns, content, "",
                           " ".join(attributes)]
    # st_nlink counts names that are hidden, too.
    for names in inodes.values():
        for name in names if len(names) > 1 else []:
            found[name][4] = f"= {min(names)} ({len(names)})"
    return found


class Overlay:
    """Layers, mounted on each other as a container sees them."""

    def __init__(self, layers, rootless):
        self.path, self.libc = tempfile.mkdtemp(dir="/tmp"), ctypes.CDLL(None, use_errno=True)
        if len(layers) == 1:
            subprocess.run(["mount", "--bind", layers[0], self.path], check=True)
        elif layers:
            overlay = self.call(FSOPEN, b"overlay", 0)
            if rootless:
                self.call(FSCONFIG, overlay, 0, b"userxattr", None, 0)
            for layer in reversed(layers):
                self.call(FSCONFIG, overlay, 1, b"lowerdir+", layer.encode(), 0)
            self.call(FSCONFIG, overlay, 6, None, None, 0)
            mount = self.call(FSMOUNT, overlay, 0, 0)
            self.call(MOVE_MOUNT, mount, b"", -100, self.path.encode(), 4)
            os.close(mount), os.close(overlay)

    def call(self, *arguments):
        result = self.libc.syscall(*arguments)
        if result < 0:
            raise OSError(ctypes.get_errno(), f"system call {arguments[0]}")
        return result

    def __enter__(self):
        return self.path

    def __exit__(self, *_):
        subprocess.run(["umount", "-q", "-l", self.path])
        os.rmdir(self.path)


def compare(got, want, rootless):
    """A line for each difference. The times of directories count only where somebody has said what they are."""
    wrong = []
    for path in sorted(got.keys() | want.keys()):
        ours, theirs = got.get(path), want.get(path)
        if rootless and theirs and theirs[0][0] in "bc":
            continue  # a user cannot make nodes
        if ours is None or theirs is None:
            wrong.append(f"{'missing' if ours is None else 'too much'}: {path} {ours or theirs}")
            continue
        different = [n for n in range(len(FIELDS)) if ours[n] != theirs[n]]
        if ours[0][0] == "d" and (path == "." or theirs[2] % 10**9 or theirs[2] == 0):
            different = [n for n in different if FIELDS[n] != "time"]
        if rootless:
            # File capabilities carry the user's id, and the kernel keeps the rest of security.* for root.
            different = [n for n in different if FIELDS[n] != "attributes" or "security." not in theirs[n]]
        wrong += [f"{path}: {FIELDS[n]} is {ours[n]}, and should be {theirs[n]}" for n in different]
    return wrong


def container_ids(user):
    """How a container of `user` sees the host's ids."""
    if not user:
        return lambda number: number
    with open("/etc/subuid") as file:
        [(first, count)] = [tuple(map(int, line.split(":")[1:])) for line in file if line.startswith(user.pw_name + ":")]
    return lambda number: 0 if number == user.pw_uid else number - first + 1 if first <= number < first + count else 65534
