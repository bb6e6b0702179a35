"""A registry on loopback whose answers are spoiled, for .ci/fuzz. An answer depends on the case, the path and how often it was asked for."""
import json
import random
import re
import socket
import threading

import inputs


class Server:
    def __init__(self):
        self.images, self.asked, self.lock = {}, {}, threading.Lock()
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def serve(self, case):
        """The address of this case's image."""
        r = random.Random(case)
        self.images[str(case)] = inputs.image(r, layers=r.random() < 0.2)
        return f"127.0.0.1:{self.port}/case{case}:1"

    def forget(self, case):
        with self.lock:
            del self.images[str(case)]
            self.asked = {key: count for key, count in self.asked.items() if key[0] != str(case)}

    def accept(self):
        while True:
            threading.Thread(target=self.talk, args=(self.socket.accept()[0],), daemon=True).start()

    def talk(self, connection):
        """One request a connection: nothing of an answer gets into the next."""
        connection.settimeout(30)
        with connection:
            try:
                request = b""
                while b"\r\n\r\n" not in request and (more := connection.recv(65536)):
                    request += more
                connection.sendall(self.answer(request.decode("latin-1")))
                connection.shutdown(socket.SHUT_WR)
            except OSError:
                pass  # the client has gone away

    def answer(self, request):
        method, target = (request.split() + ["", "/"])[:2]
        case = re.search(r"case(\d+)", target)
        case = case[1] if case and case[1] in self.images else next(iter(self.images), None)
        with self.lock:
            count = self.asked[case, target] = self.asked.get((case, target), 0) + 1
        r = random.Random(f"{case} {method} {target} {count}")
        status, headers, body = self.right(r, self.images.get(case), target, request)
        if r.random() < 0.3:
            status, headers, body = self.spoiled(r, status, headers, body, target)
        lines = [f"HTTP/1.1 {status}", *[f"{key}: {value}" for key, value in headers], "Connection: close"]
        head = "\r\n".join(lines).encode("latin-1", "replace") + b"\r\n\r\n"
        if r.random() < 0.02:
            head = inputs.spoil(r, head)
        return head + (b"" if method == "HEAD" else body)

    def right(self, r, image, target, request):
        """What a registry answers: a status, headers and a body."""
        if image is None:
            return "404 Not Found", [("Content-Length", 0)], b""
        if "/token" in target:
            return self.document({"token": "t", "expires_in": 60})
        if not target.startswith("/v2/"):
            return "404 Not Found", [("Content-Length", 0)], b""
        repository = target.split("/")[2]
        if random.Random(repository).random() < 0.3 and "Bearer" not in request:
            challenge = f'Bearer realm="http://127.0.0.1:{self.port}/token/{repository}",service="fuzz"'
            return "401 Unauthorized", [("WWW-Authenticate", challenge), ("Content-Length", 0)], b""
        if "/manifests/" in target:
            top = image["top"]
            body = image["blobs"].get(target.rsplit("/", 1)[1], image["blobs"][top["digest"]])
            return "200 OK", [("Content-Type", top["mediaType"]), ("Content-Length", len(body)), ("Docker-Content-Digest", top["digest"])], body
        body = image["blobs"].get(target.rsplit("/", 1)[1].split("?")[0])
        if body is None:
            return "404 Not Found", [("Content-Length", 0)], b""
        start = re.search(r"range: bytes=(\d+)-", request, re.I)
        if start and int(start[1]) < len(body):
            rest = body[int(start[1]):]
            return "206 Partial Content", [("Content-Range", f"bytes {start[1]}-{len(body) - 1}/{len(body)}"), ("Content-Length", len(rest))], rest
        return "200 OK", [("Content-Length", len(body))], body

    def document(self, value):
        body = json.dumps(value).encode()
        return "200 OK", [("Content-Type", "application/json"), ("Content-Length", len(body))], body

    def spoiled(self, r, status, headers, body, target):
        here = f"http://127.0.0.1:{self.port}"
        texts = ["", " ", "0", "-1", "99999999999999999999", "x" * 20000, "\x1b[31m", "\xff\xfe", "\"", ",", "=", "a=b", "text/html", "gzip", "chunked", "bytes 5-2/1", "bytes */*",
                 "bytes 0-0/99999999999999999999", "sha256:" + "0" * 64, "Bearer", "Basic realm=\"x\"", "Bearer realm", 'Bearer realm="', f'Bearer realm="{here}/token?a"',
                 'Bearer realm="file:///etc/passwd"', 'Bearer realm="http://127.0.0.1:1/"', f'Negotiate, Bearer realm="{here}/token", error="\\"', here + "/v2/", here + target, target,
                 "//127.0.0.1:1/", "file:///etc/passwd", "http://", "http://[::1", "ftp://127.0.0.1/", "/v2/../../x", "?", "Thu, 01 Jan 1970 00:00:00 GMT", "1e9"]
        names = ["Content-Type", "Content-Length", "Content-Encoding", "Transfer-Encoding", "Docker-Content-Digest", "Location", "WWW-Authenticate", "Retry-After", "Content-Range",
                 "Set-Cookie", "Link", "X" * 300, ""]
        how = r.randrange(7)
        if how == 0:
            status = r.choice(["100 Continue", "101 Switching", "199 x", "204 No Content", "206 Partial", "301 Moved", "302 Found", "307 x", "308 x", "400 Bad", "401 No", "403 No",
                               "404 No", "416 Range", "429 Busy", "500 Error", "503 Busy", "999 x", "20", "abc", "", "200 " + "x" * 9000])
        if how in (0, 1, 2):
            headers = [*headers, *[(r.choice(names), r.choice(texts)) for _ in range(r.choice([1, 1, 2, 3, 300]))]]
        if how == 3:
            headers = [(key, r.choice(texts) if r.random() < 0.5 else value) for key, value in headers if r.random() < 0.8]
        if how == 4:
            body = inputs.spoil(r, body)
            headers = [(key, len(body) if key == "Content-Length" and r.random() < 0.5 else value) for key, value in headers]
        if how == 5:
            body = r.choice([b"", b"<html>", b"[" * 100000, b" " * (40 << 20), json.dumps({"errors": [{"code": inputs.mangle(r, "X"), "message": "\x1b[2J" + "x" * 5000}]}).encode()])
            headers = [(key, len(body) if key == "Content-Length" else value) for key, value in headers]
        if how == 6:
            headers = [item for item in headers if item[0] != "Content-Length"] + [("Transfer-Encoding", "chunked")]
            sizes = r.choice([b"%x", b"%x;a=b", b"0%x", b"-%x", b"ffffffffffffffff%x", b"%xg"]) % len(body)
            body = sizes + b"\r\n" + body + r.choice([b"\r\n0\r\n\r\n", b"\r\n", b"", b"\r\n0\r\nX: y\r\n\r\n"])
        return status, headers, body
