"""Whether the quality of a face says how well its person can be told by it.

    python tests/benchmarks/face_quality.py FOLDER --detector det_500m.onnx \
        --arcface w600k_mbf_int8.onnx

FOLDER holds photos in folders named after who is in them, at any depth; the largest face
of each counts. A face's likeness is the cosine of its embedding and the mean of its
person's others. Every fourth face is degraded step by step as well: blurred by gaussians of
so many hundredths of the distance between the eyes, or shrunk until so many pixels are
between them and enlarged again.
"""

import argparse
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median

import cv2
import numpy as np
from scipy.stats import spearmanr

from dtst_flow.embed.arcface import ArcfaceEmbedder, align
from dtst_flow.faces import alignment, quality
from dtst_flow.faces.base import Face
from dtst_flow.faces.engines import open_engine
from dtst_flow.faces.sharpness import sharpness
from dtst_flow.imaging import decode

ORIGINAL = "as it is"
BLURS, SIZES = (2, 4, 8, 16), (32, 16, 8)
EVERY = 4
LEAST = 4
"""Photos of a person that make a mean to compare with."""


@dataclass
class Shown:
    """A face, as it is or degraded."""

    face: int
    kind: str
    person: str
    metrics: quality.Metrics
    vector: np.ndarray
    seconds: float


def degraded(image: np.ndarray, eyes: float) -> Iterator[tuple[str, np.ndarray, float]]:
    """Yield name, picture and pixels between the eyes, each worse than the one before."""
    for percent in BLURS:
        blurred = cv2.GaussianBlur(image, (0, 0), eyes * percent / 100)
        yield f"blur {percent}", blurred, eyes
    for pixels in SIZES:
        factor = min(1.0, pixels / eyes)
        small = cv2.resize(
            image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA
        )
        yield f"size {pixels}", cv2.resize(small, image.shape[1::-1]), eyes * factor


def views(image: np.ndarray, face: Face, often: bool) -> Iterator[tuple]:
    """Yield name, picture, points and pixels between the eyes of what is to be shown."""
    points = np.array(face.points)
    quad = alignment.quad(points)
    low = np.floor(quad.min(axis=0)).clip(min=0).astype(int)
    high = np.ceil(quad.max(axis=0)).astype(int)
    near = image[low[1] : high[1], low[0] : high[0]]
    eyes = float(np.hypot(*(points[1] - points[0])))
    yield ORIGINAL, near, points - low, eyes
    for name, worse, left in degraded(near, eyes) if often else ():
        yield name, worse, points - low, left


def look(folder: Path, detector: Path, arcface: Path) -> list[Shown]:
    """Measure the largest face of every photo."""
    shown: list[Shown] = []
    embedder = ArcfaceEmbedder(arcface)
    with closing(open_engine("scrfd", [detector])) as engine, closing(embedder):
        for number, path in enumerate(sorted(folder.rglob("*.jpg"))):
            image = decode.read(path)
            found = engine.find(image)
            if not found:
                continue
            face = max(found, key=lambda face: face.area)
            for kind, near, points, eyes in views(image, face, number % EVERY == 0):
                begun = time.process_time()
                sharp = sharpness(near, points)
                metrics = quality.measure(points, face.score, sharp)
                taken = time.process_time() - begun
                metrics["face_size"] = eyes
                metrics["quality"] = quality.quality(metrics)
                (vector,) = embedder.run([align(near, points)])
                vector /= np.linalg.norm(vector)
                person = path.parent.name
                shown.append(Shown(number, kind, person, metrics, vector, taken))
    return shown


def likeness(shown: list[Shown]) -> list[float | None]:
    """The cosine of each to the mean of its person's other faces."""
    people = defaultdict(list)
    for one in shown:
        if one.kind == ORIGINAL:
            people[one.person].append(one)
    cosines: list[float | None] = []
    for one in shown:
        others = [o.vector for o in people[one.person] if o.face != one.face]
        middle = np.sum(others, axis=0) if len(others) >= LEAST - 1 else None
        cosines.append(
            None if middle is None else one.vector @ middle / np.linalg.norm(middle)
        )
    return cosines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--detector", type=Path, required=True)
    parser.add_argument("--arcface", type=Path, required=True)
    words = parser.parse_args()
    cv2.setNumThreads(1)
    every = look(words.folder, words.detector, words.arcface)
    known = [
        (one, float(cosine))
        for one, cosine in zip(every, likeness(every), strict=True)
        if cosine is not None
    ]
    originals = {o.face: o.metrics for o, _ in known if o.kind == ORIGINAL}
    print(f"{len(originals)} faces, {len(known)} with the degraded ones")
    print(f"{1000 * mean(one.seconds for one in every):.2f} ms of CPU a face\n")

    print("rank correlation with likeness  as they are  with degraded ones")
    first = [pair for pair in known if pair[0].kind == ORIGINAL]
    for name in ("quality", "face_size", "sharpness", "score"):
        row = [
            spearmanr([o.metrics[name] for o, _ in some], [c for _, c in some])[0]
            for some in (first, known)
        ]
        print(f"{name:<32}{row[0]:>11.2f}{row[1]:>20.2f}")

    print("\n                quality  likeness  below its original")
    for kind in dict.fromkeys(one.kind for one, _ in known):
        some = [(o, c) for o, c in known if o.kind == kind]
        below = mean(
            o.metrics["quality"] < originals[o.face]["quality"] for o, _ in some
        )
        values = median(o.metrics["quality"] for o, _ in some)
        cosine = median(c for _, c in some)
        told = "" if kind == ORIGINAL else f"{below:20.1%}"
        print(f"{kind:<16}{values:7.2f}{cosine:10.2f}{told}")

    print("\nyaw, degrees  faces  quality  likeness")
    for low, high in [(0, 10), (10, 20), (20, 35), (35, 60), (60, 90)]:
        some = [(o, c) for o, c in first if low <= abs(o.metrics["yaw"]) < high]
        if some:
            values = median(o.metrics["quality"] for o, _ in some)
            cosine = median(c for _, c in some)
            print(f"{low:>5}-{high:<6}{len(some):>7}{values:9.2f}{cosine:10.2f}")

    print("\nquality   faces  mean likeness")
    for tenth in range(10):
        some = [c for o, c in known if tenth <= 10 * o.metrics["quality"] < tenth + 1]
        if some:
            span = f"{tenth / 10:.1f}-{(tenth + 1) / 10:.1f}"
            print(f"{span:<8}{len(some):>7}{mean(some):13.2f}")


if __name__ == "__main__":
    main()
