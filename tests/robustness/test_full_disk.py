"""Disks that are full from some moment on: what is there stays whole, a rerun mends it.

On a small file system of its own, of which all but some room is taken; so it needs the
right to mount one. First the stages that write next to the user's files, one after the
other in this process, with every amount of room; then whole runs with some.
"""

import errno
import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dtst_flow.cluster.duplicates import Sets
from dtst_flow.cluster.groups import Grouping
from dtst_flow.cluster.meaning import Constraints
from dtst_flow.dataset import inventory
from dtst_flow.dataset.image_names import IMAGES
from dtst_flow.dataset.ledger import Ledgers
from dtst_flow.dataset.state import state_of
from dtst_flow.detect import detectors
from dtst_flow.imaging import decode
from dtst_flow.models import store
from dtst_flow.models.store import Weights
from dtst_flow.stages import collect, detect, extract_classes
from dtst_flow.stages.clustering import Clustering, Options
from dtst_flow.stages.collect import CollectJob
from dtst_flow.stages.contract import ShardJob
from dtst_flow.stages.layout import lay_out
from dtst_flow.utils.tables import read_table
from helpers import colour_detector
from helpers.dataset import Dataset

SIZE = 16 << 20
PAGE = 4096
COLOURS = ("red", "green", "blue thing")


class Disk:
    """A file system of SIZE bytes with a dataset on it."""

    def __init__(self, place: Path):
        self.place = place
        self.ballast = place / "ballast"
        self.folder = place / "crowd"

    def leave(self, room: int) -> None:
        """Leave that many bytes free."""
        self.ballast.unlink(missing_ok=True)
        found = os.statvfs(self.place)
        with open(self.ballast, "wb") as file:
            os.posix_fallocate(
                file.fileno(), 0, max(1, found.f_bavail * found.f_frsize - room)
            )

    def empty(self) -> None:
        """Back to the user's files alone."""
        subprocess.run(["rm", "-rf", self.folder, self.ballast], check=True)
        write_sources(self.folder)


@pytest.fixture
def disk(tmp_path):
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(place)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("needs the right to mount a file system")
    yield Disk(place)
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def write_sources(folder: Path) -> None:
    """Photos of coloured things, half of them with a sidecar of the user's."""
    (folder / "images").mkdir(parents=True)
    for n in range(12):
        things = {(20, 40, 60 + n, 80): COLOURS[n % 3]}
        photo = Image.fromarray(colour_detector.photo(256, 128 + n, things))
        photo.save(folder / f"images/a{n:02d}.png")
        if n % 2:
            said = {"source": "flickr", "words": "x" * 400 * n}
            (folder / f"images/a{n:02d}.png.json").write_text(json.dumps(said))


def lost(folder: Path, was: dict[str, bytes]) -> list[str]:
    """The user's files that are not what they were; sidecars may hold classes as well."""
    gone = []
    for path, content in was.items():
        now = folder / path
        if not now.is_file():
            gone.append(path)
        elif path.endswith(".json"):
            kept = json.loads(now.read_bytes())
            kept.pop("classes", None)
            gone += [path] * (kept != json.loads(content))
        elif now.read_bytes() != content:
            gone.append(path)
    return gone


def halves(folder: Path) -> list[str]:
    """Files under their final names that are not whole, and unfinished ones."""
    found = [str(path) for path in folder.rglob(".dtst-*.tmp")]
    for path in folder.rglob("*"):
        try:
            if path.suffix == ".json":
                json.loads(path.read_bytes())
            elif path.suffix in IMAGES.suffixes:
                decode.read(path)
        except (ValueError, decode.UnreadableImage):
            found.append(str(path))
    return [path for path in found if ".snakemake" not in path]


def stages(weights: Weights) -> None:
    """Path classes but for the clustering, in the current folder."""
    for stage, bucket, specs in (
        ("detect", ".detect", ["images"]),
        ("extract_classes", "classes", ["images"]),
    ):
        state = state_of(bucket)
        inventory.write(".", specs, state / "inventory", state / "digests.jsonl", 6)
        tables, failed = [], []
        for shard in inventory.shards(state / "inventory"):
            tables.append(state / f"tables/{shard}.jsonl")
            failed.append(state / f"failed/{shard}.jsonl")
            words = state / "vocabulary.json"
            manifest = state / f"inventory/{shard}.jsonl"
            job = ShardJob(manifest, tables[-1], failed[-1], vocabulary=words)
            if stage == "detect":
                detect.learn(list(COLOURS), weights, words)
                detect.look(job, detect.Options(list(COLOURS)), weights)
            else:
                extract_classes.cut(job, bucket, extract_classes.Options())
        written = (state / "summary.json", state / "failed.jsonl")
        job = CollectJob(tables, failed, state / "inventory", *written)
        collect.run(stage, job, bucket, strict=False, code="code")
    state = state_of("cluster")
    inventory.write(".", ["classes"], state / "inventory", state / "digests.jsonl", 99)
    rows = list(read_table(state / "inventory/s.jsonl"))
    ledgers = Ledgers("cluster", state)
    every = np.arange(len(rows))
    grouping = Grouping([], every, every[:0])
    options = Options("efficientnet")
    noise = Clustering(rows, grouping, Sets(every, every), Constraints(), options)
    ledgers.commit({"all": lay_out(noise, [], ledgers, "copy").entries})


@pytest.mark.usefixtures("in_this_process")
def test_stages_with_any_room(disk, colours, survived, long, monkeypatch):
    weights = store.resolve(detectors.MODELS["yolo26n"].weights, str(colours))
    disk.empty()
    monkeypatch.chdir(disk.folder)
    dataset = Dataset(disk.folder)
    was = dataset.results()
    free = os.statvfs(disk.place).f_bavail
    stages(weights)
    whole = dataset.results()
    needed = free - os.statvfs(disk.place).f_bavail
    monkeypatch.chdir("/")
    for pages in range(0, needed, 1 if long else needed // 40):
        disk.empty()
        monkeypatch.chdir(disk.folder)
        disk.leave(pages * PAGE)
        survived["faults injected"] += 1
        with pytest.raises(OSError) as caught:
            stages(weights)
        assert caught.value.errno == errno.ENOSPC
        del caught  # its frames hold files open, and so the room of those deleted
        gone = lost(disk.folder, was)
        survived["files of the user lost"] += len(gone)
        assert gone == [] and halves(disk.folder) == []
        disk.leave(SIZE)
        stages(weights)
        assert dataset.results() == whole
        survived["faults survived"] += 1
        monkeypatch.chdir("/")


def test_runs_with_little_room(disk, colours, survived, long, tmp_path):
    words = ["run", "classes", str(tmp_path / "settings.yaml"), "-d", str(disk.folder)]
    settings = {
        "detect": {"classes": list(COLOURS), "weights": str(colours)}
        | {"from": "images"},
        "cluster": {"model": "efficientnet", "min_cluster_size": 2},
    }
    (tmp_path / "settings.yaml").write_text(json.dumps(settings))
    disk.empty()
    dataset = Dataset(disk.folder)
    was = dataset.results()
    free = os.statvfs(disk.place).f_bavail
    dataset.dtst(*words)
    whole = dataset.results()
    needed = free - os.statvfs(disk.place).f_bavail
    for share in np.linspace(0, 0.9, 10 if long else 4):
        disk.empty()
        disk.leave(int(share * needed) * PAGE)
        survived["faults injected"] += 1
        printed = dataset.dtst(*words, ok=False)
        last = printed.splitlines()[-1]
        assert last.startswith(
            f"error: no space left on the file system of {disk.folder}"
        )
        gone = lost(disk.folder, was)
        survived["files of the user lost"] += len(gone)
        assert gone == [] and halves(disk.folder) == []
        disk.leave(SIZE)
        printed = dataset.dtst(*words)
        assert dataset.results() == whole, printed
        survived["faults survived"] += 1
