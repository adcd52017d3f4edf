"""How many clicks and keys it takes on the page of a review until all people are right.

    python tests/benchmarks/review_session.py DATASET [--bucket cluster]

DATASET was made by ``dtst run faces --from 'images/**' --max-faces 1`` of photos in folders
named after who is in them; a copy of it is worked on. A user who knows everybody merges
the clusters of one person, moves out who is not of a cluster, makes clusters of who is
several times in noise, and applies that, until nothing is left to do. Scrolling is not
counted, each letter typed is.
"""

import argparse
import itertools
import shutil
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from playwright.sync_api import Page, expect

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "scripts"), str(ROOT / "tests")]

from dtst_flow.cluster.metrics import bcubed  # noqa: E402
from dtst_flow.dataset import sidecars  # noqa: E402
from helpers.browser import chromium  # noqa: E402
from helpers.reviewed import Review, Sheet  # noqa: E402

ROUNDS = 5
"""Times that decisions are applied, at most."""

PATIENCE = 180_000
"""Milliseconds that a run may take."""

END = "scrollY + innerHeight >= document.documentElement.scrollHeight - 1 || !scrollY"
"""Whether the page is scrolled to an end."""

SEVERAL = 2
"""Images of a person in noise that make a cluster."""


class User:
    """Somebody who knows everybody, at a page."""

    def __init__(self, review: Review, page: Page, known: dict[str, str]):
        self.review = review
        self.page = page
        self.known = known
        self.counts: Counter[str] = Counter()
        self.seen: dict[int, str] = {}

    def get(self, path: str) -> Any:
        """What the server tells the page."""
        return self.page.request.get(f"{self.review.root}api/{path}").json()

    def press(self, keys: str) -> None:
        """Press a key."""
        self.counts["keys"] += 1
        self.page.keyboard.press(keys)

    def type(self, text: str) -> None:
        """Type letters."""
        self.counts["letters"] += len(text)
        self.page.keyboard.type(text)

    def click(self, n: int, part: str = "") -> None:
        """Click on the tile of an image, wherever in the list it is."""
        tile = self.page.locator(".tile", has=self.page.locator(f"img[src*='/{n}?']"))
        step = 500
        while not tile.count():
            self.page.mouse.wheel(0, step)
            self.page.wait_for_timeout(50)
            if self.page.evaluate(END):
                step = -20_000 if step > 0 else 500
        self.counts["clicks"] += 1
        (tile.first.locator(part) if part else tile.first).click()

    @contextmanager
    def written(self) -> Iterator[None]:
        """Wait until what is done is written."""
        before = self.get("state")["edits"]
        yield
        while self.get("state")["edits"] == before:
            self.page.wait_for_timeout(20)
        self.counts["decisions"] += 1

    def person(self, n: int) -> str:
        """Who is on an image."""
        if n not in self.seen:
            self.seen[n] = self.known[self.get(f"image/{n}")["path"]]
        return self.seen[n]

    def members(self, cluster: str) -> list[dict[str, Any]]:
        return self.get(f"clusters/{cluster}?limit=2000")["members"]


def whose(user: User) -> dict[str, list[dict[str, Any]]]:
    """Person -> the clusters that are mostly theirs."""
    found = defaultdict(list)
    for cluster in user.get("clusters?limit=2000")["clusters"]:
        people = Counter(user.person(m["n"]) for m in user.members(cluster["id"]))
        found[people.most_common(1)[0][0]].append(cluster)
    return found


def merge(user: User) -> None:
    """Merge the clusters of one person."""
    user.press("1")
    for clusters in whose(user).values():
        if len(clusters) > 1:
            with user.written():
                for cluster in clusters:
                    user.click(cluster["medoid"], ".check")
                user.press("m")


def sort_out(user: User, home: dict[str, dict[str, Any]]) -> None:
    """Move who is not of a cluster to where they belong."""
    for person, cluster in home.items():
        others = defaultdict(list)
        for member in user.members(cluster["id"]):
            if (other := user.person(member["n"])) != person:
                others[other].append(member["n"])
        if not others:
            continue
        user.press("1")
        user.click(cluster["medoid"])
        expect(user.page.locator(".beside .tile").first).to_be_focused()
        for other, images in others.items():
            with user.written():
                for n in images:
                    user.click(n)
                move(user, home.get(other), len(images))


def move(user: User, to: dict[str, Any] | None, count: int) -> None:
    """Move what is selected to a cluster, or to one of its own, or just out."""
    if to is None and count < SEVERAL:
        user.press("o")
        return
    user.press("m" if to else "n")
    user.page.wait_for_selector("dialog input")
    if to:
        user.type(to["folder"])
        first = user.page.locator("dialog li").first
        expect(first).to_contain_text(to["folder"])
    user.press("Enter")


def take_in(user: User, home: dict[str, dict[str, Any]]) -> None:
    """Move out of noise who has a cluster, or is there several times."""
    user.press("3")
    user.page.locator("section[aria-label=Noise] .tile").first.wait_for()
    told = user.get("noise?limit=2000")
    found = defaultdict(list)
    for image in itertools.chain(told["rest"], *told["groups"]):
        if not image["decided"]:
            found[user.person(image["n"])].append(image["n"])
    for person, images in found.items():
        if person not in home and len(images) < SEVERAL:
            continue
        with user.written():
            for n in images:
                user.click(n)
            move(user, home.get(person), len(images))


def apply(user: User) -> None:
    """Cluster anew."""
    before = user.get("state")["clustering"]
    user.press("4")
    user.press("Enter")
    expect(user.page.locator(".run")).to_contain_text("Done", timeout=PATIENCE)
    while user.get("state")["clustering"] == before:
        user.page.wait_for_timeout(100)
    user.seen.clear()


def told(user: User) -> tuple[int, float]:
    """Images that are not where they belong, and BCubed F."""
    found: list[Any] = []
    people: list[str] = []
    for cluster in user.get("clusters?limit=2000")["clusters"]:
        for member in user.members(cluster["id"]):
            found.append(cluster["id"])
            people.append(user.person(member["n"]))
    noise = user.get("noise?limit=2000")
    for image in itertools.chain(noise["rest"], *noise["groups"]):
        found.append(None)
        people.append(user.person(image["n"]))
    often = Counter(people)
    clusters = defaultdict(Counter)
    for cluster, person in zip(found, people, strict=True):
        clusters[person][cluster] += 1
    right = sum(
        max(c for g, c in groups.items() if g is not None)
        if set(groups) - {None}
        else 0
        for person, groups in clusters.items()
        if often[person] > 1
    )
    alone = sum(
        g is not None
        for person, groups in clusters.items()
        if often[person] == 1
        for g in groups
    )
    wrong = sum(n for n in often.values() if n > 1) - right + alone
    return wrong, bcubed(found, people)[2]


def session(review: Review, sheet: Sheet, known: dict[str, str]) -> None:
    """Work until all is right, and tell how much work that was."""
    user = User(review, sheet.page, known)
    for _ in range(ROUNDS):
        wrong, f = told(user)
        print(
            f"{wrong} images are not with their people, F {f:.4f}; {dict(user.counts)}"
        )
        before = user.counts["decisions"]
        merge(user)
        home = {
            person: max(clusters, key=lambda c: c["size"])
            for person, clusters in whose(user).items()
        }
        sort_out(user, home)
        take_in(user, home)
        if user.counts["decisions"] == before:
            break
        apply(user)
    assert not sheet.watch.trouble, sheet.watch.trouble


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dataset", type=Path)
    options = parser.parse_args()
    with TemporaryDirectory() as place, chromium() as browser:
        folder = Path(place) / options.dataset.name
        shutil.copytree(options.dataset, folder, symlinks=True)
        crops = [p for p in (folder / "faces").iterdir() if p.suffix == ".jpg"]
        known = {
            f"faces/{crop.name}": Path(
                sidecars.read(crop)["provenance"]["image"]
            ).parent.name
            for crop in crops
        }
        review = Review(folder)
        try:
            session(
                review,
                Sheet(review, browser, viewport={"width": 1280, "height": 800}),
                known,
            )
        finally:
            review.kill()


if __name__ == "__main__":
    main()
