"""The command as its user starts it; what the server answers is tested in unit/review."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from socket import socket
from urllib.parse import urlsplit

import pytest
from click.testing import CliRunner

import dtst_flow.review as package
from dtst_flow.cli import main
from helpers import clustered
from helpers.dataset import environment

START = "from dtst_flow.cli.start import start; start()"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return clustered.write(tmp_path_factory.mktemp("review") / "crowd")


def call(*words: str):
    return CliRunner().invoke(main.main, ["review", *map(str, words)])


@contextmanager
def start(folder, *words: str) -> Iterator[subprocess.Popen]:
    """A server, ended at the end; nohup, under which tests may run, is not for it."""
    words = ("review", "-d", str(folder), "--no-browser", *words)
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    server = subprocess.Popen(
        [sys.executable, "-P", "-c", START, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
        text=True,
    )
    signal.signal(signal.SIGHUP, before)
    with server:
        try:
            yield server
        finally:
            server.kill()


def ask(address: str, path: str = "", method: str = "GET", **headers: str):
    """The status and the headers of an answer; a host or a cookie may be another."""
    parts = urlsplit(address)
    path = path or f"{parts.path}?{parts.query}"
    with closing(HTTPConnection(parts.hostname, parts.port, timeout=10)) as connection:
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        answer.read()
        return answer.status, answer.headers


def test_a_server_answers_its_user_only_and_loses_nothing_when_killed(folder):
    with start(folder, "--json") as server:
        address = json.loads(server.stdout.readline())["address"]
        assert address.startswith("http://127.0.0.1:")
        host = urlsplit(address).netloc
        status, headers = ask(address)
        assert status == 303
        cookie = headers["set-cookie"].partition(";")[0]
        assert ask(address, "/api/state", cookie=cookie)[0] == 200
        assert ask(address, "/api/state")[0] == 403
        assert ask(address, "/?token=guess")[0] == 403
        assert ask(address, "/api/state", cookie=cookie, host="evil.example")[0] == 403
        origin = {"origin": "http://evil.example", "content-type": "application/json"}
        for post in ("/api/act", "/api/apply"):
            assert ask(address, post, "POST", cookie=cookie, **origin)[0] == 403
        with start(folder, "--port", host.rpartition(":")[2]) as taken:
            assert taken.wait(30) == 1
            assert "choose another --port" in taken.stderr.read()
        with start(folder) as second:
            assert second.wait(30) == 1
            assert "is reviewed already" in second.stderr.read()
        server.kill()
    # What was killed is in nobody's way; and an open page is in the way of no end.
    for number, code in (
        (signal.SIGINT, 0),
        (signal.SIGHUP, 129),
        (signal.SIGTERM, 143),
    ):
        with start(folder) as server:
            address = server.stdout.readline().strip()
            cookie = ask(address)[1]["set-cookie"].partition(";")[0]
            page = HTTPConnection(urlsplit(address).netloc, timeout=10)
            page.request("GET", "/api/events", headers={"cookie": cookie})
            page.getresponse().readline()
            server.send_signal(number)
            assert server.wait(20) == code
            told = server.stderr.read()
            page.close()
        assert "Traceback" not in told and "Ctrl-C" in told


def test_without_clusters_it_says_what_makes_them(tmp_path):
    result = call("-d", tmp_path, "--no-browser")
    assert result.exit_code == 1
    assert "no clusters are in 'cluster' yet" in result.output
    assert not list(tmp_path.iterdir())


def test_without_the_extra_it_says_how_to_get_it(folder, monkeypatch):
    monkeypatch.delitem(sys.modules, "dtst_flow.review.server", raising=False)
    monkeypatch.delattr(package, "server", raising=False)
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    result = call("-d", folder, "--no-browser")
    assert result.exit_code == 1
    assert "needs uvicorn" in result.output
    assert "pip install starlette uvicorn" in result.output


@pytest.mark.parametrize("bucket", ["../elsewhere", "/tmp", ".dtst", "linked"])
def test_a_bucket_elsewhere_is_refused(folder, bucket):
    link = folder / "linked"
    if not link.is_symlink():
        link.symlink_to("/")
    result = call("-d", folder, "--no-browser", "--to", bucket)
    assert result.exit_code == 2 and bucket in result.output


def test_a_folder_that_is_not_there_and_a_port_that_is_taken(folder, tmp_path):
    assert call("-d", tmp_path / "none").exit_code == 2
    with socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        result = call("-d", folder, "--port", taken.getsockname()[1])
    assert result.exit_code == 1 and "--port" in result.output
