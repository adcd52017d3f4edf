"""Nasty files that are made here, in real runs: formats, broken ones, names, links."""

from pathlib import Path

import numpy as np
import pytest

from dtst_flow.dataset import sidecars
from dtst_flow.imaging import decode
from dtst_flow.utils.files import digest_file
from dtst_flow.utils.tables import read_table
from helpers import nasty_files
from helpers.dataset import Dataset
from helpers.nasty_files import NAMES, PASSED_OVER, assert_alike, crops, fates, members

GOOD = [f"images/{name}" for name in nasty_files.good()]
GOOD += [f"images/names/{name}.jpg" for name in NAMES]
GOOD += [f"images/names/{name}" for name in ("same.jpg", "same.jpeg", "same.png")]
BAD = [f"images/{name}" for name in nasty_files.bad()]
OTHER = [f"images/{name}" for name in PASSED_OVER]
UNLISTED = ["images/.hidden.jpg", "images/.hidden/inside.jpg"]

CUT = {"path": "extract-classes", "extract_classes": {"from": "images/**"}}
GROUP = {
    "path": "cluster",
    "cluster": {"from": "images/**", "model": "efficientnet"},
}


def write(folder: Path) -> Dataset:
    """A dataset of them all; each image has a sidecar with a box, all of the picture."""
    (folder / "images").mkdir(parents=True)
    files = nasty_files.good() | nasty_files.bad()
    shown = nasty_files.picture()
    for name in [path.removeprefix("images/") for path in GOOD]:
        if name not in files:  # of equal pictures no two files are equal
            files[name] = nasty_files.encode(
                shown, "JPEG", quality=95, comment=name.encode("utf-8", "replace")
            )
    for name, content in files.items():
        path = folder / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        box = {"box": [0, 0, *nasty_files.SIZE]}
        sidecars.write(path, {"classes": {"thing": [box]}, "name": name})
    nasty_files.other(folder / "images", files["rgb.png"])
    return Dataset(folder)


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> tuple[Dataset, str]:
    """The dataset cut and grouped, and what was said of the cutting."""
    dataset = write(tmp_path_factory.mktemp("generated") / "nasty files")
    dataset.run(settings=GROUP)
    return dataset, dataset.run(settings=CUT)


@pytest.fixture(scope="module")
def folder(runs) -> Path:
    return runs[0].folder


def fate(folder: Path, path: str) -> list[tuple[str, str]]:
    """What became of a file in both stages: (fate, reason)."""
    found = [
        {
            (name, paths[path])
            for name, paths in fates(folder, *stage).items()
            if path in paths
        }
        for stage in (("crops", "classes"), ("cluster", "embeddings"))
    ]
    assert found[0] == found[1]
    return list(found[0])


@pytest.mark.parametrize("path", GOOD, ids=ascii)
def test_images_are_decoded(folder, path, survived):
    survived["nasty files"] += 1
    assert fate(folder, path) == [("done", "")]
    (crop,) = crops(folder / "crops")[path]
    assert_alike(decode.read(crop), np.asarray(nasty_files.picture()))
    told = sidecars.read(crop)
    assert told["provenance"]["digest"] == digest_file(folder / path)
    assert told["name"] == path.removeprefix("images/")
    assert members(folder / "cluster").count(path) == 1
    survived["nasty files right"] += 1


@pytest.mark.parametrize("path", BAD, ids=ascii)
def test_what_is_broken_is_reported(folder, path, survived):
    survived["nasty files"] += 1
    [(found, reason)] = fate(folder, path)
    assert found == "failed" and reason.startswith("cannot be decoded: ")
    assert reason.isprintable() and "0x" not in reason
    assert sidecars.read(folder / path)["name"] == path.removeprefix("images/")
    survived["nasty files right"] += 1


@pytest.mark.parametrize("path", OTHER, ids=ascii)
def test_all_else_is_passed_over(folder, path, survived):
    survived["nasty files"] += 1
    reason = PASSED_OVER[path.removeprefix("images/")]
    assert fate(folder, path) == [("passed over", reason)]
    survived["nasty files right"] += 1


@pytest.mark.parametrize("path", UNLISTED, ids=ascii)
def test_hidden_files_are_not_even_listed(folder, path, survived):
    survived["nasty files"] += 1
    assert fate(folder, path) == []
    survived["nasty files right"] += 1


def test_nothing_else_is_there(folder):
    for stage in (("crops", "classes"), ("cluster", "embeddings")):
        listed = [set(paths) for paths in fates(folder, *stage).values()]
        assert listed == [set(GOOD), set(BAD), set(OTHER)]
    assert set(crops(folder / "crops")) == set(GOOD)


def test_clusters_hold_the_images_as_they_are(folder):
    made = [p for p in (folder / "cluster").glob("*/*") if p.suffix != ".json"]
    state = folder / ".dtst/buckets/cluster/embeddings/s.jsonl"
    names = {
        f"{r['stem']}{Path(r['path']).suffix}": r["path"] for r in read_table(state)
    }
    assert {path.name for path in made} == set(names)
    for path in made:
        image = folder / names[path.name]
        assert path.read_bytes() == image.read_bytes()
        assert sidecars.read(path) == sidecars.read(image)


def test_the_summary_can_be_printed_whatever_the_names(runs):
    printed = runs[1]
    assert f"{len(BAD)} images could not be processed" in printed
    assert f"{len(OTHER)} files were passed over" in printed
    shown = printed[printed.index("extract-classes -> ") :]
    assert "\x1b[2J" not in shown and "\u202e" not in shown


def test_alone_what_is_broken_fails_the_run(tmp_path):
    """Also where its names are no text: all is told, escaped, and nothing is lost."""
    dataset = Dataset(tmp_path / "crowd")
    (dataset.folder / "images").mkdir(parents=True)
    name = "no\nimage\x1b[2J\u202e.jpg"
    (dataset.folder / "images" / name).write_bytes(b"text")
    for settings in (GROUP, CUT):
        box = {"classes": {"thing": [{"box": [0, 0, 9, 9]}]}}
        sidecars.write(dataset.folder / "images" / name, box)
        printed = dataset.run(settings=settings, ok=False)
        assert "cannot be decoded: no image of a known type" in printed
        assert "\x1b[2J" not in printed and "\u202e" not in printed
        assert sidecars.read(dataset.folder / "images" / name) == box


def test_strictness_fails_the_clustering_of_what_was_clustered(runs):
    dataset = runs[0]
    before = dataset.results()
    printed = dataset.run(settings=GROUP | {"strict": True}, ok=False)
    assert f"{len(BAD)} images failed and --strict was given; first: '" in printed
    assert dataset.results() == before
