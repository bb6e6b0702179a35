"""Packs the diffs on the pages in src/whole, which would be more than a third of the book. mdBook calls this, as
book.toml says, with the sources of all pages as JSON, and prints what comes back. In the browser, look.js unpacks them.
Where there is no Python, mdBook does without, and readers see the same.
    pack.py check DIRECTORY    checks that each of these diffs in a built book unpacks to its file
"""

import base64
import json
import pathlib
import re
import sys
import zlib

BOOK = pathlib.Path(__file__).resolve().parent
INCLUDED = re.compile(r"^```diff\n\{\{#include ([^:}]+)\}\}\n```$", re.MULTILINE)
# The text is for a browser that runs no scripts, or cannot unpack it.
BLOCK = """<pre><code class="language-diff" data-lines="{lines}" data-packed="{packed}">\
Your browser has not unpacked this diff. Read it in the repository:
book/{file}</code></pre>"""
PACKED = re.compile(r'data-packed="([^"]*)">[^<]*\nbook/([^<]*)</code>')


def pack(page, text):
    def block(include):
        path = (BOOK / "src" / page).parent / include[1]
        diff = path.read_bytes()
        # With its checksum, so that a browser notices damage.
        packed = base64.b64encode(zlib.compress(diff, 9)).decode()
        return BLOCK.format(lines=diff.count(b"\n"), packed=packed, file=path.resolve().relative_to(BOOK).as_posix())

    return INCLUDED.sub(block, text)


def pack_all(items):
    for item in items:
        # The others are separators and titles.
        chapter = item.get("Chapter") if isinstance(item, dict) else None
        if chapter:
            if (chapter["source_path"] or "").startswith("whole/"):
                chapter["content"] = pack(chapter["source_path"], chapter["content"])
            pack_all(chapter["sub_items"])


def check(directory):
    sources = (BOOK / "src/whole").glob("*.md")
    expected = sum(page.read_text(encoding="utf-8").count("```diff\n") for page in sources)
    found = 0
    for page in sorted(directory.glob("whole/*.html")):
        for packed, file in PACKED.findall(page.read_text(encoding="utf-8")):
            try:
                same = zlib.decompress(base64.b64decode(packed, validate=True)) == (BOOK / file).read_bytes()
            except (ValueError, zlib.error):
                same = False
            if not same:
                sys.exit(f"whole/{page.name}: what is packed there is not book/{file}")
            found += 1
    if found != expected:
        sys.exit(f"{found} of {expected} whole diffs are packed")


if sys.argv[1:2] == ["supports"]:
    sys.exit(sys.argv[2] != "html")
elif sys.argv[1:2] == ["check"]:
    check(pathlib.Path(sys.argv[2]))
elif sys.argv[1:]:
    sys.exit(__doc__)
else:
    _, book = json.load(sys.stdin.buffer)
    pack_all(book["items"])
    json.dump(book, sys.stdout)
