"""``dtst … -n``: it forecasts, and leaves a dataset as it is."""

import os
from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image

from dtst_flow.cli import run
from dtst_flow.cli.main import main
from dtst_flow.dataset import scan, sidecars
from dtst_flow.dataset.image_names import VIDEOS
from dtst_flow.dataset.state import state_of
from dtst_flow.imaging import video
from dtst_flow.utils.tables import write_table

CUT = ("extract-classes", "--from", "images", "--to", "crops")


@pytest.fixture(autouse=True)
def no_snakemake(monkeypatch, tmp_path):
    """Snakemake must not be started; what runs have cost is forgotten."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(run, "watch", lambda *_: pytest.fail("starts Snakemake"))


@pytest.fixture
def dataset(tmp_path) -> Path:
    """Three photos with two boxes each."""
    folder = tmp_path / "garden"
    (folder / "images").mkdir(parents=True)
    for number in range(3):
        path = folder / f"images/{number}.png"
        Image.new("RGB", (64, 48), (number, 90, 30)).save(path)
        boxes = [{"box": [0, 0, 20, 20]}, {"box": [10, 10, 40, 40]}]
        sidecars.write(path, {"classes": {"leaf": boxes}})
    return folder


def dtst(dataset: Path, *words: str, code: int = 0) -> str:
    """What a command prints on a dataset, whose listing it must leave as it is."""
    before = listing(dataset)
    result = CliRunner().invoke(main, [*words, "-d", str(dataset), "-n"])
    assert result.exit_code == code, result.output
    assert listing(dataset) == before
    return result.output


def listing(folder: Path) -> dict[str, tuple[int, int]]:
    """Path -> size and time, of a folder and all that is in it."""
    paths = [folder, *folder.rglob("*")]
    stats = {str(path): path.lstat() for path in paths}
    return {path: (stat.st_size, stat.st_mtime_ns) for path, stat in stats.items()}


def test_an_untouched_dataset_stays_untouched(dataset, monkeypatch):
    listed = []
    known = scan._take_all
    monkeypatch.setattr(
        scan, "_take_all", lambda *words: listed.append(words[1].name) or known(*words)
    )
    first, second = dtst(dataset, *CUT).splitlines()
    assert listed == ["images"]  # once
    assert first == (
        "extract-classes: 3 images, at most 6 crops to write, 0 there already"
    )
    assert second.startswith("  about ") and second.endswith("calibrated on 3 images")


def test_what_it_said_is_kept_in_the_users_cache(dataset, tmp_path):
    dtst(dataset, *CUT)
    assert len(list((tmp_path / "cache/dtst-flow/forecasts").iterdir())) == 1


def test_a_dataset_that_cannot_be_written_to_can_be_read(dataset, monkeypatch):
    for path in (dataset, dataset / "images"):
        path.chmod(0o555)
    monkeypatch.setattr(os, "access", lambda path, mode: path != dataset)
    try:
        printed = dtst(dataset, *CUT)
    finally:
        dataset.chmod(0o755)
    assert "3 images, at most 6 crops to write" in printed
    assert f"{dataset} cannot be written to: " in printed.splitlines()[-1]


def test_what_would_be_restored_is_said_and_not_touched(dataset):
    state = dataset / state_of("crops")
    write_table(state / "summary.json", [])
    write_table(state / "inventory/skipped.table", [])
    assert dtst(dataset, *CUT).startswith("Snakemake's notes (.snakemake) are gone")


def test_faces_to_come_are_those_of_a_trial(dataset):
    words = ("run", "faces", "--from", "images")
    config = dataset.parent / "dlib.yaml"
    config.write_text("extract_faces: {engine: dlib}\ncluster: {model: dlib}\n")
    printed = dtst(dataset, *words[:2], str(config), *words[2:])
    assert "extract-faces: 3 images, 3 to compute, 0 known from records" in printed
    assert "cluster: faces is not there yet; about 3 to come" in printed


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("cluster",), "cluster needs a source"),
        (("cluster", "--from", "nowhere", "--model", "dlib"), "nothing matches"),
        (("cluster", "--from", "images", "--to", "images"), "overlap"),
        (("cluster", "--from", "images", "--to", "../x"), "'../x'"),
        (("cluster", "--from", "images", "--top", "-1"), "cluster.top: -1"),
        (("detect", "--from", "images"), "detect needs classes"),
        (("extract-faces", "--weights", "/no/file"), "not a file: /no/file"),
        (("detect", "-m", "yolo26n", "-c", "cat"), "dtst models fetch yolo26n"),
    ],
)
def test_what_cannot_be_carried_out_is_told(
    dataset, words, sentence, monkeypatch, tmp_path
):
    monkeypatch.setenv("DTST_MODELS", str(tmp_path))
    assert sentence in dtst(dataset, *words, code=2)


def test_no_folder_is_told(tmp_path):
    result = CliRunner().invoke(main, [*CUT, "-d", str(tmp_path / "x"), "-n"])
    assert result.exit_code == 2 and "there is no dataset folder" in result.output
    assert not (tmp_path / "x").exists()


def test_words_for_snakemake_are_not_for_it(dataset):
    result = CliRunner().invoke(
        main, [*CUT, "-d", str(dataset), "-n", "--", "--forceall"]
    )
    assert result.exit_code == 0
    assert "for Snakemake, which -n does not start" in result.stderr


def test_a_library_that_is_missing_is_named_before_anything_starts(
    dataset, monkeypatch
):
    monkeypatch.setattr(video, "find_spec", lambda name: None)
    words = ("extract-frames", "--from", "videos")
    said = dtst(dataset, *words, code=2)
    assert said == (
        "error: extract-frames: reading videos needs PyAV: pip install av\n"
    )
    # Where jobs may run in environments of their own, it need not be here.
    passed = CliRunner().invoke(
        main, [*words, "-d", str(dataset), "-n", "--", "--sdm", "conda"]
    )
    assert "PyAV" not in passed.output


def test_videos_are_counted_as_videos_and_photos_told_apart(dataset):
    (dataset / "videos").mkdir()
    (dataset / "videos/a.MOV").write_bytes(b"x")
    (dataset / "videos/b.jpg").write_bytes(b"x")
    said = dtst(dataset, "extract-frames")
    assert said.startswith("extract-frames: 1 videos, 1 to compute, 0 known")
    found = scan.scan(dataset, ["videos"], kind=VIDEOS)
    assert found.images == ["videos/a.MOV"]
    assert found.skipped == {"videos/b.jpg": "an image, not a video"}
    words = ("extract-frames", "--from", "images", "--to", "frames")
    said = dtst(dataset, *words, code=2)
    assert "there is no video in 'images'; 6 files were passed over" in said
    words = ("cluster", "--from", "videos", "--model", "efficientnet")
    (dataset / "videos/b.jpg").unlink()
    said = dtst(dataset, *words, code=1)
    assert "1 video lies there: dtst extract-frames --from 'videos' makes" in said
