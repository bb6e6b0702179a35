"""What .ci/fuzz feeds to the program, all from random.Random: archives, images, names."""
import base64
import gzip
import hashlib
import json
import subprocess

CANARY = "/tmp/canary"
NAME = "fuzz:1"
# A program for x86-64: _exit(0).
EXIT = base64.b64decode(
    "f0VMRgIBAQAAAAAAAAAAAAIAPgABAAAAeABAAAAAAABAAAAAAAAAAAAAAAAAAAAAAAAAAEAAOAABAAAAAAAAAAEAAAAFAAAA"
    "AAAAAAAAAAAAAEAAAAAAAAAAQAAAAAAAgQAAAAAAAACBAAAAAAAAAAAQAAAAAAAAuDwAAAAx/w8F")
PIECES = [b"a", b"b", b"etc", b"dir", b"link", b"exit", b".wh.a", b".wh.dir", b".wh..wh..opq", b".wh.", b".wh..", b".wh...", b"..",
          b".", b"", b"x" * 255, b"x" * 256, "ł".encode(), b"\xff", b"\n", b"\x1b[31m", b"a\0b", b"passwd", b"..a", b".wh..wh.plnk"]
PLACES = [b"/tmp/canary/file", b"/tmp/canary/new", b"../" * 12 + b"tmp/canary/file", b"../../../../canary/new", b"/tmp/canary/directory",
          b"/", b"/proc/self/root", b"../..", b".", b"dir", b"/etc/passwd"]
NUMBERS = [0, 1, -1, 2, 511, 512, 513, 4095, 65535, 65536, 1 << 20, (1 << 31) - 1, 1 << 31, 1 << 32, (1 << 33) - 1, 1 << 33, 1 << 62,
           (1 << 63) - 1, 1 << 63, (1 << 64) - 1, 1 << 64, -(1 << 63)]


def number(r):
    return r.choice(NUMBERS) if r.random() < 0.7 else r.randrange(1 << r.randrange(1, 70))


def path(r, odd=0.5):
    if r.random() < odd / 3:
        return r.choice(PLACES)
    return b"/".join(r.choice(PIECES if r.random() < odd else PIECES[:9]) for _ in range(r.choice([1, 1, 2, 2, 3, 5] + [40] * (r.random() < odd))))


def field(r, value, width):
    """A number in a header: octal, base 256, or nonsense."""
    if r and r.random() < 0.03:
        return r.choice([b"\xff" * width, b" " * width, b"9" * width, b"-1", b"\x80" + b"\xff" * (width - 1), b"0x10", b""])[:width].ljust(width, b"\0")
    if 0 <= value < 8 ** (width - 1):
        return b"%0*o\0" % (width - 1, value)
    return b"\x80" + (value & ((1 << (8 * width - 8)) - 1)).to_bytes(width - 1, "big")


def header(name, kind, size, link=b"", mode=0o644, magic=b"ustar\x0000", r=None):
    """As it should be; with `r`, its numbers are anything."""
    owner, group, time, major, minor = 0, 0, 1700000000, 0, 0
    if r:
        owner, group = (r.choice([0, 0, 0, 1000, number(r)]) for _ in range(2))
        time = r.choice([1700000000, 1700000000, number(r)])
        major, minor = (r.choice([0, 1, 3, 254, number(r) & 0xFFFFFF]) for _ in range(2))
    block = (name[:100].ljust(100, b"\0") + field(r, mode, 8) + field(r, owner, 8) + field(r, group, 8) + field(r, size, 12)
             + field(r, time, 12) + b" " * 8 + kind + link[:100].ljust(100, b"\0") + magic + b"\0" * 64
             + field(r, major, 8) + field(r, minor, 8)).ljust(512, b"\0")
    return summed(block)


def summed(block):
    return block[:148] + b"%06o\0 " % (sum(block[:148] + block[156:512]) + 256) + block[156:]


def padded(data):
    return data + b"\0" * (-len(data) % 512)


def entry(name, kind=b"0", data=b"", **more):
    long = header(b"././@LongLink", b"L", len(name) + 1, magic=b"ustar  \0") + padded(name + b"\0") if len(name) > 100 else b""
    return long + header(name, kind, len(data), **more) + padded(data)


def pax(r):
    """An extended header, now and then with a wrong length."""
    keys = ["path", "linkpath", "size", "uid", "gid", "mtime", "hdrcharset", "comment", "GNU.sparse.major", "GNU.sparse.minor", "GNU.sparse.name",
            "GNU.sparse.realsize", "GNU.sparse.map", "GNU.sparse.size", "GNU.sparse.numblocks", "SCHILY.xattr.user.a", "SCHILY.xattr.security.capability",
            "SCHILY.xattr.trusted.overlay.redirect", "SCHILY.xattr.user.overlay.opaque", "SCHILY.xattr.", "LIBARCHIVE.xattr.user.b", ""]
    text = b""
    for _ in range(r.randrange(1, 5)):
        value = r.choice([path(r), b"%d" % number(r), b"1700000000.123456789", b"-1.5", b"1e9", b"", b"\xff\xfe", b"0,10,20,30", b"x" * 70000])
        record = b" " + r.choice(keys).encode() + b"=" + value + b"\n"
        length = len(record) + len(str(len(record) + len(str(len(record)))))
        text += b"%d" % (length if r.random() < 0.95 else number(r)) + record
    return header(b"PaxHeader", r.choice([b"x"] * 6 + [b"g"]), len(text)) + padded(text)


def member(r, odd):
    kinds = [b"0"] * 6 + [b"5"] * 4 + [b"2"] * 2 + ([b"1"] * 4 + [b"2"] * 4 + [b"3", b"4", b"6", b"7", b"\0", b"L", b"K", b"S", b"Z", b"V"]) * (r.random() < odd)
    kind = r.choice(kinds)
    data = r.choice([b"", b"text\n", b"\0" * 5000, path(r), bytes(r.randrange(256) for _ in range(600))]) if kind in b"0LKSZ7\0" else b""
    link = r.choice([path(r, odd), r.choice(PLACES)]) if kind in b"12" else b""
    extended = pax(r) if r.random() < odd / 3 else b""
    mode = r.choice([0o644, 0o755, 0o4755, 0o1777, 0, 0o7777, number(r) & 0xFFFFF])
    magic = r.choice([b"ustar\x0000", b"ustar\x0000", b"ustar  \0", b"\0" * 8])
    return extended + entry(path(r, odd), kind, data, link=link, mode=mode, magic=magic, r=r if r.random() < odd else None)


def tar(r):
    """An archive that makes some sense, or did before it was spoiled."""
    odd = r.choice([0.02, 0.1, 0.3, 0.8])
    data = b"".join(member(r, odd) for _ in range(r.choice([1, 2, 4, 8, 16]))) + b"\0" * r.choice([1024, 1024, 1024, 0, 512, 10240])
    if r.random() < odd:
        data = spoil(r, data)
        if r.random() < 0.7:  # what is behind the checksums is to be reached, too
            blocks = [data[at:at + 512] for at in range(0, len(data), 512)]
            data = b"".join(summed(block) if block[257:262] == b"ustar" and len(block) == 512 else block for block in blocks)
    return data


def spoil(r, data):
    data = bytearray(data)
    for _ in range(r.choice([1, 1, 2, 8])):
        at, size = r.randrange(len(data) + 1), r.choice([1, 1, 2, 8, 512])
        data[at:at + r.choice([size, 0])] = r.choice([b"", b"\0" * size, b"\xff" * size, bytes(r.randrange(256) for _ in range(size)), data[at:at + size] * 2])
    return bytes(data[:r.randrange(len(data) + 1)] if r.random() < 0.1 else data)


def pack(r, data):
    """Compressed in one way or another, or not at all."""
    how = r.choice(["none", "gzip", "gzip", "gzip", "members", "members", "zstd", "zstd", "frames", "spoiled", "spoiled zstd"])
    half = len(data) // 2
    zstd = lambda part: subprocess.run(["zstd", "-qc", f"-{r.randrange(1, 8)}"], input=part, capture_output=True).stdout  # noqa: E731
    return {
        "none": lambda: data,
        "gzip": lambda: gzip.compress(data, r.randrange(10), mtime=0),
        "members": lambda: gzip.compress(data[:half], mtime=0) + gzip.compress(data[half:], mtime=0) + b"\0" * r.choice([0, 0, 7]),
        "zstd": lambda: zstd(data),
        "frames": lambda: zstd(data[:half]) + b"\x50\x2a\x4d\x18\x03\0\0\0abc" + zstd(data[half:]),
        "spoiled": lambda: spoil(r, gzip.compress(data, mtime=0)),
        "spoiled zstd": lambda: spoil(r, zstd(data)),
    }[how]()


def mangle(r, value):
    """The same JSON, with something else somewhere."""
    if isinstance(value, (dict, list)) and value and r.random() < 0.8:
        key = r.choice(list(value) if isinstance(value, dict) else range(len(value)))
        if r.random() < 0.15:
            del value[key]
        else:
            value[key] = mangle(r, value[key])
        return value
    texts = ["", "/", "..", "../../../../tmp/canary/new", CANARY, "sha256:" + "0" * 64, "sha256:../../x", "md5:00", "\0", "\x1b[31m", "ł" * 300, "x" * 100000,
             "SIGKILL", "0", "-1", "4294967295", "root:root", "a=b", "=", "/exit", "80/tcp", "99999/udp", "1-65535/tcp", "linux", "arm64", "2024-13-45T99:99:99Z"]
    return r.choice([None, True, [], {}, [None] * 5, [[[[{}]]]], {"": {}}, [value, value], {"x": value}, 1e308, 0.5, number(r), number(r), r.choice(texts), r.choice(texts)])


def image(r, layers=False, manifests=False):
    """Blobs, their index and their names. What is asked for is random; the rest is right."""
    blobs = {}

    def blob(media, data):
        digest = "sha256:" + hashlib.sha256(data).hexdigest()
        blobs[digest] = data
        return {"mediaType": f"application/vnd.oci.image.{media}", "digest": digest, "size": len(data)}

    def document(media, value):
        if manifests and r.random() < 0.4:
            value = json.loads(json.dumps(value))
            for _ in range(r.choice([1, 1, 3])):
                value = mangle(r, value)
        text = json.dumps(value).encode()
        if manifests and r.random() < 0.1:
            text = r.choice([spoil(r, text), b"[" * 100000, text + text, text[:-1] + b"," + text[1:], b" " * (5 << 20) + text])
        return blob(media, text)

    quiet = [entry(b"exit", data=EXIT, mode=0o755) + entry(b"etc/passwd", data=b"root:x:0:0::/:/exit\n") + b"\0" * 1024]
    unpacked = quiet + [tar(r) for _ in range(r.choice([1, 1, 2, 3]) if layers else 0)]
    packed = [blob("layer.v1.tar+gzip", gzip.compress(quiet[0], 1, mtime=0))] + [blob("layer.v1.tar" + r.choice(["", "+gzip", "+zstd"]), pack(r, layer))
                                                                                for layer in unpacked[1:]]
    config = document("config.v1+json", {
        "created": "2024-01-02T03:04:05Z", "architecture": "amd64", "os": "linux",
        "config": {"Env": ["PATH=/bin", "A=b"], "Cmd": ["/exit"], "Entrypoint": None, "User": "0", "WorkingDir": "/", "StopSignal": "SIGTERM",
                   "ExposedPorts": {"80/tcp": {}}, "Volumes": {"/data": {}}, "Labels": {"a": "b"}},
        "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(layer).hexdigest() for layer in unpacked]},
        "history": [{"created": "2024-01-02T03:04:05Z", "created_by": "fuzz"}] * len(unpacked)})
    top = document("manifest.v1+json", {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "config": config, "layers": packed})
    if manifests and r.random() < 0.3:
        other = {**top, "platform": {"architecture": "arm64", "os": "linux", "variant": "v8"}}
        top = document("index.v1+json", {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json",
                                         "manifests": [other, {**top, "platform": {"architecture": "amd64", "os": "linux"}}]})
    return {"blobs": blobs, "top": top, "config": config, "layers": packed}


def archive(r, image):
    """A list of (name, kind, data): as docker or as skopeo would write it."""
    plain = {digest.replace(":", "/"): data for digest, data in image["blobs"].items()}
    if r.random() < 0.6:
        top = {**image["top"], "annotations": {"org.opencontainers.image.ref.name": NAME, "io.containerd.image.name": "docker.io/library/" + NAME}}
        files = {"oci-layout": b'{"imageLayoutVersion":"1.0.0"}', "index.json": json.dumps({"schemaVersion": 2, "manifests": [top]}).encode()}
        files.update({"blobs/" + name: data for name, data in plain.items()})
    else:
        names = [f"{n}/layer.tar" for n in range(len(image["layers"]))]
        manifest = [{"Config": "config.json", "RepoTags": [NAME], "Layers": names}]
        files = {name: image["blobs"][layer["digest"]] for name, layer in zip(names, image["layers"])}
        files.update({"config.json": image["blobs"][image["config"]["digest"]], "manifest.json": json.dumps(manifest).encode()})
    return b"".join(entry(name.encode(), data=data) for name, data in files.items()) + b"\0" * 1024


def spoil_archive(r, data):
    """Other entries on top of it, a link or a node in place of a file, or bytes changed."""
    how = r.randrange(4)
    if how == 0:
        return tar(r).rstrip(b"\0").ljust(1024, b"\0") + data
    if how == 1:
        name = r.choice([b"manifest.json", b"index.json", b"config.json", b"0/layer.tar", b"oci-layout", b"blobs", b"blobs/sha256", b"repositories"])
        more = entry(name, r.choice([b"0", b"1", b"2", b"3", b"5", b"6"]), link=r.choice(PLACES)) + (member(r, 0.5) if r.random() < 0.5 else b"")
        return more + data if r.random() < 0.5 else data[:-1024] + more + data[-1024:]
    if how == 2:
        words = [b"manifest.json", b"config.json", b"0/layer.tar", b"index.json", b"sha256", b"fuzz:1", b"RepoTags", b"size", b"digest", b"layer"]
        return data.replace(r.choice(words), r.choice(words + [b"../../../x", b"", b"\0", b"/tmp/canary/new", b"blobs/../../x", path(r)]), r.choice([1, -1]))
    return spoil(r, data)


def name(r):
    """What somebody could type as the name of an image."""
    digits = "".join(r.choice("0123456789abcdef") for _ in range(r.choice([0, 6, 12, 63, 64, 65])))
    pieces = ["alpine", "library/", "docker.io/", "localhost:1/", "127.0.0.1:1/", "[::1]:1/", "[::1", "@sha256:", "sha256:", ":", "/", "//", "@", "..", "../../tmp/canary/new",
              "A", "_", "__", "-", "-x", "--help", "=", ".", "a.b", "1", "65536", "\x1b[31m", "\n", " ", "ł", "\udcff", "%2e", "$(id)", "x" * 300, "x" * 20000, "tag", "<none>", "file:///etc/passwd",
              "http://127.0.0.1:1/x", "?a=b", "#", "\\", "'", digits]
    return "".join(r.choice(pieces) for _ in range(r.choice([1, 2, 2, 3, 4, 6]))).encode("utf-8", "surrogateescape")
