"""Runs the program, and looks at the store that it leaves."""
import collections
import hashlib
import json
import os
import pwd
import shutil
import signal
import subprocess
import sys
import time

Result = collections.namedtuple("Result", "code out error seconds memory")
# What may stay in an empty store.
FRAME = ("oci-layout", "index.json", "lock")
MARK = "TINY_DOCKER_CHECK"


class Store:
    """A state directory on a tmpfs, and the program for it."""

    def __init__(self, options, name):
        self.options, self.user = options, pwd.getpwnam(options.user) if options.user else None
        self.home = f"/tmp/images/{name}"
        self.state, self.images = self.home + "/state", self.home + "/state/images"
        shutil.rmtree(self.home, ignore_errors=True)
        os.makedirs(self.home)
        self.own(self.home)
        self.runner = None

    def own(self, path):
        if self.user:
            os.chown(path, self.user.pw_uid, self.user.pw_gid)

    def environment(self):
        return {"HOME": self.home, "PATH": os.environ["PATH"], MARK: self.home}

    def run(self, *arguments, limit=180):
        """Runs it to its end. By a small process, for the sake of the memory: see runner.py."""
        if not self.runner:
            runner = [sys.executable, "-S", "-E", os.path.dirname(os.path.realpath(__file__)) + "/../fuzz.d/runner.py"]
            self.runner = subprocess.Popen(runner, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            open(self.home + "/in", "w").close()
        command = ["/usr/bin/timeout", "--signal=KILL", str(limit), self.options.program, "--root", self.state, *arguments]
        task = {"arguments": command, "directory": self.home, "environment": self.environment(),
                "user": [self.user.pw_uid, self.user.pw_gid] if self.user else None}
        begin = time.monotonic()
        print(json.dumps(task), file=self.runner.stdin, flush=True)
        code, memory = json.loads(self.runner.stdout.readline())
        seconds = time.monotonic() - begin
        out, error = (open(f"{self.home}/{name}", errors="backslashreplace").read() for name in ("out", "err"))
        return Result(code, out, error, seconds, memory >> 10)

    def start(self, *arguments):
        """Starts it, and does not wait."""
        who = {"user": self.user.pw_uid, "group": self.user.pw_gid, "extra_groups": []} if self.user else {}
        return subprocess.Popen([self.options.program, "--root", self.state, *arguments], env=self.environment(), stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=self.home, text=True, **who)

    def kill(self):
        """kill -9 of every process that was started here, all at the same moment."""
        while processes := [pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if self.is_ours(pid)]:
            for what in (signal.SIGSTOP, signal.SIGKILL):
                for pid in processes:
                    try:
                        os.kill(pid, what)
                    except ProcessLookupError:
                        pass
            time.sleep(0.005)

    def is_ours(self, pid):
        try:
            with open(f"/proc/{pid}/environ", "rb") as environment, open(f"/proc/{pid}/stat") as stat:
                return f"{MARK}={self.home}".encode() in environment.read() and stat.read().rsplit(")", 1)[1].split()[0] != "Z"
        except OSError:
            return False

    def left(self):
        """What is in the store beyond its frame."""
        found = []
        for directory, directories, files in os.walk(self.images):
            found += [f"{directory}/{name}" for name in files if directory != self.images or name not in FRAME]
            if directory == self.images + "/layers":
                found += [f"{directory}/{name}" for name in directories]
        if os.path.exists(self.images + "/index.json") and self.entries():
            found.append("entries in index.json")
        return [path.removeprefix(self.images) for path in found]

    def entries(self):
        with open(self.images + "/index.json") as file:
            return json.load(file)["manifests"]

    def blob(self, digest):
        with open(f"{self.images}/blobs/{digest.replace(':', '/')}", "rb") as file:
            data = file.read()
        if digest != "sha256:" + hashlib.sha256(data).hexdigest():
            raise RuntimeError(f"blob {digest} is something else")
        return data

    def has(self, digest):
        return os.path.exists(f"{self.images}/blobs/{digest.replace(':', '/')}")

    def layers(self):
        """The directories of the only image's layers, from the bottom. All its blobs are checked."""
        [entry] = self.entries()
        manifest = json.loads(self.blob(entry["digest"]))
        while "manifests" in manifest:
            [entry] = [entry for entry in manifest["manifests"] if self.has(entry["digest"])]
            manifest = json.loads(self.blob(entry["digest"]))
        for layer in manifest["layers"]:
            self.blob(layer["digest"])
        chain, directories = None, []
        for diff in json.loads(self.blob(manifest["config"]["digest"]))["rootfs"]["diff_ids"]:
            chain = "sha256:" + hashlib.sha256(f"{chain} {diff}".encode()).hexdigest() if chain else diff
            directories.append(f"{self.images}/layers/{chain[7:]}")
            if not os.path.isdir(directories[-1]):
                raise RuntimeError(f"layer {chain} is not there")
        return directories
