"""Random images of a few layers, unpacked by us and by umoci. Their trees must be the same."""
import collections
import random
import re
import subprocess

import inputs
import reference
import store
import tree


def layer(r, files):
    """Directories are mostly called a b c, files f g h, links l m. Now and then, one is something else."""
    odd, entries = r.choice([0, 0, 0.1, 0.2]), []

    def path(last):
        parents = ["abc"] * r.choice([0, 0, 1, 1, 2])
        return "/".join(r.choice("abcfghlm" if r.random() < odd else letters) for letters in [*parents, last])

    for _ in range(r.choice([1, 2, 4, 8, 16])):
        prefix, kind, data, link, mode = r.choice(["", "", "", "./", "/"]), "0", b"", "", r.choice([0o644, 0o4755, 0o600])
        what = r.random()
        if what < 0.25:
            name, kind, mode = path("abc") + "/", "5", r.choice([0o755, 0o700, 0o1777, 0o555])
        elif what < 0.5:
            name, data = path("fgh"), r.choice([b"", b"x", b"y" * 700])
            files.append(name)
        elif what < 0.62:
            name, kind, link = path("lm"), "2", r.choice([path("abc"), "/" + path("abc"), "../" + path("abc"), path("fgh"), ".", "/", "a", "b"])
        elif what < 0.72 and files:
            name, kind, link = path("fgh"), "1", prefix + r.choice(files)
        elif what < 0.88:
            directory, slash, last = path("abcfghlm").rpartition("/")
            name = f"{directory}{slash}.wh.{last}"
        else:
            directory, slash, _ = path("abc").rpartition("/")
            name = f"{directory}{slash}.wh..wh..opq"
        entries.append(inputs.entry((prefix + name).encode(), kind.encode(), data, link=link.encode(), mode=mode))
    return b"".join(entries) + b"\0" * 1024


def differ(options):
    counts, reasons = collections.Counter(), collections.Counter()
    check = store.Store(options, "differ")
    for number in range(options.seed, options.seed + options.times):
        r, files, layout = random.Random(number), [], check.home + "/layout"
        layers = [layer(r, files) for _ in range(r.choice([1, 2, 2, 3, 3, 4]))]
        subprocess.run(["rm", "-rf", layout])
        reference.write(layout, layers, {"Cmd": ["true"]})
        subprocess.run(["tar", "-C", layout, "-cf", check.home + "/image.tar", "."], check=True)
        loaded = check.run("load", "--quiet", "--input", "image.tar")
        theirs, why = reference.umoci(layout + ":image")
        if loaded.code or theirs is None:
            who = "both refuse" if loaded.code and theirs is None else "we refuse" if loaded.code else "umoci refuses"
            counts[who] += 1
            if who != "both refuse":
                reasons[who + ": " + re.sub(r"^.*unpack (entry: )?\S+|[0-9a-f]{12,}|\S+/rootfs\S*", "…", (loaded.error or why).strip())] += 1
        else:
            with tree.Overlay(check.layers(), bool(check.user)) as root:
                wrong = tree.compare(tree.tree(root, tree.container_ids(check.user)), theirs, bool(check.user))
            counts["different" if wrong else "the same"] += 1
            if wrong:
                print(f"--seed {number} --times 1:", *wrong[:4], sep="\n    ", flush=True)
        check.run("image", "prune", "--all", "--force")
        if check.left():
            print(f"--seed {number} --times 1: left in the store:", check.left())
            counts["different"] += 1
    print(dict(counts), *(f"{count} times {reason}" for reason, count in reasons.most_common(9)), sep="\n")
    return counts["different"] > 0
