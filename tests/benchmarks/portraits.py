"""Photos to measure with: portraits of 1280 x 960, made from those that packages bring."""

from importlib.metadata import files as packaged
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from dtst_flow.faces import alignment
from dtst_flow.faces.base import Engine, Face
from dtst_flow.imaging import decode

WIDTH, HEIGHT = 1280, 960
PLACES = (
    (560, 640, 480),
    (640, 640, 270),
    (720, 560, 480),
    (800, 640, 340),
    (680, 740, 500),
    (640, 260, 480),
    (600, 600, 460),
    (800, 920, 500),
)
"""Side and centre x, y of the face square in a portrait; every other one reaches outside."""


def packaged_photos() -> list[Path]:
    """Return photos of faces that the engines' packages and their dependencies bring."""
    photos = {
        "insightface": "t1.jpg",
        "scikit-image": "astronaut.png",
        "matplotlib": "grace_hopper.jpg",
    }
    return [
        Path(file.locate())
        for package, name in photos.items()
        for file in packaged(package) or ()
        if file.name == name
    ]


def photos_in(folder: Path) -> list[Path]:
    """Return the photos in a folder and all below."""
    return sorted(p for p in folder.rglob("*") if p.suffix.lower() in decode.SUFFIXES)


def portrait(
    photo: np.ndarray, face: Face, side: float, x: float, y: float
) -> np.ndarray:
    """Scale and shift a photo so that the square of a face gets this side and centre.

    Where the photo ends, its mirror image goes on.
    """
    square = alignment.quad(face.points)
    scale = side / alignment.side(square)
    shift = (x, y) - scale * square.mean(axis=0)
    return cv2.warpAffine(
        photo,
        np.column_stack([scale * np.eye(2), shift]),
        (WIDTH, HEIGHT),
        flags=cv2.INTER_CUBIC,
        borderMode=cv2.BORDER_REFLECT,
    )


def make(photos: list[Path], engine: Engine, folder: Path, count: int) -> None:
    """Write `count` JPEG portraits of the largest face in each of the photos, in turn.

    No two are alike: each is a little wider than the last of its face and place.
    """
    faces = []
    for photo in map(decode.read, photos):
        found = sorted(engine.find(photo), key=lambda face: face.area)
        faces += [(photo, face) for face in found[-1:]]
    if not faces:
        raise SystemExit("no face was found in any photo")
    folder.mkdir(parents=True)
    for number in range(count):
        turn, which = divmod(number, len(faces))
        photo, face = faces[which]
        side, x, y = PLACES[(turn + which) % len(PLACES)]
        picture = portrait(photo, face, side * (1 + turn / 1000), x, y)
        Image.fromarray(picture).save(folder / f"{number:05}.jpg", quality=92)
