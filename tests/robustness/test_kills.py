"""Runs killed at any moment: the next run ends as if nothing had been.

Each chain kills one run after the other, in another way each time, with edits of the
sources in between; then one run goes to its end, without any help. What it leaves is
compared byte for byte with a run from nothing, and all that is the user's with what it was.
"""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import defaultdict
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from PIL import Image, ImageOps

from dtst_flow.cli import child
from helpers.colour_detector import photo as coloured
from helpers.dataset import Dataset, copy_photos, environment

MARK = "DTST_TEST_RUN"
"""Environment variable by which the processes of a run are found, orphans among them."""

GONE_WITHIN = 15
"""Seconds until all processes of a killed run must be gone; it takes about one, but for
machines that are busy."""

SHARDS = ("--", "--config", "shard_size=6")
"""Several jobs a stage."""

pytestmark = pytest.mark.skipif(not child.FORKS, reason="where jobs are forks")

RATING = {"rating": 5}
"""What the user notes in sidecars of files that dtst made."""


def pytest_generate_tests(metafunc):
    if "seed" in metafunc.fixturenames:
        chains = 10 if metafunc.config.getoption("--long") else 2
        metafunc.parametrize("seed", range(chains))


class Run:
    """A run of the wrapper in a session of its own."""

    def __init__(self, dataset: Dataset, words: list[str]):
        main = "from dtst_flow.cli.main import main; main(prog_name='dtst')"
        self.mark = f"{dataset.folder}@{time.monotonic()}"
        self.log = dataset.folder.parent / "log.txt"
        self.scripts = dataset.folder / ".snakemake/scripts"
        with open(self.log, "w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", main, *words, "-d", "crowd", *SHARDS],
                cwd=dataset.folder.parent,
                env=environment() | {MARK: self.mark},
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def processes(self) -> dict[str, list[tuple[psutil.Process, str]]]:
        """What belongs to the run and lives: kind of process -> (process, `_kind`'s word)."""
        found = defaultdict(list)
        for process in psutil.process_iter():
            try:
                if process.environ().get(MARK) == self.mark:
                    kind, command = self._kind(process)
                    found[kind].append((process, command))
            except psutil.Error:  # gone by now, or none of ours
                continue
        return found

    def _kind(self, process: psutil.Process) -> tuple[str, str]:
        """What a process is, and its last word: of who asks for a job that of its script.

        Forks have the words of what they were forked from.
        """
        words = process.cmdline()
        if words == self.process.args:
            above = sum(words == parent.cmdline() for parent in process.parents())
            return FORKS[above], ""
        if words[-1].startswith(str(self.scripts)):
            return "asker", words[-1]
        return "helper", " ".join(words)

    def kill(self, way: str, chance: random.Random) -> str | None:
        """Kill in one of WAYS as soon as there is what to kill.

        Returns the rules whose jobs were at work, None when the run ended before.
        """
        while self.process.poll() is None:
            found = self.processes()
            if way in found:
                with suppress(psutil.NoSuchProcess):
                    chance.choice(found[way])[0].kill()
            elif way == "terminate":
                self.process.terminate()
            elif way in SIGNALS:
                os.killpg(self.process.pid, SIGNALS[way])
            else:
                time.sleep(0.05)
                continue
            return " ".join(script.split(".")[-2] for _, script in found["asker"])
        return None

    def end(self, seconds: float = 300) -> str:
        """Wait until all of the run is gone; returns what it printed."""
        self.process.wait(seconds)
        deadline = time.monotonic() + GONE_WITHIN
        while (left := self.processes()) and time.monotonic() < deadline:
            time.sleep(0.1)
        printed = self.log.read_text()
        assert not left, f"left alive: {left}\n{printed}"
        return printed


SIGNALS = {"group": signal.SIGKILL, "interrupt": signal.SIGINT}
FORKS = ("wrapper", "snakemake", "server", "job", "worker")
"""What a fork of a fork is."""

WAYS = (*FORKS[1:], "asker", "terminate", *SIGNALS)


class Faces:
    """Path A on a few shots of a few people."""

    words = ("run", "faces", "settings.yaml")
    marked = "faces/collins_0_00.jpg"
    """A file that dtst makes of a photo that no edit touches."""

    def write(self, folder: Path, shots: Path) -> None:
        for pattern in ("cast[1-3]_[0-2]", "collins_[0-2]"):
            copy_photos(shots, pattern, folder)
        (folder / "faces").mkdir()
        shutil.copy(shots / "images/roll1/hanks_0.jpg", folder / "faces/mine.jpg")
        (folder / "faces/mine.jpg.json").write_text('{"taken": "by me"}')

    def settings(self, colours: Path) -> dict:
        return {
            "extract_faces": {"engine": "dlib", "workers": 2},
            "cluster": {"model": "dlib", "min_cluster_size": 2},
        }


class Classes:
    """Path C on photos of coloured things; it writes into the user's sidecars."""

    words = ("run", "classes", "settings.yaml")
    marked = "classes/a00_red.jpg"

    def write(self, folder: Path, shots: Path) -> None:
        (folder / "images").mkdir(parents=True)
        (folder / "classes").mkdir()
        for n in range(12):
            things = {(20, 40, 60 + n, 80): ["red", "green", "blue thing"][n % 3]}
            picture = Image.fromarray(coloured(256, 128 + n, things))
            picture.save(folder / f"images/a{n:02d}.png")

    def settings(self, colours: Path) -> dict:
        found = {"classes": "red,green,blue thing", "weights": str(colours)}
        return {
            "detect": found | {"from": "images", "workers": 2},
            "extract_classes": {"workers": 2},
            "cluster": {"model": "efficientnet", "min_cluster_size": 2},
        }


@pytest.fixture(scope="module", params=[Faces, Classes], ids=["faces", "classes"])
def kind(request, tmp_path_factory, shots, colours):
    """A kind of dataset, written down once, and the seconds that a run on it takes."""
    kind = request.param()
    home = tmp_path_factory.mktemp("kind")
    kind.sources = home / "crowd"
    kind.write(kind.sources, shots)
    (kind.sources / "cluster/000").mkdir(parents=True)
    (kind.sources / "cluster/000/notes.txt").write_text("mine")
    for path in sorted((kind.sources / "images").rglob("a0*.png")):
        Path(f"{path}.json").write_text(json.dumps({"source": path.name}))
    kind.config = json.dumps(kind.settings(colours))
    began = time.monotonic()
    whole(kind, kind.sources, home)
    kind.seconds = time.monotonic() - began
    return kind


def whole(kind, sources: Path, home: Path) -> Dataset:
    """A run from nothing on a copy of the sources."""
    dataset = copy(kind, sources, home / "whole")
    printed = Run(dataset, kind.words).end()
    assert (dataset.folder / "cluster/clusters.json").exists(), printed
    return dataset


def copy(kind, sources: Path, home: Path) -> Dataset:
    shutil.copytree(sources, home / "crowd")
    (home / "settings.yaml").write_text(kind.config)
    return Dataset(home / "crowd")


def edit(folders: list[Path], chance: random.Random) -> None:
    """The same edit of the sources in each of the folders."""
    state = chance.getstate()
    for folder in folders:
        chance.setstate(state)
        images = sorted(p for p in folder.glob("images/**/*") if p.suffix != ".json")
        path = chance.choice([p for p in images if p.is_file() and "0." not in p.name])
        how = chance.choice(["add", "change", "remove", "rename", "describe"])
        if how == "add":
            ImageOps.mirror(Image.open(path)).save(path.with_stem(f"m{path.stem}"))
        elif how == "change":
            turned = Image.open(path).rotate(3)
            path.unlink()
            turned.save(path)
        elif how == "remove":
            path.unlink()
        elif how == "rename":
            path.rename(path.with_stem(f"r{path.stem}"))
        else:
            sidecar = Path(f"{path}.json")
            known = json.loads(sidecar.read_text()) if sidecar.exists() else {}
            sidecar.write_text(json.dumps(known | {"tag": chance.random()}))


def lost(dataset: Dataset, sources: Path) -> list[str]:
    """The user's files that are not what they were; sidecars may have more keys."""
    missing = []
    for path in sorted(p for p in sources.rglob("*") if p.is_file()):
        there = dataset.folder / path.relative_to(sources)
        if not there.is_file():
            missing.append(str(there))
        elif path.name.endswith((".jpg.json", ".png.json")):
            kept = json.loads(there.read_bytes()).items()
            missing += [str(there)] * (
                not json.loads(path.read_bytes()).items() <= kept
            )
        elif there.read_bytes() != path.read_bytes():
            missing.append(str(there))
    return missing


def rate(dataset: Dataset, path: str) -> bool:
    """Note the user's rating in the sidecar of a file that dtst made, if it is there."""
    sidecar = dataset.folder / f"{path}.json"
    if not sidecar.exists():
        return False
    sidecar.write_text(json.dumps(json.loads(sidecar.read_text()) | RATING))
    return True


def unrated(results: dict[str, bytes]) -> dict[str, object]:
    """Results without the user's ratings, which travel with a crop into its cluster."""

    def seen(path: str, content: bytes) -> object:
        if path.endswith((".jpg.json", ".png.json")):
            return {k: v for k, v in json.loads(content).items() if k not in RATING}
        if path.endswith("clusters.json"):  # it signs such keys
            return json.loads(content, object_hook=_unsigned)
        return content

    return {path: seen(path, content) for path, content in results.items()}


def _unsigned(value: dict) -> dict:
    return {key: inner for key, inner in value.items() if key != "keys"}


def test_chain_of_kills(kind, seed, tmp_path, survived):
    chance = random.Random(seed)
    sources = tmp_path / "sources"
    shutil.copytree(kind.sources, sources)
    dataset = copy(kind, sources, tmp_path / "killed")
    told, rated, span = [], False, kind.seconds
    ways = chance.sample(WAYS, len(WAYS))
    while ways and len(told) < 3 * len(WAYS):
        if told and ("missed" in told[-1] or chance.random() < 0.4):
            edit([sources, dataset.folder], chance)
            told.append("edit")
        # Workers are there in the first stages only.
        moment = chance.uniform(0, span / 3 if ways[-1] == "worker" else span)
        run, began = Run(dataset, kind.words), time.monotonic()
        time.sleep(moment)
        at = run.kill(ways[-1], chance)
        printed = run.end()
        assert "--unlock" not in printed and "LockException" not in printed, told
        rated = rated or rate(dataset, kind.marked)
        if at is None:
            span = time.monotonic() - began
            told.append(f"{ways[-1]} missed, {span:.1f} s")
            continue
        survived["kills tried"] += 1
        told.append(f"{ways.pop()} at {moment:.1f} s: {at or 'no job'}")
    assert not ways, told
    printed = Run(dataset, kind.words).end()
    print(*told, sep="\n")
    gone = lost(dataset, sources)
    survived["files of the user lost"] += len(gone)
    assert gone == []
    ours, theirs = dataset.results(), whole(kind, sources, tmp_path).results()
    assert [path for path in ours if Path(path).name.startswith(".dtst-")] == []
    assert not rated or json.loads(ours[f"{kind.marked}.json"])["rating"] == 5
    assert unrated(ours) == unrated(theirs), printed
    survived["kills survived"] += sum(" at " in line for line in told)
