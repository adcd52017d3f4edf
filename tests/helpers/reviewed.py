"""A review at work: its server, and the pages that a browser shows of it."""

import csv
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import Browser, Locator, Page, expect

from helpers.browser import PATIENCE, Watch
from helpers.dataset import environment

MAIN = "from dtst_flow.cli.main import main; main(prog_name='dtst')"


class Review:
    """The server of one dataset's review."""

    def __init__(self, folder: Path, port: int = 0):
        self.folder = folder
        self.labels = folder / "cluster/labels.csv"
        words = ["review", "-d", str(folder), "--no-browser", "--port", str(port)]
        self._process = subprocess.Popen(
            [sys.executable, "-c", MAIN, *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=environment(),
        )
        self.address = self._process.stdout.readline().strip()
        assert self.address, "the server did not start"
        self.root = self.address.partition("?")[0]
        self.port = int(self.root.rstrip("/").rpartition(":")[2])

    def kill(self) -> None:
        """End it as a power cut would."""
        self._process.kill()
        self._process.wait()

    def lines(self) -> list[tuple[str, ...]]:
        """The lines of labels.csv: relation, image, other."""
        if not self.labels.exists():
            return []
        with self.labels.open(newline="", errors="surrogateescape") as file:
            return [tuple(row) for row in csv.reader(file)][1:]

    def relations(self) -> list[str]:
        """The relations of these lines."""
        return [line[0] for line in self.lines()]


class Sheet:
    """A page of a review in a tab of its own, and what a user does there."""

    def __init__(self, review: Review, browser: Browser, **options):
        self.review = review
        context = browser.new_context(**options)
        self.page: Page = context.new_page()
        self.watch = Watch(self.page)
        self.page.goto(review.address)
        self.go("clusters")

    def go(self, view: str) -> None:
        """Show a view."""
        self.page.goto(f"{self.review.root}#/{view}")
        self.page.wait_for_selector("nav a[aria-current]")

    def close(self) -> None:
        self.page.context.close()

    def press(self, *keys: str) -> None:
        """Press keys; text of several letters is typed, as into a field."""
        for key in keys:
            self.page.keyboard.press(key)

    @property
    def tiles(self) -> Locator:
        return self.page.locator("main [role=option]")

    def wait_for(self, text: str) -> None:
        """Wait until what was done is told at the foot."""
        expect(self.page.locator(".toasts").last).to_contain_text(
            text, timeout=PATIENCE
        )
