"""A dataset of four photos of coloured things, for which there is a detector."""

from pathlib import Path

from PIL import Image

from dtst_flow.dataset import sidecars
from helpers import colour_detector
from helpers.dataset import Dataset

THINGS = {
    "left.png": {(20, 40, 60, 80): "red"},
    "both.png": {(20, 40, 60, 80): "red", (160, 8, 240, 120): "red"},
    "mixed.png": {(20, 40, 60, 80): "green", (160, 8, 240, 120): "blue thing"},
    "bare.png": {},
}
SIDECAR = {"source": "flickr", "license": "CC0"}


def write(folder: Path) -> Dataset:
    """Write the photos, one of them with a sidecar of the user's."""
    dataset = Dataset(folder / "things")
    (dataset.folder / "images").mkdir(parents=True)
    for name, found in THINGS.items():
        photo = Image.fromarray(colour_detector.photo(256, 128, found))
        photo.save(dataset.folder / "images" / name)
    sidecars.write(dataset.folder / "images/both.png", SIDECAR)
    return dataset
