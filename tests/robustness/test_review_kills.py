"""A kill of the review's server, whenever it comes, loses no decision and no line."""

import itertools
import json
import os
import random
import subprocess
import sys
import threading
from contextlib import chdir, suppress
from http.client import HTTPConnection, HTTPException
from urllib.parse import urlsplit

from dtst_flow.cluster import label_file
from dtst_flow.review.session import Session
from helpers import clustered
from helpers.dataset import environment

START = "from dtst_flow.cli.start import start; start()"
KILLS = 4
MINE = "# mine\nrelation;image;other\nname;images/000.jpg;Zoe\n"


class Hand:
    """A page that decides as fast as it is answered, and notes what it was told."""

    def __init__(self, address: str) -> None:
        self.parts = urlsplit(address)
        self.told: list[tuple[str, ...]] = []
        headers = self._ask("GET", f"/?{self.parts.query}").headers
        self.cookie = headers["set-cookie"].partition(";")[0]
        self.digest = json.loads(self._ask("GET", "/api/state").read())["clustering"]

    def _ask(self, method: str, path: str, sent: object = None):
        connection = HTTPConnection(self.parts.netloc, timeout=10)
        headers = {"origin": f"http://{self.parts.netloc}"}
        headers |= {"content-type": "application/json"}
        headers |= {"cookie": self.cookie} if hasattr(self, "cookie") else {}
        body = None if sent is None else json.dumps(sent)
        connection.request(method, path, body, headers)
        return connection.getresponse()

    def work(self, numbers: itertools.count) -> None:
        """Reject one image after the other, until nobody answers or none is left."""
        with suppress(OSError, HTTPException, ValueError):
            for n in numbers:
                sent = {"action": "reject", "images": [n], "clustering": self.digest}
                answer = json.loads(self._ask("POST", "/api/act", sent).read())
                if "lines" not in answer:
                    break
                self.told += map(tuple, answer["lines"])


def test_a_kill_loses_nothing_that_was_told(tmp_path):
    folder = clustered.write(tmp_path / "crowd")
    labels = folder / "cluster/labels.csv"
    labels.write_text(MINE)
    drawn, numbers, told = random.Random(1), itertools.count(), []
    words = ["review", "-d", str(folder), "--no-browser"]
    for _ in range(KILLS):
        server = subprocess.Popen(
            [sys.executable, "-P", "-c", START, *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment(),
            text=True,
        )
        hand = Hand(server.stdout.readline().strip())
        timer = threading.Timer(drawn.uniform(0.02, 0.3), server.kill)
        timer.start()
        hand.work(numbers)
        server.wait()
        told += hand.told
    found, faults = label_file.read(labels)
    written = {label.cells for label in found}
    assert faults == [] and set(told) <= written and told
    with chdir(folder):
        session = Session("cluster", [])
        while session.journal.undos:
            session.undo(again=False)
    assert os.fsdecode(labels.read_bytes()) == MINE
