"""A collection of nasty files, each handled as its list says, in real runs of all stages."""

import csv
import re
import shutil
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dtst_flow.dataset import sidecars
from dtst_flow.imaging import decode
from dtst_flow.utils.files import digest_file
from dtst_flow.utils.tables import read_table
from helpers.dataset import ROOT, Dataset
from helpers.nasty_files import assert_alike, crops, fates, members
from helpers.once import once

DATA = ROOT.parent / "shared/data"
LIMIT = 100_000_000
"""Of pixels: the 108 million of one file alone would take seconds and gigabytes."""

REPORTED = {
    "broken_png",
    "decompression_bomb_192MP",
    "decompression_bomb_900MP",
    "header_only",
    "html_as_png",
    "large_108MP",
    "random_bytes",
    "text_as_jpg",
    "truncated_jpeg",
    "zero_byte",
}
"""Kinds of files that are listed as failed; all kinds not named here are decoded."""

READ = {"images/bad/truncated_tail.jpg"}
"""Files of such kinds that are decoded nevertheless: hardly anything is missing."""

ODD = {"png_bad_crc", "decompression_dos_png"}
"""Kinds that are decoded, and that Pillow alone refuses or of one colour."""

PASSED_OVER = {
    "no_extension": "no suffix",
    "symlink broken": "cannot be opened",
    "symlink loop": "a linked folder",
}
"""Kinds of files that are no images -> what their reason says."""

NO_FILES = {"directory_named_jpg"}

LIKE = {
    "exif_orientation/landscape_1.jpg": r"exif_orientation/.*",
    "formats/gen.bmp": r"formats/(gen(?!_rgba).*|png_named.jpg)|bad/trail.*|dups/.*"
    r"|names/sub/.*|tiny/31x23.jpg",
    "formats/hopper.avif": r"formats/hopper(?!.ico).*",
    "formats/UPPER.JPEG": r"formats/jpeg_named.png|names/--help.jpg",
}
"""A picture -> all files that show the same one, in whatever way they are stored."""


@dataclass(frozen=True)
class Row:
    """A row of the list: path below the dataset, and what kind of file it is."""

    path: str
    kind: str

    @property
    def fate(self) -> str:
        if self.path.endswith("/.hidden.jpg") or self.kind in NO_FILES:
            return "not listed"
        if self.kind in PASSED_OVER:
            return "passed over"
        failed = self.kind in REPORTED and self.path not in READ
        return "failed" if failed else "done"


def listed() -> list[Row]:
    """The rows of the list; none without the collection."""
    if not DATA.is_dir():
        return []
    with open(DATA / "nasty.csv", errors="surrogateescape", newline="") as lines:
        rows = csv.DictReader(lines)
        return [
            Row(f"images{r['file'].removeprefix('nasty')}", r["kind"]) for r in rows
        ]


ROWS = listed()
IMAGES = [row for row in ROWS if row.fate == "done"]


def lay_out(folder: Path) -> Dataset:
    """A dataset of all files; a sidecar of each has a box, that of the whole picture."""
    shutil.copytree(DATA / "nasty", folder / "images")
    archive = DATA / "nasty_names_dups.tar"
    subprocess.run(["tar", "-xf", archive, "-C", folder], check=True, stderr=-3)
    for path in [folder / "images", *(folder / "images").rglob("*")]:
        if path.is_dir() and not path.is_symlink():
            path.chmod(0o755)
    for part in (folder / "nasty").iterdir():
        part.rename(folder / "images" / part.name)
    (folder / "nasty").rmdir()
    for row in IMAGES + [row for row in ROWS if row.fate == "failed"]:
        height, width = 9, 9
        if row in IMAGES:
            height, width = decode.read(folder / row.path).shape[:2]
        # A box of one pixel could only be meant in shares.
        whole = {"box": [0, 0, max(width, 2), max(height, 2)]}
        sidecars.write(folder / row.path, {"classes": {"thing": [whole]}})
    return Dataset(folder)


def stage(**settings) -> dict:
    return {"from": "images/**", "max_pixels": LIMIT} | settings


FACES = {"path": "extract-faces", "extract_faces": stage(engine="dlib")}
WHOLE = {"path": "cluster", "cluster": stage(model="efficientnet", to="whole")}


@pytest.fixture(scope="module")
def things(colours) -> dict:
    """Settings: detect what is coloured, cut out what the sidecars hold, group it."""
    return {
        "path": "classes",
        "detect": stage(classes="red,green", weights=str(colours)),
        "extract_classes": stage(classes="thing"),
        "cluster": {"model": "efficientnet", "min_cluster_size": 2},
    }


@pytest.fixture(scope="module")
def finished(shared, tmp_path_factory, things) -> tuple[Dataset, str]:
    """The dataset after things, whole images and faces were looked at; the last words.

    Nobody may change it.
    """

    def make(folder: Path) -> None:
        dataset = lay_out(folder / "nasty")
        before = contents(dataset)
        for settings in (things, WHOLE, FACES):
            printed = dataset.run(settings=settings)
        assert contents(dataset) == before
        (folder / "printed.txt").write_text(printed)

    folder = once(tmp_path_factory, "nasty", make)
    return Dataset(folder / "nasty"), (folder / "printed.txt").read_text()


@pytest.fixture(scope="module")
def nasty(finished) -> Dataset:
    return finished[0]


def contents(dataset: Dataset) -> dict[str, str]:
    """File of the user's -> digest of what it holds, sidecars apart."""
    files = (dataset.folder / "images").rglob("*")
    return {
        str(p): digest_file(p) for p in files if p.is_file() and p.suffix != ".json"
    }


STAGES = [
    ("faces", "faces"),
    (".detect", "detections"),
    ("crops", "classes"),
    ("whole", "embeddings"),
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: ascii(row.path)[1:-1])
def test_each_file_is_handled_as_listed(nasty, row, survived):
    survived["nasty files"] += 1
    for bucket, tables in STAGES:
        found = fates(nasty.folder, bucket, tables)
        where = [fate for fate, paths in found.items() if row.path in paths]
        assert where == ([] if row.fate == "not listed" else [row.fate])
        if row.fate in ("failed", "passed over"):
            reason = found[row.fate][row.path]
            assert PASSED_OVER.get(row.kind, "cannot be decoded: ") in reason
            assert reason.isprintable() and "0x" not in reason
    if row.fate == "done":
        assert_decoded_well(nasty.folder, row)
        assert_cut_out(nasty.folder, row)
        assert_laid_out(nasty.folder, row)
    survived["nasty files right"] += 1


def assert_decoded_well(folder: Path, row: Row) -> None:
    """Upright RGB, the picture that it is said to be, white where it is transparent."""
    found = decode.read(folder / row.path)
    assert found.dtype == np.uint8 and found.shape[2:] == (3,)
    for example, alike in LIKE.items():
        if re.fullmatch(f"images/({alike})", row.path):
            assert_alike(found, decode.read(folder / "images" / example))
    if row.kind in ODD:
        return
    with Image.open(folder / row.path) as stored:
        if stored.has_transparency_data and stored.mode != "P" and not stored.getexif():
            rgba = np.asarray(stored.convert("RGBA")).astype(float)
            share = rgba[..., 3:] / 255
            expected = share * rgba[..., :3] + (1 - share) * 255
            np.testing.assert_allclose(found, expected, atol=1)
    if row.kind in ("all_black", "all_white"):
        assert (found == (255 if row.kind == "all_white" else 0)).all()
    elif found.size > 1000 and row.kind != "12bit_tiff":  # that one is a dark picture
        assert np.ptp(found) > 100


def assert_cut_out(folder: Path, row: Row) -> None:
    """There is one crop of the whole picture, and one place for it among the clusters."""
    (crop,) = crops(folder / "crops")[row.path]
    told = sidecars.read(crop)["provenance"]
    assert told["digest"] == digest_file(folder / row.path)
    shown, picture = decode.read(crop), decode.read(folder / row.path)
    assert shown.shape == picture.shape
    assert np.abs(shown.astype(float) - picture).mean() < 8
    grouped = members(folder / "cluster")
    assert grouped.count(f"crops/{crop.name}") == 1


def assert_laid_out(folder: Path, row: Row) -> None:
    """The image lies in one folder of the clusters, with its sidecar."""
    assert members(folder / "whole").count(row.path) == 1
    (copy,) = copies(folder)[row.path]
    assert digest_file(copy) == digest_file(folder / row.path)
    assert sidecars.read(copy) == sidecars.read(folder / row.path)


@cache
def copies(folder: Path) -> dict[str, list[Path]]:
    """Image -> where it lies among the clusters of whole images."""
    rows = read_table(folder / ".dtst/buckets/whole/embeddings/s.jsonl")
    names = {f"{row['stem']}{Path(row['path']).suffix}": row["path"] for row in rows}
    assert len(names) == len(IMAGES)
    laid_out: dict[str, list[Path]] = {}
    for path in (folder / "whole").glob("*/*"):
        if path.name in names:
            laid_out.setdefault(names[path.name], []).append(path)
    return laid_out


def test_the_summary_tells_what_failed(finished):
    nasty, printed = finished
    failed = sum(row.fate == "failed" for row in ROWS)
    passed_over = sum(row.fate == "passed over" for row in ROWS) + 1  # inner.txt
    assert f"{len(IMAGES)} images: " in printed
    assert f"{failed} images could not be processed" in printed
    assert f"{passed_over} files were passed over" in printed
    assert "failed: 'images/bad/error_page.png': cannot be decoded: no image" in printed
    assert f"... and {failed - 3} more, listed in {nasty.folder}" in printed


def test_a_second_run_has_nothing_to_do_and_strictness_fails(nasty, tmp_path):
    nasty = nasty.copy(tmp_path)
    words = ["extract-faces", "-d", str(nasty.folder), "--from", "images/**"]
    words += ["--engine", "dlib", "--max-pixels", str(LIMIT)]
    before = nasty.results()
    assert "nothing to do" in nasty.dtst(*words)
    printed = nasty.dtst(*words, "--strict", ok=False)
    failed = sum(row.fate == "failed" for row in ROWS)
    assert f"{failed} images failed and --strict was given; first: " in printed
    assert nasty.results() == before


def test_shards_and_workers_leave_no_trace(nasty, things, tmp_path):
    anew = lay_out(tmp_path / "nasty")
    for name in ("detect", "extract_classes"):
        things = things | {name: things[name] | {"workers": 2}}
    anew.run(settings=things | {"shard_size": 64})
    made = ("images/", "crops/", "cluster/")
    expected = {p: c for p, c in nasty.results().items() if p.startswith(made)}
    assert anew.results() == expected
    assert len(anew.jobs()) and anew.jobs()["extract_classes"] > 2
