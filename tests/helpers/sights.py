"""A dataset of shots of a few photos that pip brings, for whole images to be grouped."""

from importlib.metadata import files
from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance

from dtst_flow.imaging import decode
from helpers.dataset import Dataset

MODEL = {
    "path": "images",
    "cluster": {"model": "efficientnet", "count_duplicates": True},
}

PHOTOS = {
    "cat": ("scikit-image", "chelsea.png"),
    "coffee": ("scikit-image", "coffee.png"),
    "motorcycle": ("scikit-image", "motorcycle_left.png"),
    "rocket": ("scikit-image", "rocket.jpg"),
    "temple": ("scikit-learn", "china.jpg"),
    "flower": ("scikit-learn", "flower.jpg"),
}
SHOTS = 7


def shots(photo: np.ndarray, chance: np.random.Generator):
    """Take shots of a photo: other frames, sizes and light, some mirrored."""
    height, width = photo.shape[:2]
    for _ in range(SHOTS):
        share = chance.uniform(0.75, 0.95)
        frame = np.array([width, height]) * share
        corner = chance.uniform(0, 1, 2) * ((width, height) - frame)
        picture = Image.fromarray(photo).resize(
            tuple((frame * chance.uniform(0.5, 1)).astype(int)),
            Image.Resampling.BICUBIC,
            (*corner, *(corner + frame)),
        )
        if chance.uniform() < 0.5:
            picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        for kind in (ImageEnhance.Brightness, ImageEnhance.Color):
            picture = kind(picture).enhance(chance.uniform(0.7, 1.3))
        yield picture


def write(folder: Path) -> None:
    """Write the shots."""
    chance = np.random.default_rng(0)
    for name, (package, file_name) in PHOTOS.items():
        path = next(Path(f.locate()) for f in files(package) if f.name == file_name)
        for i, picture in enumerate(shots(decode.read(path), chance)):
            target = folder / f"images/roll{i % 2}/{name}_{i}.jpg"
            target.parent.mkdir(parents=True, exist_ok=True)
            picture.save(target)


def found_in(dataset: Dataset) -> dict[str, int]:
    """Image -> its cluster's rank."""
    return {
        member["path"]: cluster["rank"]
        for cluster in dataset.clusters()["clusters"]
        for member in cluster["members"]
    }


def images_of(dataset: Dataset) -> list[str]:
    paths = (dataset.folder / "images").rglob("*.jpg")
    return sorted(path.relative_to(dataset.folder).as_posix() for path in paths)
