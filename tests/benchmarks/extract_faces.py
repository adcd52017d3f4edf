"""CPU time of every step of face extraction, beside the way of FFHQ's own script.

    python tests/benchmarks/extract_faces.py --weights face_landmarker.task yunet_n_dynamic.onnx

Faces from photos are laid into portraits of 1280 x 960, in half of them so close to
an edge that the crop reaches past it. Times are CPU time of all threads of one
process. The engine comes into the total without its search for small faces.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from importlib.metadata import files as packaged
from pathlib import Path
from statistics import mean, median
from typing import Any

import cv2
import numpy as np
from ffhq import ffhq_reference
from PIL import Image

from dtst_flow.dataset.image_names import IMAGES
from dtst_flow.faces import alignment, crop
from dtst_flow.faces.base import Engine, Face
from dtst_flow.faces.mediapipe import MediapipeEngine
from dtst_flow.imaging import decode, encode
from dtst_flow.utils import files

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

OURS = ("read and digest", "decode", "find", "cut", "encode", "write")
THEIRS = ("cut, as FFHQ does",)
BESIDE = ("find, with search",)


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
    return sorted(p for p in folder.rglob("*") if IMAGES.has(str(p)))


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


def make_portraits(
    photos: list[Path], engine: Engine, folder: Path, count: int
) -> list[Path]:
    """Write `count` JPEG portraits of the largest face in each of the photos, in turn."""
    faces = []
    for photo in map(decode.read, photos):
        found = sorted(engine.find(photo), key=lambda face: face.area)
        faces += [(photo, face) for face in found[-1:]]
    paths = []
    for number in range(count if faces else 0):
        turn, which = divmod(number, len(faces))
        photo, face = faces[which]
        side, x, y = PLACES[(turn + which) % len(PLACES)]
        paths.append(folder / f"portrait-{number:03}.jpg")
        picture = Image.fromarray(portrait(photo, face, side, x, y))
        picture.save(paths[-1], quality=92)
    return paths


class Stopwatch:
    """Collects the CPU time of named steps, in milliseconds."""

    def __init__(self) -> None:
        self.times: dict[str, list[float]] = {}

    def __call__(self, step: str, function: Callable[..., Any], *arguments: Any) -> Any:
        """Run a step and return what it returns."""
        start = time.process_time()
        result = function(*arguments)
        took = 1000 * (time.process_time() - start)
        self.times.setdefault(step, []).append(took)
        return result

    def total(self, *steps: str) -> float:
        """Return the mean time of these steps together."""
        return sum(mean(self.times[step]) for step in steps)


def extract(
    path: Path, plain: Engine, searching: Engine, watch: Stopwatch
) -> np.ndarray | None:
    """Take one portrait through all steps; return the square of its largest face."""
    watch("read and digest", files.digest_file, path)
    image = watch("decode", decode.read, path)
    watch("find, with search", searching.find, image)
    found = watch("find", plain.find, image)
    if not found:
        return None
    points = max(found, key=lambda face: face.area).points
    quad = alignment.quad(points)
    cut = watch("cut", crop.cut, image, quad)
    watch("cut, as FFHQ does", ffhq_reference, image, quad)
    content = watch("encode", encode.encode, cut)
    watch("write", files.write_atomic, path.with_suffix(".crop.jpg"), content)
    return quad


def report(watch: Stopwatch) -> None:
    """Print the table of steps and the two totals."""
    total = watch.total(*OURS)
    print(f"{'step':30} {'median ms':>9} {'mean ms':>9} {'share':>6}")
    for step in OURS + BESIDE + THEIRS:
        times = watch.times[step]
        share = f"{mean(times) / total:6.0%}" if step in OURS else ""
        print(f"{step:30} {median(times):9.1f} {mean(times):9.1f} {share}")
    theirs = total + watch.total(*THEIRS) - watch.total("cut")
    print(f"{'total':30} {'':9} {total:9.1f}")
    print(f"{'total, as FFHQ does':30} {'':9} {theirs:9.1f}   {theirs / total:.1f} x")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--weights",
        type=Path,
        nargs=2,
        required=True,
        help="face_landmarker.task, and the model of yunet",
    )
    parser.add_argument(
        "--photos", type=Path, help="folder of photos (default: packaged)"
    )
    parser.add_argument("--images", type=int, default=24, help="portraits to measure")
    options = parser.parse_args()
    photos = photos_in(options.photos) if options.photos else packaged_photos()
    watch = Stopwatch()
    with (
        tempfile.TemporaryDirectory() as folder,
        closing(MediapipeEngine(options.weights[0])) as plain,
        closing(MediapipeEngine(*options.weights)) as searching,
    ):
        paths = make_portraits(photos, searching, Path(folder), options.images)
        for path in paths[:1]:
            extract(path, plain, searching, Stopwatch())
        squares = [extract(path, plain, searching, watch) for path in paths]
    found = [square for square in squares if square is not None]
    if not found:
        raise SystemExit("no face was found in any portrait")
    outside = sum(alignment.reaches_outside(square, WIDTH, HEIGHT) for square in found)
    print(
        f"{len(paths)} portraits of {WIDTH} x {HEIGHT}: a face in {len(found)}, "
        f"{outside} of their crops reach outside, mean side "
        f"{mean(map(alignment.side, found)):.0f} pixels\n"
    )
    report(watch)


if __name__ == "__main__":
    main()
