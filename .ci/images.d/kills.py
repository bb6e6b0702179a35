"""kill -9, full disks, and several at once: the next command tells the truth and finishes the work."""
import os
import random
import shutil
import subprocess
import time

import store
import table

IMAGE = "127.0.0.1:5000/debian-gzip:bookworm"
SHELL = ["/bin/sh", "-c", "ls /usr/bin | wc -l"]
BUSY = [("ok", "many/x:30000", 2), ("ok", "good/deep:130", 4), ("slow", "good/whiteouts:1", 2), ("redirect", "debian-gzip/x:bookworm", 4),
        ("cut", "debian-gzip/x:bookworm", 2)]


class Check(store.Store):
    """A store with an image in it, or the rest of one."""

    def __init__(self, options, name):
        super().__init__(options, name)
        self.wrong, self.round = 0, 0
        self.image, self.get = IMAGE, ["pull", IMAGE]

    def report(self, *what):
        self.wrong += 1
        print(f"WRONG in round {self.round}:", *(f"{part!s:.500}" for part in what), flush=True)

    def expect(self, code, *arguments):
        result = self.run(*arguments)
        if result.code != code:
            self.report(arguments, result)
        return result

    def listed(self):
        return len(self.expect(0, "images", "--quiet").out.split()) == 1

    def check_whole(self):
        """All of it is there, and it runs."""
        try:
            self.layers()
        except (OSError, ValueError, RuntimeError) as error:
            self.report("listed, and not whole:", error)
        self.expect(0, "run", "--rm", "--net", "isolated", "--pull", "never", self.image, *SHELL)

    def check_gone(self, *arguments):
        for command in [[*arguments], ["image", "prune", "--all", "--force"]]:
            if command:
                self.expect(0, *command)
        if self.left():
            self.report("left:", self.left()[:5])


def kills(options):
    return any([killed(options, what) for what in ("pull", "load", "rmi")])


def killed(options, what):
    """So many kills of one command."""
    check, moments, counts, again = Check(options, what), random.Random(options.seed), [0, 0], []
    if what == "load":
        check.expect(0, "pull", IMAGE)
        check.expect(0, "save", "--output", "image.tar", IMAGE)
        check.check_gone("rmi", IMAGE)
        check.get = ["load", "--input", "image.tar"]
    whole = check.expect(0, *check.get).seconds
    if what == "rmi":
        whole = check.expect(0, "rmi", IMAGE).seconds
    else:
        check.check_gone("rmi", IMAGE)
    for check.round in range(options.times):
        if what == "rmi":
            check.expect(0, *check.get)
        victim = check.start(*(["rmi", IMAGE] if what == "rmi" else check.get))
        time.sleep(moments.uniform(0, whole))
        check.kill()
        victim.communicate()
        listed = check.listed()
        counts[listed] += 1
        if victim.returncode == 0 and listed != (what != "rmi"):
            check.report("it said that it was done")
        if listed:
            check.check_whole()
        else:
            check.expect(125, "run", "--rm", "--net", "isolated", "--pull", "never", IMAGE, "true")
        if check.round % 4 == 3 and not listed:
            check.check_gone()  # somebody gives up
            continue
        again.append(check.expect(0, *check.get).seconds)
        check.check_whole()
        check.check_gone("rmi", IMAGE)
    print(f"{what}: {options.times} kills within {whole:.2f} s, then {counts[1]} were there and {counts[0]} not;"
          f" done again in {min(again):.2f} to {max(again):.2f} s; {check.wrong} wrong")
    return check.wrong


def disk(options):
    """The store's disk is full at one point or another."""
    check, sizes = Check(options, "disk"), random.Random(options.seed)
    check.expect(0, *check.get)
    need = sum(os.lstat(f"{directory}/{name}").st_blocks for directory, _, files in os.walk(check.images) for name in files) // 2
    check.check_gone("rmi", IMAGE)
    said, room = set(), 0
    for check.round in range(options.times):
        size = sizes.randrange(4, int(need * 1.2)) if check.round % 3 else sizes.randrange(4, 400)
        shutil.rmtree(check.state, ignore_errors=True)
        os.mkdir(check.state)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"mode=700,size={size}k", "tmpfs", check.state], check=True)
        check.own(check.state)
        result = check.run(*check.get)
        room += result.code == 0
        if result.code and (table.refusal(result) or "No space left on device" not in result.error):
            check.report(size, "KiB:", result)
        said.add(result.error.split(": cannot ")[-1].split(" ")[0] if result.code else "")
        if check.listed() != (result.code == 0):
            check.report(size, "KiB: listed or not, it is wrong")
        if result.code and check.round % 2:
            check.check_gone()
        subprocess.run(["mount", "-o", f"remount,size={2 * need}k", check.state], check=True)
        check.expect(0, *check.get)
        check.check_whole()
        check.check_gone("rmi", IMAGE)
        subprocess.run(["umount", "-l", check.state], check=True)
    print(f"disk: {options.times} sizes up to {need * 12 // 10} KiB, {room} were enough; {check.wrong} wrong")
    return check.wrong


def twice(options):
    """Several pulls of one image at once."""
    check = Check(options, "twice")
    for fault, image, count in BUSY:
        address = f"127.0.0.1:5004/{fault}/{image}"
        table.asked()
        pulls = [check.start("pull", address) for _ in range(count)]
        for pull in pulls:
            error = pull.communicate()[1]
            if pull.returncode:
                check.report(address, error[-300:])
        blobs = [request["path"] for request in table.asked() if "/blobs/" in request["path"] and not request["range"]]
        if len(blobs) != len(set(blobs)):
            check.report(address, f"{len(blobs)} requests for {len(set(blobs))} blobs")
        check.layers()
        check.check_gone("rmi", address)
        print(f"{address}: {count} at once, {len(set(blobs))} blobs, {len(blobs)} requests for them")
        check.round += 1
    return check.wrong
