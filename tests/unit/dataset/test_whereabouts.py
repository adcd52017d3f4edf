"""What is said of a source without images: where they are."""

import pytest

from dtst_flow.dataset.containment import BadBucket
from dtst_flow.dataset.scan import scan
from dtst_flow.dataset.whereabouts import explain_empty


@pytest.fixture
def put(tmp_path):
    """Makes files in the dataset."""

    def make(*names: str) -> None:
        for name in names:
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()

    return make


def explain(folder, *specs: str) -> str:
    return explain_empty(folder, specs, scan(folder, specs).skipped)


@pytest.mark.parametrize(
    ("files", "spec", "hint"),
    [
        (
            ["images/s1/a.jpg", "images/s1/b.png", "images/s2/c.jpg"],
            "images",
            "3 images lie in subfolders of images: --from 'images/*'",
        ),
        (
            ["images/x/y/a.jpg", "images/.hidden/b.jpg"],
            "images/*",
            "1 image lies below images: --from 'images/**'",
        ),
        (
            ["images/x/a.jpg", "images/x/y/a.jpg"],
            "images",
            "2 images lie below images: --from 'images/**'",
        ),
        (
            ["photos/x/a.jpg", "b.txt"],
            ".",
            "1 image lies in subfolders of photos: --from 'photos/*'",
        ),
        (["images/a.txt", "c.jpg"], "images", "1 image lies loose in it: --from ."),
        (
            ["images/a.jpg", "images/s1/a.txt"],
            "images/s1",
            "1 file was passed over, first 'images/s1/a.txt': not an image type (.txt)",
        ),
    ],
)
def test_the_source_that_would_do_is_named(tmp_path, put, files, spec, hint):
    put(*files)
    said = explain(tmp_path, spec)
    assert said.startswith(f"there is no image in '{spec}'; ") and hint in said
    if "--from" in hint:
        named = hint.rpartition("--from ")[2].strip("'")
        count = int(hint.split()[0])
        assert len(scan(tmp_path, [named]).images) == count


def test_linked_folders_are_looked_into_as_a_scan_does(tmp_path, put):
    put("elsewhere/a.jpg")
    (tmp_path / "images").mkdir()
    (tmp_path / "images/disk").symlink_to("../elsewhere")
    (tmp_path / "images/up").symlink_to("..")
    assert "1 image lies in subfolders of images" in explain(tmp_path, "images")


def test_a_source_that_is_not_there_tells_of_loose_images(tmp_path, put):
    put("a.jpg", "b.jpg", "c.txt")
    with pytest.raises(
        BadBucket, match=r"no folders yet; 2 images lie loose in it: --"
    ):
        scan(tmp_path, ["images/*"])


def test_the_loose_files_of_the_dataset_are_a_source(tmp_path, put):
    put("a.jpg", "a.jpg.json", "b.txt", ".c.jpg", "faces/d.jpg", "other.json")
    listing = scan(tmp_path, ["."], to="faces")
    assert sorted(listing.files) == ["a.jpg", "a.jpg.json"]
    assert sorted(listing.skipped) == ["b.txt", "other.json"]
