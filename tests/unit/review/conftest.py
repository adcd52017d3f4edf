"""A review of a clustering as a run leaves it, asked without a socket."""

import csv
import sys
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep

import pytest
from starlette.testclient import TestClient

from dtst_flow.review.app import application
from dtst_flow.review.session import Session
from helpers import clustered

PORT = 8123
HOME = f"http://127.0.0.1:{PORT}"
TOKEN = "secret"

SLEEPS = [sys.executable, "-c", "import time; time.sleep(60)"]
"""A command in place of dtst that never ends by itself."""


@dataclass
class Asked:
    """A client with the cookie, and what it asks of."""

    client: TestClient
    session: Session
    labels: Path

    def get(self, path: str) -> dict:
        answer = self.client.get(path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, path: str, **sent):
        return self.client.post(path, json=sent, headers={"origin": HOME})

    def act(self, action: str, **about) -> dict:
        answer = self.try_to(action, **about)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def try_to(self, action: str, **about):
        sent = {"clustering": self.session.view.clustering.digest, **about}
        return self.post("/api/act", action=action, **sent)

    def lines(self) -> list[tuple[str, ...]]:
        with self.labels.open(newline="", errors="surrogateescape") as file:
            return [tuple(row) for row in csv.reader(file)][1:]

    def wait_for_facts(self) -> None:
        end = monotonic() + 10
        while self.session.view.facts is None and not self.session.view.fault:
            assert monotonic() < end
            sleep(0.01)

    def path(self, n: int) -> str:
        return self.session.view.clustering.paths[n]


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    folder = clustered.write(tmp_path / "crowd")
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def asked(folder):
    session = Session("cluster", SLEEPS)
    with TestClient(application(session, TOKEN, PORT), base_url=HOME) as client:
        assert client.get(f"/?token={TOKEN}").status_code == 200
        asked = Asked(client, session, folder / "cluster/labels.csv")
        asked.wait_for_facts()
        yield asked
