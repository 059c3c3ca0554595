"""A small emulator of Google Cloud Storage: what obstore asks in XML, and gcsfs in JSON."""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import os
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.store.web import Server

# gcsfs would ask by gRPC, which is not here, for the kind of each bucket
os.environ.setdefault("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false")

NO_BUCKET = b"<Error><Code>NoSuchBucket</Code><Message>The specified bucket does not exist.</Message></Error>"
NO_KEY = b"<Error><Code>NoSuchKey</Code><Message>The specified key does not exist.</Message></Error>"


@dataclass(frozen=True)
class Stored:
    """An object."""

    value: bytes
    generation: int
    metadata: dict[str, str]

    @property
    def etag(self) -> str:
        return f'"{hashlib.md5(self.value).hexdigest()}"'


@dataclass
class Google:
    """The emulator: its address, its buckets, and what it was asked."""

    address: str = ""
    buckets: dict[str, dict[str, Stored]] = field(default_factory=dict)
    uploads: dict[str, dict[int, bytes]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    tokens: list[str | None] = field(default_factory=list)
    accepts: Callable[[str | None], bool] = lambda token: True
    fail: Callable[[Any], bool] = lambda handler: False
    lock: threading.Lock = field(default_factory=threading.Lock)
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1000))

    def bucket(self, name: str) -> str:
        self.buckets[name] = {}
        return f"gs://{name}"

    @property
    def options(self) -> dict[str, Any]:
        return {"endpoint_url": self.address, "token": "anon"}

    def put(self, bucket: str, key: str, value: bytes, metadata: dict[str, str], generation: str | None) -> int:
        """Set an object if it has a generation ("0": if it is absent); return the status."""
        with self.lock:
            found = self.buckets[bucket].get(key)
            if generation is not None and int(generation) != (found.generation if found else 0):
                return 412
            self.buckets[bucket][key] = Stored(value, next(self.numbers), metadata)
            return 200


class Handler(BaseHTTPRequestHandler):
    """Answers one connection."""

    google: Google
    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 16
    disable_nagle_algorithm = True

    def log_message(self, *args: object) -> None:
        pass

    def answer(self, status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def serve(self) -> None:
        self.body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        parts = urlsplit(self.path)
        self.query = {name: values[0] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
        google, token = self.google, self.headers.get("Authorization")
        google.asked.append(f"{self.command} {self.path}")
        google.tokens.append(token)
        if google.fail(self):
            return
        if not google.accepts(token):
            self.answer(401, b"<Error><Code>AuthenticationRequired</Code></Error>")
            return
        steps = [unquote(step) for step in parts.path.split("/")[1:]]
        if "v1" in steps[:3]:
            self.json([unquote(step) for step in parts.path.partition("/v1/b/")[2].split("/")], steps[0])
        else:
            self.xml(steps[0], "/".join(steps[1:]))

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = serve  # noqa: N815  # the names that the server looks for

    # --- XML, as obstore asks ----------------------------------------------------------------------------------------

    def xml(self, bucket: str, key: str) -> None:
        objects = self.google.buckets.get(bucket)
        if objects is None:
            self.answer(404, NO_BUCKET)
        elif self.command in ("GET", "HEAD"):
            self.send(objects.get(key))
        elif self.command == "PUT" and "uploadId" in self.query:
            self.google.uploads[self.query["uploadId"]][int(self.query["partNumber"])] = self.body
            self.answer(200, headers={"ETag": f'"{len(self.body)}"'})
        elif self.command == "PUT":
            metadata = {name[12:].lower(): v for name, v in self.headers.items() if name.lower()[:12] == "x-goog-meta-"}
            status = self.google.put(bucket, key, self.body, metadata, self.headers.get("x-goog-if-generation-match"))
            self.answer(status, headers=_tags(objects[key]) if status == 200 else None)
        else:
            self.upload(bucket, key)

    def send(self, found: Stored | None) -> None:
        """Answer with an object or a range of it."""
        if found is None:
            self.answer(404, NO_KEY)
            return
        match = re.fullmatch(r"bytes=(\d*)-(\d*)", self.headers.get("Range", ""))
        metadata = {f"x-goog-meta-{name}": value for name, value in found.metadata.items()}
        headers, value = {**_tags(found), **metadata}, found.value
        if match is None:
            self.answer(200, value, headers)
            return
        size = len(value)
        first = int(match[1]) if match[1] else max(0, size - int(match[2]))
        last = min(int(match[2]), size - 1) if match[1] and match[2] else size - 1
        if first >= size:
            self.answer(416)
            return
        self.answer(206, value[first : last + 1], {**headers, "Content-Range": f"bytes {first}-{last}/{size}"})

    def upload(self, bucket: str, key: str) -> None:
        """Begin or end an upload in parts."""
        if "uploads" in self.query:
            name = str(next(self.google.numbers))
            self.google.uploads[name] = {}
            upload = f"<InitiateMultipartUploadResult><UploadId>{name}</UploadId></InitiateMultipartUploadResult>"
            self.answer(200, upload.encode())
            return
        parts = self.google.uploads.pop(self.query["uploadId"])
        self.google.put(bucket, key, b"".join(parts[number] for number in sorted(parts)), {}, None)
        tag = self.google.buckets[bucket][key].etag
        done = f"<CompleteMultipartUploadResult><ETag>{tag}</ETag></CompleteMultipartUploadResult>"
        self.answer(200, done.encode(), _tags(self.google.buckets[bucket][key]))

    # --- JSON, as gcsfs asks -----------------------------------------------------------------------------------------

    def json(self, steps: list[str], kind: str) -> None:
        bucket, key = steps[0], steps[2] if len(steps) > 2 else ""
        objects = self.google.buckets.get(bucket)
        if kind == "batch":
            self.delete_together()
        elif objects is None:
            self.say({"error": {"code": 404, "message": "The specified bucket does not exist."}}, 404)
        elif kind == "upload":
            self.take(bucket)
        elif "rewriteTo" in steps:
            source, (into, _, target) = objects[key], steps[-3:]
            self.google.put(into, target, source.value, source.metadata, None)
            self.say({"done": True})
        elif not key:
            self.list(bucket) if len(steps) > 1 else self.say({"name": bucket})
        elif key not in objects:
            self.say({"error": {"code": 404, "message": "No such object"}}, 404)
        elif self.command == "DELETE":
            del objects[key]
            self.answer(204)
        elif kind == "download" or self.query.get("alt") == "media":
            self.send(objects[key])
        else:
            self.say(_described(bucket, key, objects[key]))

    def say(self, value: Any, status: int = 200) -> None:
        self.answer(status, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def take(self, bucket: str) -> None:
        """Set an object that comes in two parts: its description, and its value."""
        boundary = re.search(r'boundary="?([^";]+)', self.headers["Content-Type"])
        assert boundary
        _, description, value, _ = self.body.split(b"--" + boundary[1].encode())
        key = json.loads(description.split(b"\n\n", 1)[1])["name"]
        status = self.google.put(
            bucket, key, value.split(b"\n\n", 1)[1].removesuffix(b"\n"), {}, self.query.get("ifGenerationMatch")
        )
        self.say(_described(bucket, key, self.google.buckets[bucket][key]), status)

    def list(self, bucket: str) -> None:
        prefix, delimiter = self.query.get("prefix", ""), self.query.get("delimiter")
        items, prefixes = [], set()
        for key, stored in sorted(self.google.buckets[bucket].items()):
            rest = key.removeprefix(prefix)
            if not key.startswith(prefix):
                continue
            if delimiter and delimiter in rest:
                prefixes.add(prefix + rest.partition(delimiter)[0] + delimiter)
            else:
                items.append(_described(bucket, key, stored))
        self.say({"items": items, "prefixes": sorted(prefixes)})

    def delete_together(self) -> None:
        """Delete all objects of a batch."""
        found = re.findall(rb"DELETE /storage/v1/b/([^/]+)/o/(\S+) HTTP", self.body)
        replies = []
        for bucket, key in found:
            gone = self.google.buckets[unquote(bucket.decode())].pop(unquote(key.decode()), None)
            replies.append(f"--b\r\nContent-Type: application/http\r\n\r\nHTTP/1.1 {204 if gone else 404} Done\r\n\r\n")
        self.answer(200, "".join([*replies, "--b--"]).encode(), {"Content-Type": "multipart/mixed; boundary=b"})


def _tags(stored: Stored) -> dict[str, str]:
    return {
        "ETag": stored.etag,
        "Last-Modified": "Tue, 01 Dec 2026 00:00:00 GMT",
        "x-goog-generation": str(stored.generation),
    }


def _described(bucket: str, key: str, stored: Stored) -> dict[str, str]:
    return {
        "kind": "storage#object",
        "name": key,
        "bucket": bucket,
        "size": str(len(stored.value)),
        "generation": str(stored.generation),
        "etag": stored.etag,
        "md5Hash": base64.b64encode(hashlib.md5(stored.value).digest()).decode(),
        "updated": "2026-12-01T00:00:00.000Z",
    }


@contextmanager
def google_server() -> Iterator[Google]:
    """An emulator that ends with the block."""
    google = Google()
    server = Server(("127.0.0.1", 0), type("Handler", (Handler,), {"google": google}))
    google.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.005,))
    thread.start()
    try:
        yield google
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
