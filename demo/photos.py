"""A demonstration dataset: many shots of a few people, made from photos that pip brings.

The shots are cut, turned, scaled and relit from one photo of each person, so they are far
easier to group than real photos of a person on different days.
"""

import csv
from dataclasses import dataclass
from importlib.metadata import files
from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance

from dtst_flow.faces.base import Face
from dtst_flow.faces.engines import open_engine
from dtst_flow.imaging import decode
from dtst_flow.models import store

SOURCES = {
    "cast": ("insightface", "t1.jpg", 6),
    "hanks": ("insightface", "Tom_Hanks_54745.png", 1),
    "hopper": ("matplotlib", "grace_hopper.jpg", 1),
    "collins": ("scikit-image", "astronaut.png", 1),
}
"""Photo -> the package that brings it, its file name there, the people in it."""

SHOTS = 9
"""Shots made of each person."""


@dataclass(frozen=True)
class Person:
    """A person, and where the photo shows the face: centre and width in pixels."""

    name: str
    centre: tuple[float, float]
    width: float


def write(folder: Path, seed: int = 0) -> None:
    """Write the shots below `folder`, and people.csv with who is where in them."""
    chance = np.random.default_rng(seed)
    rows = []
    for name, (package, file_name, count) in SOURCES.items():
        photo = decode.read(locate(package, file_name))
        people = find_people(name, photo, count)
        for person in people:
            for shot in range(SHOTS):
                path = Path(f"images/roll{shot % 2 + 1}/{person.name}_{shot}.jpg")
                picture, turn = take(photo, person, chance)
                target = folder / path
                target.parent.mkdir(parents=True, exist_ok=True)
                picture.save(target, quality=int(chance.integers(70, 96)))
                rows += [(path, p.name, *turn(p.centre)) for p in people]
    with open(folder / "people.csv", "w", newline="") as file:
        csv.writer(file).writerows([("image", "person", "x", "y"), *rows])


def find_people(name: str, photo: np.ndarray, count: int) -> list[Person]:
    """The people in a photo from left to right: the largest faces that dlib finds."""
    engine = open_engine("dlib", [store.resolve("dlib_68_points").path])
    largest = sorted(engine.find(photo), key=lambda face: -face.area)[:count]
    engine.close()
    return [
        Person(f"{name}{i}" if count > 1 else name, *_place(face))
        for i, face in enumerate(sorted(largest, key=lambda face: face.box), 1)
    ]


def _place(face: Face) -> tuple[tuple[float, float], float]:
    x0, y0, x1, y1 = face.box
    return ((x0 + x1) / 2, (y0 + y1) / 2), x1 - x0


def take(photo: np.ndarray, person: Person, chance: np.random.Generator):
    """Take one shot of a person: another frame, angle, size and light.

    Returns the picture and a function from a place in the photo to one in the shot.
    """
    face = chance.uniform(90, 170)  # pixels of the face in the shot
    scale = face / person.width
    angle = np.radians(chance.uniform(-15, 15))
    size = np.array([int(face * 2.4), int(face * chance.uniform(2.4, 3.0))])
    middle = size / 2 + chance.uniform(-0.25, 0.25, 2) * face
    spin = scale * np.array(
        [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    )

    def turn(place: tuple[float, float]) -> tuple[float, float]:
        return tuple((spin @ (np.array(place) - person.centre) + middle).round(1))

    back = np.linalg.inv(spin)
    offset = np.array(person.centre) - back @ middle
    data = (*back[0], offset[0], *back[1], offset[1])
    picture = Image.fromarray(photo).transform(
        tuple(size), Image.Transform.AFFINE, data, Image.Resampling.BICUBIC
    )
    for kind in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
        picture = kind(picture).enhance(chance.uniform(0.75, 1.3))
    return picture, turn


def locate(package: str, name: str) -> Path:
    """Where a package has a photo."""
    return next(Path(f.locate()) for f in files(package) if f.name == name)
