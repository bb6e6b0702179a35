"""The tree that umoci makes of an image, or GNU tar where umoci cannot read it."""
import gzip
import hashlib
import json
import os
import subprocess
import tempfile
import zlib

import tree


def blob(layout, digest):
    with open(f"{layout}/blobs/{digest.replace(':', '/')}", "rb") as file:
        return file.read()


def manifest(layout, entry):
    """The manifest for linux/amd64 that a descriptor leads to."""
    document = json.loads(blob(layout, entry["digest"]))
    if "manifests" not in document:
        return document
    for other in document["manifests"]:
        platform = other.get("platform", {})
        nested = "index" in other["mediaType"]
        if (platform.get("architecture", "amd64"), platform.get("os", "linux")) == ("amd64", "linux") or nested:
            if found := manifest(layout, other):
                return found
    return None


def inflate(data):
    """All members, and whatever comes after them."""
    plain = b""
    while data[:2] == b"\x1f\x8b":
        member = zlib.decompressobj(31)
        plain += member.decompress(data) + member.flush()
        data = member.unused_data
    return plain


def write(layout, layers, config=None):
    """A layout with an image `image` of these layers, which are archives."""
    def put(data, kind):
        digest = hashlib.sha256(data).hexdigest()
        os.makedirs(layout + "/blobs/sha256", exist_ok=True)
        with open(f"{layout}/blobs/sha256/{digest}", "wb") as file:
            file.write(data)
        return {"mediaType": "application/vnd.oci.image." + kind, "digest": "sha256:" + digest, "size": len(data)}

    blobs = [put(gzip.compress(layer, 1, mtime=0), "layer.v1.tar+gzip") for layer in layers]
    ids = ["sha256:" + hashlib.sha256(layer).hexdigest() for layer in layers]
    described = {"architecture": "amd64", "os": "linux", "config": config or {}, "rootfs": {"type": "layers", "diff_ids": ids}}
    top = {"schemaVersion": 2, "config": put(json.dumps(described).encode(), "config.v1+json"), "layers": blobs}
    entry = {**put(json.dumps(top).encode(), "manifest.v1+json"), "annotations": {"org.opencontainers.image.ref.name": "image"}}
    for name, content in {"index.json": {"schemaVersion": 2, "manifests": [entry]}, "oci-layout": {"imageLayoutVersion": "1.0.0"}}.items():
        with open(f"{layout}/{name}", "w") as file:
            json.dump(content, file)


def umoci(image):
    """Its tree, or why there is none."""
    directory = tempfile.mkdtemp(dir="/tmp")
    try:
        done = subprocess.run(["umoci", "unpack", "--image", image, directory + "/bundle"], capture_output=True, text=True)
        if done.returncode:
            return None, done.stderr.strip().split("\n")[-1]
        return tree.tree(directory + "/bundle/rootfs"), ""
    finally:
        subprocess.run(["rm", "-rf", directory])


def reference(layout, name):
    """umoci knows neither zstd nor indexes nor zeros after gzip: it gets the same image in a simpler form."""
    with open(layout + "/index.json") as file:
        [entry] = [entry for entry in json.load(file)["manifests"] if entry["annotations"]["org.opencontainers.image.ref.name"] == name]
    if name == "gnutar:gnu":  # sparse files in GNU's old form
        directory = tempfile.mkdtemp(dir="/tmp")
        [layer] = manifest(layout, entry)["layers"]
        subprocess.run(["tar", "-C", directory, "--numeric-owner", "-pxz"], input=blob(layout, layer["digest"]), check=True)
        return tree.tree(directory), ""
    layers = []
    for layer in manifest(layout, entry)["layers"]:
        data = blob(layout, layer["digest"])
        if layer["mediaType"].endswith("zstd"):
            data = subprocess.run(["zstd", "-dcq"], input=data, capture_output=True, check=True).stdout
        layers.append(inflate(data) if data[:2] == b"\x1f\x8b" else data)
    with tempfile.TemporaryDirectory(dir="/tmp") as simpler:
        write(simpler, layers)
        return umoci(simpler + ":image")
