"""What a rerun tries again though no photo changed: all that failed for a reason that is
gone, and everything when Snakemake's memory is.
"""

import shutil

import pytest
from PIL import Image

from dtst_flow.dataset import sidecars
from helpers.dataset import Dataset

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


def test_a_home_that_cannot_be_written_to_needs_another_cache_alone(
    dots, tmp_path, monkeypatch
):
    (tmp_path / "home").touch()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert "2 images: 2 crops" in dots.run(settings=settings())


@pytest.mark.parametrize("in_the_way", ["a_dot.jpg", "a_dot.jpg.json"])
def test_what_stood_in_the_way_is_taken_away(dots, in_the_way):
    mine = dots.folder / "crops" / in_the_way
    mine.parent.mkdir()
    mine.write_text("the user's own")
    dots.run(settings=settings() | {"shard_size": 1})
    assert "1 images could not be processed" in dots.run(settings=settings())
    assert NOTHING in dots.run("-n", settings=settings())
    mine.unlink()
    dots.run(settings=settings())
    assert crops_of(dots) == ["a_dot.jpg", "b_dot.jpg"]
    assert dots.jobs() == {"extract_classes": 1}
    assert NOTHING in dots.run("-n", settings=settings())


def test_settings_and_photos_change_where_snakemake_lost_its_memory(dots):
    dots.run(settings=settings())
    dots.run(settings=settings(to="more"))
    (dots.folder / "images/a.png").rename(dots.folder / "images/c.png")
    sidecars.path_of(dots.folder / "images/a.png").rename(
        sidecars.path_of(dots.folder / "images/c.png")
    )
    shutil.rmtree(dots.folder / ".snakemake")
    dots.run(settings=settings(to="more"))
    dots.run(settings=settings(margin=0.5))
    assert crops_of(dots) == ["b_dot.jpg", "c_dot.jpg"]
    for name in crops_of(dots):
        with Image.open(dots.folder / "crops" / name) as crop:
            assert crop.size == (32, 32)
    assert NOTHING in dots.run("-n", settings=settings(margin=0.5))


def test_a_target_that_leads_into_a_source_is_refused(dots):
    (dots.folder / "crops").symlink_to("images")
    before = dots.results()
    printed = dots.run(settings=settings(), ok=False)
    assert "--to 'crops' and --from 'images' overlap" in printed
    assert dots.results() == before
