"""extract-frames as a user lives with it: videos in, images out, faces of these."""

import json
from pathlib import Path

import pytest
from PIL import Image

from dtst_flow.imaging import decode
from helpers.dataset import DLIB, NOTHING, Dataset
from helpers.videos import pattern, write

SETTINGS = {"path": "extract-frames", "extract_frames": {"keyframes": 1}}


@pytest.fixture
def film(tmp_path, group_photo) -> Dataset:
    """A video that ends with a group photo, and a file that is none."""
    dataset = Dataset(tmp_path / "film")
    group = decode.read(group_photo)
    group = group[: group.shape[0] // 2 * 2, : group.shape[1] // 2 * 2]
    views = [pattern(1, group.shape[1::-1]), group]
    frames = (views[number // 10] for number in range(20))
    write(dataset.folder / "videos/clip.mp4", frames, gop=10)
    (dataset.folder / "videos/broken.mov").write_bytes(b"no video")
    return dataset


def test_from_videos_to_faces(film):
    words = ("-d", "film", "--from", "videos", "--to", "images/frames", "-k", "1")
    looked = ("-d", "film", "--from", "videos", "--engine", "dlib")
    refused = film.dtst("extract-faces", *looked, ok=False)
    assert "there is no image in 'videos'" in refused
    assert "dtst extract-frames --from 'videos' makes images" in refused

    printed = film.dtst("extract-frames", *words)
    assert "2 videos in videos (2 new or changed) -> images/frames" in printed
    assert "  1 videos: 2 frames\n  1 videos could not be processed\n" in printed
    assert "broken.mov': cannot be decoded: no video of a known type" in printed
    made = sorted(p.name for p in (film.folder / "images/frames").iterdir())
    names = ["clip_00000000.jpg", "clip_00001000.jpg"]
    assert made == sorted([*names, *(f"{name}.json" for name in names)])
    forecast = film.dtst("extract-frames", *words, "-n")
    assert "2 videos, 1 to compute, 1 known from records" in forecast

    assert NOTHING in film.run("-n", settings=SETTINGS)  # Snakemake alone says so, too
    write(film.folder / "videos/more.avi", [pattern(2)] * 3)
    (film.folder / "images/frames/clip_00000000.jpg").unlink()
    film.run(settings=SETTINGS)
    assert film.computed() == {
        "extract_frames": 2
    }  # the new one, and that of the frame
    assert len(list((film.folder / "images/frames").glob("*.jpg"))) == 3

    faces = {"path": "extract-faces", "extract_faces": {"from": "images/frames"}}
    faces["extract_faces"] |= DLIB["extract_faces"]
    film.run(settings=faces)
    crops = sorted((film.folder / "faces").glob("clip_00001000_*.jpg"))
    assert crops and Image.open(crops[0]).width > 20
    said = json.loads(Path(f"{crops[0]}.json").read_text())["provenance"]
    assert said["image"] == "images/frames/clip_00001000.jpg"
