"""An S3 service on this machine that is as slow as a distant one: time to the first byte, and a link with a limit.

    python benchmarks/far_s3.py --port 9123 [--milliseconds 30] [--megabytes 100]

It knows just what stores need: GET (with ranges), PUT, HEAD and DELETE of objects, and listings. Signatures are not
checked, and objects live in memory. Each request is answered after the given time; bodies in both directions share one
link of so many megabytes per second. GET /-/counts returns what was asked since the last time, as JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
from collections import Counter
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

PIECE = 2**17
SLACK = 0.05
"""Seconds of the link that are not lost if this process gets its turn late."""


class Link:
    """A line that moves so many bytes per second; those who wait take turns, a piece each."""

    def __init__(self, bytes_per_second: float) -> None:
        self.speed, self.free = bytes_per_second, 0.0

    async def move(self, nbytes: int) -> None:
        """Wait until so many bytes have gone through."""
        loop = asyncio.get_running_loop()
        self.free = max(self.free, loop.time() - SLACK) + nbytes / self.speed
        await asyncio.sleep(max(0.0, self.free - loop.time()))


class Service:
    """Objects by bucket and key."""

    def __init__(self, seconds: float, link: Link) -> None:
        self.seconds, self.link = seconds, link
        self.objects: dict[str, bytes] = {}
        self.asked: Counter[str] = Counter()
        self.running = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection."""
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                await self.answer(head.decode("latin-1"), reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def answer(self, head: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request."""
        first, *lines = head.split("\r\n")
        method, target, _ = first.split(" ")
        headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines) if v}
        url = urlsplit(target)
        if url.path == "/-/counts":
            self.send(writer, 200, json.dumps(self.asked).encode())
            self.asked.clear()
            return
        self.running += 1
        self.asked[method] += 1
        self.asked["most at a time"] = max(self.asked["most at a time"], self.running)
        due = asyncio.get_running_loop().time() + self.seconds
        try:
            size = int(headers.get("content-length", 0))
            if headers.get("expect") == "100-continue":
                writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            body = bytearray()
            while len(body) < size:
                piece = await reader.readexactly(min(PIECE, size - len(body)))
                await self.link.move(len(piece))
                body += piece
            self.asked["bytes in"] += size
            await asyncio.sleep(due - asyncio.get_running_loop().time())
            await self.reply(method, unquote(url.path)[1:], parse_qs(url.query), headers, bytes(body), writer)
        finally:
            self.running -= 1

    async def reply(
        self, method: str, path: str, query: dict[str, Any], headers: dict[str, str], body: bytes, writer: Any
    ) -> None:
        """Do what a request asks for, and send the answer."""
        if method == "PUT" and path.count("/"):
            self.objects[path] = decoded(body) if "aws-chunked" in headers.get("content-encoding", "") else body
            self.send(writer, 200, b"", etag(body))
        elif method == "DELETE":
            self.objects.pop(path, None)
            self.send(writer, 204, b"")
        elif method == "GET" and "list-type" in query:
            self.send(writer, 200, self.listing(path.strip("/"), query))
        elif path in self.objects and method in ("GET", "HEAD"):
            await self.send_object(writer, self.objects[path], headers.get("range"), with_body=method == "GET")
        elif not path.strip("/").count("/") and method != "GET":
            self.send(writer, 200, b"")
        else:
            text = b"<Error><Code>NoSuchKey</Code><Message>The specified key does not exist.</Message></Error>"
            self.send(writer, 404, text if method == "GET" else b"")

    async def send_object(self, writer: Any, value: bytes, wanted: str | None, *, with_body: bool) -> None:
        """Send an object, or a range of it, through the link."""
        extra, status, whole = etag(value), 200, len(value)
        if wanted:
            start, _, stop = wanted.removeprefix("bytes=").partition("-")
            first = int(start) if start else max(0, whole - int(stop))
            last = min(whole, int(stop) + 1) if start and stop else whole
            value, status = value[first:last], 206
            extra += f"Content-Range: bytes {first}-{last - 1}/{whole}\r\n"
        self.send(writer, status, None, f"{extra}Content-Length: {len(value)}\r\n")
        for at in range(0, len(value) if with_body else 0, PIECE):
            piece = value[at : at + PIECE]
            await self.link.move(len(piece))
            writer.write(piece)
            await writer.drain()
        self.asked["bytes out"] += len(value) if with_body else 0

    def send(self, writer: Any, status: int, body: bytes | None, extra: str = "") -> None:
        """Send the head of an answer, and a small body."""
        length = "" if body is None else f"Content-Length: {len(body)}\r\n"
        modified = "Last-Modified: Tue, 01 Dec 2026 00:00:00 GMT\r\n"
        writer.write(f"HTTP/1.1 {status} x\r\n{modified}{extra}{length}\r\n".encode() + (body or b""))

    def listing(self, bucket: str, query: dict[str, Any]) -> bytes:
        """Return the answer to a listing, in one page."""
        prefix, delimiter = query.get("prefix", [""])[0], query.get("delimiter", [""])[0]
        names = sorted(key[len(bucket) + 1 :] for key in self.objects if key.startswith(f"{bucket}/{prefix}"))
        deep = [n for n in names if not delimiter or delimiter not in n[len(prefix) :]]
        levels = sorted({n[: n.index(delimiter, len(prefix)) + 1] for n in names if n not in deep})
        found = "".join(
            f"<Contents><Key>{escape(n)}</Key><Size>{len(self.objects[f'{bucket}/{n}'])}</Size>"
            f"<LastModified>2026-12-01T00:00:00.000Z</LastModified><ETag>x</ETag></Contents>"
            for n in deep
        )
        found += "".join(f"<CommonPrefixes><Prefix>{escape(n)}</Prefix></CommonPrefixes>" for n in levels)
        head = f"<Name>{bucket}</Name><KeyCount>{len(deep)}</KeyCount><IsTruncated>false</IsTruncated>"
        return f"<ListBucketResult>{head}{found}</ListBucketResult>".encode()


def etag(value: bytes) -> str:
    """Return the header with the tag of an object; of its first bytes, as hashing must not be what is measured."""
    return f'ETag: "{hashlib.blake2b(value[:4096], digest_size=16).hexdigest()}"\r\n'


def decoded(body: bytes) -> bytes:
    """Return the value of a body that was sent in signed pieces."""
    value, at = bytearray(), 0
    while True:
        end = body.index(b"\r\n", at)
        size = int(body[at:end].partition(b";")[0], 16)
        if not size:
            return bytes(value)
        value += body[end + 2 : end + 2 + size]
        at = end + 4 + size


async def run(port: int, milliseconds: float, megabytes: float) -> None:
    """Serve until the process is ended."""
    service = Service(milliseconds / 1000, Link(megabytes * 1e6))
    server = await asyncio.start_server(service.serve, "127.0.0.1", port, limit=2**20, backlog=1024)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--milliseconds", type=float, default=30)
    parser.add_argument("--megabytes", type=float, default=100, help="megabytes per second of the link")
    args = parser.parse_args()
    asyncio.run(run(args.port, args.milliseconds, args.megabytes))
