"""State from strangers: a .dtst folder and clusters.json that came along with a dataset."""

import json
import os
import time
from contextlib import chdir
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from dtst_flow.cache import packs
from dtst_flow.cli.main import main
from dtst_flow.dataset.ledger import Ledgers
from dtst_flow.dataset.part import ForeignFile, Part
from dtst_flow.stages import detect
from dtst_flow.utils.files import read_json, to_json, write_atomic
from dtst_flow.utils.tables import write_table
from helpers import clustered, strange_files
from helpers.dataset import DLIB

MINE = b"mine"


def call(*words: str):
    return CliRunner().invoke(main, words, catch_exceptions=False)


@pytest.fixture
def mine(tmp_path, survived):
    """Files of the user's around a dataset, which have to stay."""
    kept = [tmp_path / name for name in ("secret.jpg", "home/a.jpg", "home/b/c.jpg")]
    for path in kept:
        write_atomic(path, MINE)
        write_atomic(Path(f"{path}.json"), b'{"a": 1, "provenance": {}}')
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.jp*")}
    yield kept
    lost = [p for p, c in before.items() if not p.exists() or p.read_bytes() != c]
    survived["files of the user lost"] += len(lost)
    assert lost == []


@pytest.fixture
def ledgers(tmp_path, mine) -> Ledgers:
    """Of a bucket whose ledger claims the user's files."""
    dataset = tmp_path / "given"
    (dataset / "crops").mkdir(parents=True)
    (dataset / "crops/out").symlink_to(tmp_path / "home")
    ledgers = Ledgers(dataset / "crops", dataset / ".dtst/buckets/crops")
    claimed = ["../../secret.jpg", *map(str, mine), "out/a.jpg", "out/b/c.jpg"]
    rows = [
        {"path": path, "key": "", "stat": [4, 0], "written": [], "sidecar": None}
        for path in claimed
    ]
    odd = [5, None, {}, {"path": 5}, {"path": "x"}, {"path": "x", "written": [1]}]
    for folder in (ledgers.settled, ledgers.journals):
        write_table(folder / "s.jsonl", [*rows, *odd])
    return ledgers


def test_a_ledger_gives_no_file_outside_away(ledgers, mine):
    assert ledgers.damaged_parts() == ["s"]
    with chdir(ledgers.bucket.parent):
        for name in ("inventory.jsonl", "table.jsonl", "failed.jsonl"):
            write_table(name, [])
        detect.ownership().put("gone.jpg", "", {})
        assert ledgers.commit({"s": []}) == ["out/a.jpg", "out/b/c.jpg"]
    assert ledgers.parts() == ["s"] and ledgers.owned() == {}


@pytest.mark.parametrize("path", ["out/a.jpg", "out/new.jpg", "../../secret.jpg"])
def test_nothing_is_written_past_a_link(ledgers, mine, tmp_path, path):
    with pytest.raises(ForeignFile, match="leads out of its bucket"):
        Part(ledgers, "s").write(path, "key", lambda: b"ours", {"a": 2})
    assert not (tmp_path / "home/new.jpg").exists()


@pytest.fixture
def dataset(tmp_path) -> Path:
    return clustered.write(tmp_path / "crowd")


def replace(dataset: Path, old: str, new: str) -> None:
    """Call an image otherwise, in all that a run left."""
    for path in (*dataset.rglob("*.jsonl"), dataset / "cluster/clusters.json"):
        content = path.read_bytes()
        path.write_bytes(content.replace(json.dumps(old).encode(), to_json(new)))


@pytest.mark.parametrize(
    "name", ["../secret.jpg", "{absolute}", "images/../../secret.jpg"]
)
def test_no_image_outside_gets_into_a_page(dataset, tmp_path, name):
    Image.new("RGB", (8, 8)).save(tmp_path / "secret.jpg")
    name = name.format(absolute=tmp_path / "secret.jpg")
    replace(dataset, "images/000.jpg", name)
    result = call("report", "-d", str(dataset))
    assert result.exit_code == 1 and "is no image of the dataset" in result.output
    assert not list(dataset.glob("report*"))


def test_addresses_are_names_of_files(dataset):
    names = ["javascript:alert(1)//.jpg", "http://host/.jpg", "file:///etc/x.jpg"]
    for i, name in enumerate(names):
        replace(dataset, f"images/{i:03d}.jpg", name)
    assert call("report", "-d", str(dataset)).exit_code == 0
    content = (dataset / "report-cluster.html").read_text()
    for address in ("javascript:alert", "http://host", "file:///"):
        assert f'href="{address}' not in content
        assert f'"url":"{address}' not in content
    assert content.count("./javascript%3Aalert") >= 1


def test_a_thumbnail_that_came_along_is_none(dataset):
    assert call("report", "-d", str(dataset)).exit_code == 0
    page = dataset / "report-cluster.html"
    before = page.read_bytes()
    folder = dataset / ".dtst/records/thumbnails"
    known = dict(pair for pack in packs.load(folder) for pair in pack.rows())
    packs.add(folder, dict.fromkeys(known, b'"https://host/x.png"'))
    assert call("report", "-d", str(dataset)).exit_code == 0
    assert page.read_bytes() == before


BROKEN = [
    *(
        None,
        5,
        [],
        {},
        {"clusters": 1},
        {"clusters": [1], "noise": [], "parameters": {}},
    ),
    {"clusters": [], "noise": [], "parameters": 3},
    {"clusters": [{"members": [], "folder": ""}], "noise": [], "parameters": {}},
    {"clusters": [{"members": [{"path": []}]}], "noise": [], "parameters": {}},
    {"clusters": [], "noise": [{}], "parameters": {}},
    {"clusters": [], "noise": [], "parameters": {}, "near_duplicates": [[{}]]},
]


@pytest.mark.parametrize("content", [*map(to_json, BROKEN), b"", b"{", b"[" * 10**5])
def test_broken_clusters_are_told_in_a_sentence(dataset, content):
    (dataset / "cluster/clusters.json").write_bytes(content)
    result = call("report", "-d", str(dataset))
    assert result.exit_code == 1 and "not as dtst writes it" in result.output
    write_atomic(dataset / ".dtst/buckets/cluster/history/now.json", b'{"a": {}}')
    assert "born: a" in call("diff", "-d", str(dataset)).output


STATE_FILES = [
    *("faces/inventory/s.jsonl", "faces/inventory/skipped.table", "faces/summary.json"),
    *("faces/failed.jsonl", "faces/failed/s.jsonl", "faces/faces/s.jsonl"),
    *("faces/digests.jsonl", "faces/inventory/shards.table", "faces/ledger/s.jsonl"),
    *("cluster/inventory/s.jsonl", "cluster/summary.json", "cluster/ledger/all.jsonl"),
    *("cluster/embeddings/s.jsonl", "cluster/embeddings/s.npy", "faces/names.jsonl"),
]


@pytest.mark.parametrize("way", ["dtst", "snakemake"])
def test_damaged_state_is_made_again_from_the_records(finished, tmp_path, way):
    crowd = finished.copy(tmp_path)
    before = crowd.results()
    for number, name in enumerate(STATE_FILES):
        path = crowd.folder / ".dtst/buckets" / name
        assert path.exists(), name
        if number % 2 == (way == "dtst"):
            strange_files.put(("pipe", "socket")[number // 2 % 2], path)
        else:
            path.write_bytes(b"{garbage" if way == "dtst" else b'{"a": 1}\n')
            soon = time.time() + 3600
            os.utime(path, (soon, soon))
    min(crowd.folder.glob("faces/*.jpg")).unlink()
    if way == "dtst":
        config = tmp_path / "crowd.yaml"
        config.write_bytes(to_json(DLIB))
        printed = crowd.dtst("run", "faces", str(config), "-d", "crowd")
    else:
        printed = crowd.run()
    assert "Traceback" not in printed
    for stage in ("faces", "cluster"):
        assert f"files in .dtst/buckets/{stage} are dated ahead" in printed
        assert f"\n.dtst/buckets/{stage}/" in printed
    assert "not as dtst writes them, and are made again" in printed
    assert crowd.results() == before
    # Without its ledger clusters are laid out again, from embeddings that are known.
    computed = crowd.computed()
    assert computed["extract_faces"] == computed["embed"] == 0


@pytest.mark.parametrize("name", [".dtst", "faces", "cluster"])
def test_a_file_in_place_of_a_folder_is_told(finished, tmp_path, name):
    crowd = finished.from_nothing(tmp_path)
    (crowd.folder / name).write_bytes(MINE)
    config = tmp_path / "crowd.yaml"
    config.write_bytes(to_json(DLIB))
    for printed in (
        crowd.run(ok=False),
        crowd.dtst("run", "faces", str(config), "-d", "crowd", ok=False),
    ):
        assert f"{crowd.folder / name} is a file" in printed
        assert "Traceback" not in printed
    assert (crowd.folder / name).read_bytes() == MINE


class Harm:
    def __reduce__(self):
        return os.mkdir, ("sprung",)


@pytest.mark.parametrize(
    "array",
    [np.array([Harm()] * 94), np.zeros(94), np.zeros((2, 2)), np.zeros((94, 2), int)],
    ids=["pickle", "flat", "too few", "whole numbers"],
)
def test_arrays_are_numbers_and_run_nothing(dataset, array):
    np.save(dataset / ".dtst/buckets/cluster/embeddings/s.npy", array)
    with chdir(dataset):
        result = call("report")
    assert result.exit_code == 1 and "not as dtst writes it" in result.output
    assert not (dataset / "sprung").exists()


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"a": 5}', b'{"a": {"x": 5}}'])
def test_a_broken_history_is_none(dataset, content):
    history = dataset / ".dtst/buckets/cluster/history"
    write_atomic(history / "now.json", content)
    result = call("diff", "-d", str(dataset))
    assert result.output == "nothing changed since the run before\n"


def test_diff_shows_what_would_steer_a_terminal(dataset):
    found = read_json(dataset / "cluster/clusters.json")
    for cluster in found["clusters"]:
        cluster |= {"id": "a\x1b]0;x\a", "name": "\x1b[2J\u202e", "folder": None}
    write_atomic(dataset / "cluster/clusters.json", to_json(found))
    now = {"a\x1b]0;x\a": {"x": ""}, "": {"\x1b[2J": ""}}
    write_atomic(dataset / ".dtst/buckets/cluster/history/now.json", to_json(now))
    shown = call("diff", "-d", str(dataset)).output
    assert r"born: a\x1b]0;x\x07 \x1b[2J\u202e" in shown
    assert shown.replace("\n", "").isprintable()
