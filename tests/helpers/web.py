"""A web server on this machine that misbehaves, and a model for it to serve."""

import hashlib
import random
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread

from dtst_flow.models.registry import Model
from helpers.dataset import environment

CONTENT = random.Random(0).randbytes(300_000)
OTHER = random.Random(1).randbytes(300_000)
CUT = 150_000
"""Bytes after which the addresses /cut and /stall stop."""

TINY = Model(
    name="tiny",
    purpose="a model for tests",
    file="tiny.bin",
    sha256=hashlib.sha256(CONTENT).hexdigest(),
    size=len(CONTENT),
    licence="none",
)


@dataclass
class Site:
    """A web server on this machine whose addresses misbehave as their names say.

    asked     (name, first byte asked for) of every request, in order
    sent      bytes of content sent in all
    go_on     lets the address /stall go on
    leads     name -> where it redirects to
    """

    root: str
    asked: list[tuple[str, int]] = field(default_factory=list)
    sent: int = 0
    go_on: Event = field(default_factory=Event)
    leads: dict[str, str] = field(default_factory=dict)

    def url(self, name: str) -> str:
        return f"{self.root}/{name}"


class Handler(BaseHTTPRequestHandler):
    site: Site

    def do_GET(self):
        name = self.path.strip("/")
        asked = self.headers.get("Range", "bytes=0-")
        start = int(asked.removeprefix("bytes=").removesuffix("-"))
        self.site.asked.append((name, start))
        if name.isdecimal():
            self.send_error(int(name))
        elif name == "plain":
            self.reply(CONTENT, 0)
        elif name == "other":
            self.reply(OTHER, start)
        elif name == "other-cut" and start == 0:
            self.reply(OTHER, 0, OTHER[:CUT])
        elif name == "other-cut":
            self.send_error(404)
        elif name == "page":
            self.reply(b"<html>please log in</html>", 0)
        elif name == "endless":
            self.reply(CONTENT, 0, CONTENT * 300, length=False)
        elif name == "empty":
            self.reply(CONTENT, start, b"", length=False)
        elif name == "cut":
            self.reply(CONTENT, start, CONTENT[start : start + CUT])
        elif name == "stall":
            self.reply(CONTENT, start, CONTENT[start : start + CUT])
            self.site.go_on.wait(30)
        elif name == "odd-length":
            self.send_response(200)
            self.send_header("Content-Length", "many")
            self.end_headers()
        elif name == "odd-reason":
            self.send_response(404, "Not \x1b[2J Found")
            self.end_headers()
        elif name == "more":
            self.reply(CONTENT, start, CONTENT[start:] + OTHER)
        elif name in self.site.leads:
            self.send_response(302)
            self.send_header("Location", self.site.leads[name])
            self.end_headers()
        elif name == "slow":
            self.reply(CONTENT, start, pause=0.02)
        else:
            self.reply(CONTENT, start)

    def reply(self, whole, start, body=None, length=True, pause=0.0):
        self.send_response(206 if start else 200)
        if length:
            self.send_header("Content-Length", str(len(whole) - start))
        self.end_headers()
        body = whole[start:] if body is None else body
        for i in range(0, len(body), 10_000):
            # Counted first: the client may be done before this thread goes on.
            self.site.sent += len(body[i : i + 10_000])
            try:
                self.wfile.write(body[i : i + 10_000])
            except ConnectionError:
                return
            time.sleep(pause)

    def log_message(self, *_):
        pass


@contextmanager
def serve(certificate: Path | None = None) -> Iterator[Site]:
    """Serve for as long as the block lasts, by https with a file of key and certificate."""
    handler = type("SiteHandler", (Handler,), {})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        scheme = "https" if certificate else "http"
        handler.site = Site(f"{scheme}://127.0.0.1:{server.server_port}")
        Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
        yield handler.site
        handler.site.go_on.set()
        server.shutdown()


def start_process(site: Site, name: str) -> subprocess.Popen:
    """Fetch `tiny` in a process of its own."""
    code = (
        "from dtst_flow.models.download import fetch;"
        "from dtst_flow.models.registry import MODELS, Model;"
        f"MODELS['tiny'] = {TINY!r};"
        f"fetch('tiny', ['{site.url(name)}'])"
    )
    return subprocess.Popen([sys.executable, "-c", code], env=environment())


def wait_for(condition) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)
