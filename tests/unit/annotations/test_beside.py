"""Where detect cannot keep boxes is known, and told, before it looks."""

from pathlib import Path

import pytest

from dtst_flow.annotations import beside
from dtst_flow.annotations.detections import sidecar_stat
from dtst_flow.annotations.ownership import Ownership
from dtst_flow.annotations.visited import Visited
from dtst_flow.dataset import sidecars
from dtst_flow.dataset.containment import BadBucket

PHOTOS = ["images/nas/a.jpg", "images/b.jpg", "c.jpg"]


@pytest.fixture(autouse=True)
def dataset(tmp_path, monkeypatch) -> Path:
    """With photos, of which those in nas are in an archive elsewhere."""
    monkeypatch.chdir(tmp_path)
    Path("archive").mkdir()
    Path("dataset/images").mkdir(parents=True)
    Path("archive/a.jpg").touch()
    Path("dataset/images/nas").symlink_to(tmp_path / "archive")
    monkeypatch.chdir("dataset")
    return tmp_path


def test_a_folder_out_of_the_dataset_is_refused(dataset):
    with pytest.raises(BadBucket, match=r"'images/nas' leads out .* ln -s"):
        beside.check_inside(PHOTOS)
    beside.check_inside(PHOTOS[1:])


def test_links_to_single_photos_do(dataset):
    Path("images/nas").unlink()
    Path("images/nas").mkdir()
    Path("images/nas/a.jpg").symlink_to(dataset / "archive/a.jpg")
    beside.check_inside(PHOTOS)


def test_nothing_is_written_there_whatever_was_checked(dataset):
    with pytest.raises(sidecars.BrokenSidecar, match="leads out"):
        Ownership("notes", Visited("looked")).put(PHOTOS[0], "v1", {"red": []})
    assert [path.name for path in (dataset / "archive").iterdir()] == ["a.jpg"]


def test_a_folder_that_is_not_to_be_written_into_is_named(monkeypatch):
    assert beside.why_read_only(PHOTOS[1:]) is None
    monkeypatch.setattr(
        beside,
        "why_not_writable",
        lambda f: "it is Ann's" if f == Path("images") else "",
    )
    said = beside.why_read_only(PHOTOS[1:])
    assert said and said.startswith("'images' cannot be written to: it is Ann's; ")


@pytest.mark.parametrize("content", ["[]", "{", '{"classes": ["person"]}'])
def test_files_of_other_programs_in_place_of_sidecars_are_told(content):
    Path("c.jpg.json").write_text(content)
    sidecars.write("images/b.jpg", {"classes": {}})
    (said,) = beside.unusable(PHOTOS, {})
    assert "c.jpg.json" in said
    # What detect wrote itself is not read again.
    known = {path: sidecar_stat(path) for path in PHOTOS}
    assert beside.unusable(PHOTOS, known) == []
