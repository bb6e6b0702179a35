"""Every image and fault of the workshop: what is expected, and what comes."""
import json
import os
import re
import shutil
import urllib.request

import reference
import store
import tree

# What has to happen. "works": its tree is umoci's. "refused": exit code 1, and one line that says why. The rest may be either.
GOOD = {"refused": "multi:foreign",
        "either": "part:linux-arm64-v8 part:linux-arm-v7 part:linux-arm-v6 part:windows-amd64 deep:501"}
HOSTILE = {"works": "sym:root sym:up sym:two-layers sym:over-file sym:dangling-file sym:chmod sym:dir-attrs hard:sym-then-write wh:via-sym"
                    " wh:aufs tar:pax-size tar:no-end tar:garbage-after-end name:wh-prefix-dir",
           "either": "path:long wh:dot wh:nameless wh:slash wh:opq-via-sym wh:dir-entry dev:disk xattr:selinux tar:unknown-type under:file"
                     " under:lower-file"}
BROKEN = {"works": "media:none",
          "either": "media:wrong media:foreign config:arm gzip:zero gzip:garbage-after digest:sha512"}
# They contain files of user 100000, who is not among an ordinary user's 65536 ids.
FOREIGN = "features:pax features:gnu gnutar:gnu-pax gnutar:gnu"
# No real registry takes these; the faulty one serves them.
UNPUSHED = ("blob:missing digest:traversal digest:upper digest:short digest:md5 media:both config:missing schema1:1 manifest:huge"
            " manifest:html").split()
FAULTS = {"works": "ok redirect redirect-rel auth-redirect cut cut-norange busy busy-date flaky chunked no-head no-digest params-type slow"
                   " stall expired odd-challenge",
          "refused": "redirect-loop tls-down busy-forever flip flip-manifest short html forbidden denied endless name-unknown",
          "either": "cut-always long lie-digest plain-type gzip-coded"}
PATTERN = re.compile
# For `run`: the image, what is typed after it, the exit code and the output. They are Docker's.
RUNS = [
    ("conf:nothing", "/bin/echo x", 0, "x\n"), ("conf:nothing", "", 125, ""), ("conf:null", "/bin/echo x", 0, "x\n"),
    ("conf:cmd", "", 0, "from-cmd\n"), ("conf:cmd", "echo typed", 0, "typed\n"), ("conf:entry", "", 0, "E C\n"),
    ("conf:entry", "typed two", 0, "E typed two\n"), ("conf:entry-only", "", 0, "E\n"), ("conf:entry-only", "x", 0, "E x\n"),
    ("conf:shell", "", 0, "a b\n"),
    ("conf:env", "", 0, PATTERN("(?ms)(?=.*^PATH=/bin$)(?=.*^EMPTY=$)(?=.*^SPACES= x y $)(?=.*^U=żółć$)(?=.*^A=second$)(?!.*^NOEQUALS)"
                                "(?=.*^HOSTNAME=)(?=.*^HOME=/root$).*")),
    ("conf:user-name", "", 0, PATTERN(r"uid=1000\(www\) gid=1000\(www\) groups=.*3000\(extra\).*\n")),
    ("conf:user-num", "", 0, PATTERN(r"uid=4242 gid=0\(root\).*\n")), ("conf:user-nums", "", 0, PATTERN(r"uid=1 gid=2.*\n")),
    ("conf:user-both", "", 0, PATTERN(r"uid=1000\(www\) gid=3000\(extra\).*\n")), ("conf:user-missing", "", 125, ""),
    ("conf:user-late", "", 0, PATTERN(r"uid=1001\(late\) gid=2001 .*3000\(extra\).*\n")), ("conf:wd", "", 0, "/made/by/run\n"),
    ("conf:wd-rel", "", 125, ""), ("conf:wd-link", "", 125, ""), ("conf:stop-bad", "", 0, ""), ("conf:ports", "", 0, ""),
    ("conf:nopath", "", 0, PATTERN("/.*\n")), ("conf:relcmd", "", 0, "rel\n"), ("conf:unknown-keys", "", 0, ""),
    ("busybox:latest", "cat /etc/group", 0, PATTERN("(?s)root:x.*")), ("comp:mixed", "ls /w/dir", 1, ""),
    ("multi:1", "cat /etc/arch", 0, "linux/amd64\n"), ("multi:all", "cat /etc/arch", 0, "linux/amd64\n"),
    ("multi:nested", "cat /etc/arch", 0, "linux/amd64\n"), ("multi:noplatform", "cat /etc/arch", 0, "linux/amd64\n"),
    ("deep:500", "ls -d /deep/0500", 1, ""), ("empty:layers", "echo e", 0, "e\n"), ("empty:none", "/x", 127, ""),
]
CANARIES = ["/tmp/images-canary", "/tmp/images-canary-dir", "/tmp/images-canary-dir/keep"]
MEMORY = 64  # MiB


def all(options):
    """Prints what is not as expected, or everything. Returns the exit code."""
    table = Table(options)
    for layout, expected, default in [("good", GOOD, "works"), ("hostile", HOSTILE, "refused"), ("broken", BROKEN, "refused")]:
        with open(f"{options.images}/oci/{layout}/index.json") as file:
            names = [entry["annotations"]["org.opencontainers.image.ref.name"] for entry in json.load(file)["manifests"]]
        for name in names:
            registry = "127.0.0.1:5004/ok" if name in UNPUSHED else "127.0.0.1:5000"
            foreign = options.user and name in FOREIGN.split()
            table.pull(layout, name, f"{registry}/{layout}/{name}", "refused" if foreign else expectation(expected, name, default))
    for want, faults in FAULTS.items():
        for fault in faults.split():
            table.pull("good", "whiteouts:1", f"127.0.0.1:5004/{fault}/good/whiteouts:1", want)
    table.runs()
    print(f"{table.rows} rows, {len(table.wrong)} wrong:", *table.wrong)
    return bool(table.wrong)


def expectation(expected, name, default):
    return next((what for what, names in expected.items() if name in names.split()), default)


class Table:
    def __init__(self, options):
        self.options, self.rows, self.wrong = options, 0, []

    def row(self, name, want, result, problems):
        self.rows += 1
        if problems:
            self.wrong.append(name)
        if problems or self.options.verbose:
            why = result.error.strip().replace("\n", " | ")[-300:] if result.code else ""
            print(f"{'WRONG' if problems else 'ok   '} {name:40} {want:8} {result.code:3} {result.seconds:6.2f} s {result.memory:3} MiB  {why}",
                  *problems[:8], sep="\n        ", flush=True)

    def pull(self, layout, name, address, want):
        if self.options.only not in address:
            return
        place = store.Store(self.options, re.sub(r"\W", "-", address))
        before = canaries()
        result = place.run("pull", address)
        problems = [f"{result.memory} MiB of memory"] * (result.memory > MEMORY)
        if want != "either" and (want == "works") != (result.code == 0):
            problems.append(f"it is not as expected: {result.error[-300:]}")
        if result.code == 0:
            problems += self.compare(layout, name, place)
            listed = place.run("images", "--quiet")
            problems += [f"images: {listed}"] * (len(listed.out.split()) != 1)
            removed = place.run("rmi", address)
            problems += [f"rmi: {removed}"] * (removed.code != 0)
        else:
            problems += refusal(result)
            # What a registry has broken off stays for a day, for whoever tries again.
            place.run("image", "prune", "--all", "--force")
        problems += [f"left in the store: {path}" for path in place.left()]
        problems += [f"changed on the host: {path}" for path in CANARIES if canaries()[path] != before[path]]
        self.row(address, want, result, problems)
        shutil.rmtree(place.home, ignore_errors=True)

    def compare(self, layout, name, place):
        want, why = reference.reference(f"{self.options.images}/oci/{layout}", name)
        if want is None:
            return [f"umoci refuses it: {why}"]
        layers = place.layers()
        if not 0 < len(layers) <= 500:
            return []  # overlayfs takes no more, and there is nothing to run without any
        with tree.Overlay(layers, bool(place.user)) as root:
            return tree.compare(tree.tree(root, tree.container_ids(place.user)), want, bool(place.user))

    def runs(self):
        place = store.Store(self.options, "runs")
        for image, typed, code, out in RUNS:
            if self.options.only not in image:
                continue
            result = place.run("run", "--rm", "--net", "isolated", f"127.0.0.1:5000/good/{image}", *typed.split())
            problems = [f"exit code {result.code}, not {code}"] * (result.code != code)
            if not (result.out == out if isinstance(out, str) else out.fullmatch(result.out)):
                problems.append(f"output: {result.out!r}")
            self.row(f"run {image} {typed}", str(code), result, problems)
        result = place.run("image", "prune", "--all", "--force")
        self.row("image prune", "nothing", result, [f"left: {path}" for path in place.left()])


def refusal(result):
    """What is wrong with how it says no."""
    lines = result.error.rstrip("\n").split("\n")
    # What it waits for, or leaves out, is no error.
    errors = [line for line in lines if re.match("tiny-docker: (?!waiting |.* left out$)", line)]
    problems = {f"exit code {result.code}": result.code != 1, f"{len(errors)} errors": len(errors) != 1,
                "the error is not last": lines[-1] not in errors and not lines[-1].startswith("hint: "),
                "control characters": re.search(r"[\x00-\x08\x0b-\x1f\x7f]", result.error),
                "a panic or a Debug print": re.search(r"panicked|\w\(\w+( \{|\()|\{ \w+: ", result.error)}
    return [problem for problem, found in problems.items() if found]


def canaries():
    """What hostile images aim at."""
    if not os.path.exists(CANARIES[0]):
        os.makedirs(CANARIES[1])
        for path in (CANARIES[0], CANARIES[2]):
            with open(path, "w") as file:
                file.write("alive")
        for path in CANARIES:
            os.chmod(path, 0o777)
    found = {}
    for path in CANARIES:
        status = os.lstat(path) if os.path.lexists(path) else None
        found[path] = status and (status.st_mode, status.st_uid, status.st_size, status.st_mtime_ns, status.st_nlink)
    return found


def asked():
    """What the faulty registry was asked since the last time."""
    with urllib.request.urlopen("http://127.0.0.1:5004/_log") as answer:
        return json.load(answer)
