"""How many labelled faces an engine finds, how many it imagines, and at what cost.

    python tests/benchmarks/face_recall.py --engine mediapipe --weights face_landmarker.task yunet_n_dynamic.onnx --data DATA

DATA holds photos and these tables, whose `file` columns are relative to it:

face_boxes.csv       hand-drawn boxes x1, y1, x2, y2 with a label; the label face_ignore,
                     or none with an empty box, does not count
no_person.csv        photos without people: whatever is found there is false
groups.csv           min_faces_expected and max_faces_expected, counted by eye
composite_faces.csv  faces pasted on photos, with box and visible_fraction
identities.csv       portraits of somebody; every fifth is also shown on its sides and its
                     head, and so is every other labelled photo

A labelled face is found when a box overlaps its own by IOU or more. Photos are read
before the clock starts; times are CPU time of all threads. At the end the whole way from a
JPEG to crops in memory is timed on photos of two sizes, beside the bare loop: decode, shrink
to 640 pixels, one run of YuNet, cut and encode the faces that the engine found, nothing else
(the engines yunet and mediapipe).
"""

import argparse
import csv
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import closing
from hashlib import sha256
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
from onnxruntime import InferenceSession
from PIL import Image

from dtst_flow.faces import alignment, crop, turning
from dtst_flow.faces.base import Engine, Face
from dtst_flow.faces.engines import MODELS, open_engine
from dtst_flow.imaging import decode, encode
from dtst_flow.models.onnx import open_session

IOU = 0.35
"""Least intersection over union; the hand-drawn boxes are loose."""

Row = dict[str, str]


class Finder:
    """Runs an engine on photos of a data folder and keeps the time."""

    def __init__(self, engine: Engine, data: Path):
        self._engine = engine
        self._data = data
        self.photos = 0
        self.seconds = 0.0

    def __call__(self, photo: str, quarters: int = 0) -> list[Face]:
        """Find the faces of a photo turned clockwise by so many quarters."""
        image = turning.turn(decode.read(self._data / photo), quarters)
        start = time.process_time()
        faces = self._engine.find(image)
        self.seconds += time.process_time() - start
        self.photos += 1
        return faces

    def lap(self) -> str:
        """Return the mean time of the photos since the last lap."""
        text = f"{1000 * self.seconds / self.photos:6.1f} ms a photo"
        self.photos, self.seconds = 0, 0.0
        return text


def table(data: Path, name: str) -> list[Row]:
    with (data / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def by_photo(rows: list[Row]) -> dict[str, list[Row]]:
    photos = defaultdict(list)
    for row in rows:
        photos[row["file"]].append(row)
    return photos


def overlap(row: Row, face: Face) -> float:
    """Return the intersection over union of a labelled box and a face."""
    box = np.array([float(row[side]) for side in ("x1", "y1", "x2", "y2")])
    other = np.array(face.box)
    low, high = np.maximum(box[:2], other[:2]), np.minimum(box[2:], other[2:])
    shared = (high - low).clip(0).prod()
    return shared / ((box[2:] - box[:2]).prod() + face.area - shared)


def half(photo: str) -> str:
    """Tell which half of the photos this one is in, by a hash of its name."""
    return "AB"[sha256(photo.encode()).digest()[0] % 2]


def recall(finder: Finder, photos: dict[str, list[Row]], group: str) -> None:
    """Print the share of labelled faces that are found: all, by half and by a column."""
    found = defaultdict(list)
    for photo, rows in photos.items():
        faces = finder(photo)
        for row in rows:
            hit = any(overlap(row, face) >= IOU for face in faces)
            for key in ("all", f"half {half(photo)}", f"{group} {row[group]}"):
                found[key].append(hit)
    for key, hits in sorted(found.items()):
        print(f"  {key:34} {np.mean(hits):5.3f} of {len(hits)}")


def heads_up(finder: Finder, photos: list[str], quarters: int) -> str:
    """Turn photos and tell how many show a face then, and how many one as they stand."""
    seen = upright = 0
    for photo in photos:
        faces = finder(photo, quarters)
        seen += bool(faces)
        upright += bool(faces) and faces[0].turned == (-90 * quarters) % 360
    return f"{seen} of {len(photos)} with a face, {upright} of them head up"


def seconds(work: Callable[[], object]) -> float:
    """Return the CPU time of a call, the least of three."""
    times = []
    for _ in range(3):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return min(times)


def whole(engine: Engine, content: bytes) -> list[Face]:
    """Go from a JPEG to the crops of its faces, as extract-faces does."""
    image = decode.read(content)
    faces = engine.find(image)
    for face in faces:
        encode.encode(crop.cut(image, alignment.quad(face.points)))
    return faces


def bare(session: InferenceSession, content: bytes, faces: list[Face]) -> None:
    """Do the least that anybody has to for the same crops."""
    image = np.asarray(Image.open(BytesIO(content)))
    small = cv2.resize(image, (640, 480), interpolation=cv2.INTER_AREA)[..., ::-1]
    session.run(None, {"input": small.transpose(2, 0, 1)[None].astype(np.float32)})
    for face in faces:
        file = BytesIO()
        cut = crop.cut(image, alignment.quad(face.points))
        Image.fromarray(cut).save(file, "JPEG", quality=95, subsampling="4:4:4")


def costs(engine: Engine, detector: Path, photos: list[Path]) -> None:
    """Print what an image costs from JPEG to crops, beside the bare loop."""
    session = open_session(detector)
    cv2.setNumThreads(1)
    for size in ((1280, 960), (4000, 3000)):
        ours, least = [], []
        for photo in photos:
            image = cv2.resize(decode.read(photo), size)[..., ::-1]
            content = cv2.imencode(".jpg", image)[1].tobytes()
            faces = whole(engine, content)
            ours.append(seconds(lambda content=content: whole(engine, content)))
            least.append(
                seconds(
                    lambda content=content, faces=faces: bare(session, content, faces)
                )
            )
        print(
            f"{size[0]} x {size[1]}: {1000 * np.mean(ours):.1f} ms an image, bare "
            f"{1000 * np.mean(least):.1f} ms, {np.sum(ours) / np.sum(least):.2f} x"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--engine", choices=MODELS, required=True)
    parser.add_argument(
        "--weights",
        type=Path,
        nargs="+",
        required=True,
        help="its model files; mediapipe without the second is --no-search",
    )
    parser.add_argument("--data", type=Path, required=True, help="folder of the tables")
    options = parser.parse_args()
    data = options.data
    engine = open_engine(options.engine, options.weights)
    with closing(engine):
        finder = Finder(engine, data)
        finder("faces_group/bbt1.jpg")
        finder.lap()

        labelled = by_photo(table(data, "face_boxes.csv"))
        for photo, rows in labelled.items():
            labelled[photo] = [
                r for r in rows if r["label"] not in ("face_ignore", "none")
            ]
        print(f"labelled faces, {len(labelled)} photos")
        recall(finder, labelled, "label")
        print(f"  {finder.lap()}")

        empty = table(data, "no_person.csv")
        false = sum(len(finder(row["file"])) for row in empty)
        print(
            f"photos without people: {false} false faces in {len(empty)}{finder.lap()}"
        )

        print("pasted faces")
        rows = [row for row in table(data, "composite_faces.csv") if row["x1"]]
        recall(finder, by_photo(rows), "placement")
        print(f"  {finder.lap()}")

        groups = table(data, "groups.csv")
        right = sum(
            int(row["min_faces_expected"])
            <= len(finder(row["file"]))
            <= int(row["max_faces_expected"])
            for row in groups
        )
        print(f"group photos: {right} of {len(groups)} counts right{finder.lap()}")

        portraits = by_photo(table(data, "identities.csv"))
        seen = sum(bool(finder(photo)) for photo in portraits)
        print(f"portraits: {seen} of {len(portraits)} with a face{finder.lap()}")
        several = {
            "portraits": list(portraits)[::5],
            "labelled": list(labelled)[::2],
        }
        for name, photos in several.items():
            for quarters in range(4):
                told = heads_up(finder, photos, quarters)
                print(f"{name} turned by {90 * quarters}: {told}{finder.lap()}")
        if "yunet" in options.weights[-1].name:
            photos = [data / photo for photo in list(labelled)[:20]]
            costs(engine, options.weights[-1], photos)


if __name__ == "__main__":
    main()
