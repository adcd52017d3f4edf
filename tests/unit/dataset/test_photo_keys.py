"""What is known of a photo, and what of it its crops take along."""

import json
from pathlib import Path

import pytest

from dtst_flow.dataset import photo_keys, sidecars
from dtst_flow.dataset.scan import scan

TOLD = {
    "title": "a.jpg",
    "geoData": {"latitude": 12.5},
    "people": [{"name": "A Person"}],
    "url": "https://photos.example/x",
}


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("photo", "told"),
    [
        ("a.jpg", "a.jpg.supplemental-metadata.json"),
        (
            "IMG_20240102_030405678.jpg",
            "IMG_20240102_030405678.jpg.supplemental-metada.json",
        ),
        ("x" * 40 + ".jpg", "x" * 40 + ".jpg.s.json"),
        ("x" * 50 + ".jpg", "x" * 46 + ".json"),
        ("a(1).jpg", "a.jpg.supplemental-metadata(1).json"),
        ("a(1).jpg", "a.jpg(1).json"),
    ],
)
def test_takeout_tells_of_a_photo_by_any_of_its_names(photo, told):
    Path("images").mkdir()
    Path("images", photo).touch()
    Path("images", told).write_text(json.dumps(TOLD | {"classes": {}}))
    assert photo_keys.read(f"images/{photo}") == TOLD
    assert scan(".", ["images"]).skipped == {}
    assert len(scan(".", [f"images/{photo[:1]}*.jpg"]).files) == 2
    # The sidecar counts more; and detect writes into it alone.
    sidecars.write(f"images/{photo}", {"title": "mine", "classes": {"red": []}})
    both = photo_keys.read(f"images/{photo}")
    assert both == TOLD | {"title": "mine", "classes": {"red": []}}


def test_a_file_of_takeouts_that_is_none_is_ignored(caplog):
    Path("a.jpg.supplemental-metadata.json").write_text("[1]")
    assert photo_keys.read("a.jpg") == {}
    assert "it is ignored" in caplog.text


def test_a_file_of_another_program_in_place_of_a_sidecar_costs_no_crop(caplog):
    Path("a.jpg.json").write_text('[{"SourceFile": "a.jpg"}]')
    keys, (why,) = photo_keys.for_crops("a.jpg", None)
    assert keys == {} and "holds no JSON object" in why and why in caplog.text


def test_by_default_where_and_who_stay_behind_at_any_depth():
    exif = {"GPSLatitude": 1, "Make": "X", "Composite:GPSPosition": 2}
    private = {
        "XMP-iptcExt:PersonInImage": ["Ann"],
        "geoDataExif": {},
        "Sub-location": 1,
    }
    keys = TOLD | private | {"EXIF": exif, "tags": [{"lat": 1, "x": 2}], "metrics": {}}
    assert photo_keys.travelling(keys, None) == {
        "title": "a.jpg",
        "EXIF": {"Make": "X"},
        "tags": [{"x": 2}],
    }
    plain = {
        "license": "CC0",
        "source": "flickr",
        "geometry": 1,
        "latency": 3,
        "gaps": 1,
    }
    assert photo_keys.travelling(plain, None) == plain


@pytest.mark.parametrize(
    ("keep", "kept"),
    [
        ("title, geo*", {"title", "geoData"}),
        (["people"], {"people"}),
        ("*", {*TOLD}),
        ("classes", set()),
        ("", set()),
    ],
)
def test_keys_that_are_named_travel_whole(keep, kept):
    told = photo_keys.travelling(TOLD | {"classes": {}}, keep)
    assert told == {key: TOLD[key] for key in kept}
