"""Pipes, devices, sockets and holes where files are read: each costs itself at most."""

import itertools
import os
import resource
import subprocess
from collections.abc import Iterator
from contextlib import chdir, suppress
from pathlib import Path

import pytest
from click import ClickException
from click.testing import CliRunner
from PIL import Image

from dtst_flow.annotations.notes import Notes
from dtst_flow.cache.packs import Pack
from dtst_flow.cli.main import main
from dtst_flow.cli.yaml_config import read_config
from dtst_flow.cluster import history, label_file
from dtst_flow.dataset import digests, foreign, scan, sidecars, whereabouts
from dtst_flow.dataset.entries import read_rows
from dtst_flow.dataset.manifest import ManifestRow
from dtst_flow.models import contents, store
from dtst_flow.models.errors import ModelError
from dtst_flow.report import thumbnails
from dtst_flow.review import rows
from dtst_flow.review.journal import Journal
from dtst_flow.review.pictures import NoPicture, Pictures
from dtst_flow.runtime import run_lock, verified_read
from dtst_flow.utils import arrays, links, locks
from dtst_flow.utils.files import read_bytes, read_json, sweep
from dtst_flow.utils.folders import folders_below
from dtst_flow.utils.tables import is_table, read_table
from helpers import nasty_files
from helpers.dataset import Dataset
from helpers.strange_files import KINDS, in_time, put

NAME = Path("photo.jpg.json")

READERS = {
    "sidecar": lambda: sidecars.read("photo.jpg"),
    "image": lambda: verified_read.content(ManifestRow(str(NAME), "", "")),
    "digest": lambda: digests.digest_of(NAME),
    "labels": lambda: label_file.read(NAME),
    "config": lambda: read_config(NAME),
    "weights": lambda: contents.read(NAME),
    "weights by digest": lambda: store.sha256(NAME),
    "clusters": lambda: foreign.foreign_clusters(NAME.parent, NAME),
    "thumbnail": lambda: thumbnails.make([{"path": str(NAME), "digest": ""}], 8, 1),
    "copy": lambda: links.copy(NAME, Path("copy")),
    "whole": lambda: read_bytes(NAME),
    "json": lambda: read_json(NAME),
    "table": lambda: list(read_table(NAME)),
    "is a table": lambda: is_table(NAME),
    "ledger": lambda: list(read_rows(NAME)),
    "pack": lambda: Pack(NAME),
    "array": lambda: arrays.load(NAME),
    "history": lambda: history.read(NAME),
    "journal of a review": lambda: Journal(NAME),
    "mapped array": lambda: rows.mapped(NAME, 1),
    "picture": lambda: Pictures().large(str(NAME)),
}
"""What reads files of the user's, of strangers, and of .dtst."""

REFUSALS = (
    *(OSError, ValueError, MemoryError, ModelError, ClickException),
    *(sidecars.BrokenSidecar, verified_read.Changed, NoPicture),
)


@pytest.fixture(scope="module")
def nested(tmp_path_factory) -> Iterator[Path]:
    """A folder with so many below each other as no function may call itself."""
    top = tmp_path_factory.mktemp("nested") / "deep"
    top.mkdir()
    here = os.open(top, os.O_RDONLY)
    for _ in range(1100):  # more than Python calls
        os.mkdir("d", dir_fd=here)
        below = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    yield top
    subprocess.run(["rm", "-rf", str(top)], check=True)


@pytest.mark.parametrize("spec", ["deep/**", "**", "deep/*/*"])
def test_folders_may_be_nested_as_deep_as_they_like(nested, spec):
    (nested / "d/d/d").joinpath("a.jpg").touch()
    with in_time():
        found = scan.scan(nested.parent, [spec]).images
        assert found == (["deep/d/d/d/a.jpg"] if "**" in spec else [])
        said = whereabouts.explain_empty(nested.parent, ["deep"])
        assert "1 image lies below deep: --from 'deep/**'" in said
        sweep(nested, below=True)
        assert sum(1 for _ in folders_below(nested)) > 1000


def test_nested_json_is_refused(tmp_path):
    deep = b"[" * 10**6
    for path in (tmp_path / NAME, tmp_path / "x.json"):
        path.write_bytes(deep)
    with pytest.raises(sidecars.BrokenSidecar, match="nested more than 100 deep"):
        sidecars.read(tmp_path / "photo.jpg")
    with pytest.raises(ValueError, match="nested too deep"):
        read_json(tmp_path / "x.json")


@pytest.fixture
def little_memory():
    """Half a gigabyte more than now, at most."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    before = resource.getrlimit(resource.RLIMIT_AS)
    most = pages * resource.getpagesize() + (1 << 29)
    resource.setrlimit(resource.RLIMIT_AS, (most, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


UNBOUNDED = ("weights by digest", "copy")
"""What reads all of a regular file that the user named, or that the inventory has read."""


@pytest.mark.parametrize(("reader", "kind"), [*itertools.product(READERS, KINDS)])
def test_nobody_waits_or_reads_without_end(
    tmp_path, little_memory, survived, reader, kind
):
    if kind == "hole of a terabyte" and reader in UNBOUNDED:
        pytest.skip("the user's own choice")
    survived["faults injected"] += 1
    put(kind, tmp_path / NAME)
    with chdir(tmp_path), in_time(), suppress(*REFUSALS):
        READERS[reader]()
    survived["faults survived"] += 1


@pytest.mark.parametrize("kind", KINDS)
def test_a_sidecar_says_what_it_is(tmp_path, kind):
    put(kind, tmp_path / NAME)
    faults = "not a regular file|more than 16777216 bytes|Is a directory"
    with pytest.raises(sidecars.BrokenSidecar, match=faults):
        sidecars.read(tmp_path / "photo.jpg")


@pytest.mark.parametrize("kind", ["pipe", "link to a device", "socket"])
def test_a_strange_env_is_skipped_and_a_config_refused(tmp_path, kind):
    put(kind, tmp_path / ".env")
    put(kind, tmp_path / "a.yaml")
    with chdir(tmp_path), in_time():
        told = CliRunner().invoke(main, ["detect", "a.yaml"])
    assert "note: .env is no file and was skipped" in told.output
    assert "there is no config file 'a.yaml'" in told.output


@pytest.mark.parametrize("kind", ["pipe", "socket"])
def test_notes_and_locks_are_made_again(tmp_path, kind):
    notes = Notes(tmp_path / "notes")
    notes.put("a", 1)
    put(kind, next((tmp_path / "notes").rglob("*.json")))
    put(kind, tmp_path / run_lock.NOTE)
    put(kind, tmp_path / run_lock.LOCK)
    with in_time():
        assert notes.get("a") is None and run_lock.current(tmp_path) is None
        notes.put("a", 2)
        assert notes.get("a") == 2
        os.close(locks.take(tmp_path / run_lock.LOCK))


@pytest.mark.parametrize("kind", ["pipe", "link to a device"])
def test_strange_clusters_are_not_ours_to_replace(tmp_path, kind):
    put(kind, tmp_path / "clusters.json")
    with in_time():
        said = foreign.foreign_clusters(tmp_path, tmp_path / "state")
    assert "is of another program" in said


def test_strange_files_cost_their_images(tmp_path, survived):
    """In a run: beside photos, in place of photos, and in the target's state.

    And so does a photo that would take minutes to decode.
    """
    dataset = Dataset(tmp_path / "given")
    images = dataset.folder / "images"
    images.mkdir(parents=True)
    boxes = {"classes": {"x": [{"box": [1, 1, 20, 20]}]}}
    for number, kind in enumerate([None, *KINDS]):
        photo = images / f"{number}.jpg"
        Image.new("RGB", (64, 48), (number, 0, 0)).save(photo)
        if kind:
            put(kind, sidecars.path_of(photo))
            put(kind, images / f"{kind}.jpg")
        else:
            sidecars.write(photo, boxes)
    (images / "scans.jpg").write_bytes(nasty_files.scans(1000, 20_000))
    sidecars.write(images / "scans.jpg", boxes)
    put("pipe", dataset.folder / ".dtst/buckets/crops/journal/s.jsonl")
    put("pipe", dataset.folder / ".dtst/buckets/crops/ledger/s.jsonl")
    put("pipe", dataset.folder / ".dtst/logs/extract_classes/crops/s.log")
    with in_time(100):
        words = ("-d", "given", "--from", "images", "--max-seconds", "5")
        printed = dataset.dtst("extract-classes", *words)
    survived["nasty files"] += 2 * len(KINDS) + 1
    assert "1 crops" in printed and "images could not be processed" in printed
    assert [path.name for path in (dataset.folder / "crops").glob("*.jpg")] == [
        "0_x.jpg"
    ]
    failed = read_table(dataset.folder / ".dtst/buckets/crops/failed.jsonl")
    reasons = {row["path"]: row["reason"] for row in failed}
    assert len(reasons) == len(KINDS) + 1
    assert reasons["images/scans.jpg"].startswith(
        "took more than 5.5 s (1.0 megapixels)"
    )
    survived["nasty files right"] += 2 * len(KINDS) + 1
