"""What a rerun tries again though no photo changed: all that failed for a reason that is
gone.
"""

import shutil

import pytest
from dataset import Dataset
from PIL import Image

from dtst_flow import sidecars

NOTHING = "Nothing to be done"


def settings(**values) -> dict:
    return {"path": "extract-classes", "extract_classes": {"from": "images", **values}}


@pytest.fixture
def dots(tmp_path) -> Dataset:
    """Two photos with a box each."""
    dataset = Dataset(tmp_path / "dots")
    (dataset.folder / "images").mkdir(parents=True)
    for name in ("a.png", "b.png"):
        photo = dataset.folder / "images" / name
        Image.new("RGB", (64, 64), "teal").save(photo)
        sidecars.write(photo, {"classes": {"dot": [{"box": [8, 8, 24, 24]}]}})
    return dataset


def crops_of(dataset: Dataset) -> list[str]:
    return sorted(path.name for path in (dataset.folder / "crops").glob("*.jpg"))


@pytest.mark.parametrize("in_the_way", ["a_dot.jpg", "a_dot.jpg.json"])
def test_what_stood_in_the_way_is_taken_away(dots, in_the_way):
    mine = dots.folder / "crops" / in_the_way
    mine.parent.mkdir()
    mine.write_text("the user's own")
    assert "1 images could not be processed" in dots.run(settings=settings())
    assert NOTHING in dots.run("-n", settings=settings())
    mine.unlink()
    dots.run(settings=settings())
    assert crops_of(dots) == ["a_dot.jpg", "b_dot.jpg"]
    assert dots.jobs() == {"extract_classes": 1}
    assert NOTHING in dots.run("-n", settings=settings())


def test_a_target_that_leads_into_a_source_is_refused(dots):
    (dots.folder / "crops").symlink_to("images")
    before = dots.results()
    printed = dots.run(settings=settings(), ok=False)
    assert "--to 'crops' and --from 'images' overlap" in printed
    assert dots.results() == before
