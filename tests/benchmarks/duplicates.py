"""How many copies are told for near-duplicates, and how many other photos wrongly are.

    python tests/benchmarks/duplicates.py --model arcface --weights w600k_mbf.onnx --detector det_500m.onnx --data DATA
    python tests/benchmarks/duplicates.py --model efficientnet --weights efficientnet_lite0.pth --data DATA

DATA holds photos and these tables, whose `file` columns are relative to it:

identities.csv     portraits of somebody, with their `identity`; for models of faces
visual_labels.csv  photos of things, with their `label`; for the others

Of each photo versions are made, which are its near-duplicates save for the mirrored one.
Models of faces see the crop of the largest face, found anew in every version. Any two
photos are a pair of others, whether of one label or not. Each is judged by the hash alone,
by the embedding alone, and by both, which is what counts.
"""

import argparse
import csv
import io
from collections import defaultdict
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance, ImageOps

from dtst_flow.embed.base import Sample
from dtst_flow.embed.embedders import MODELS, open_embedder
from dtst_flow.faces import alignment, crop
from dtst_flow.faces.engines import open_engine
from dtst_flow.imaging import decode
from dtst_flow.imaging.perceptual_hash import BITS, perceptual_hash

LONGEST = 1600
"""Pixels of a photo's longer side, at most: more would only take longer."""


def encoded(photo: Image.Image, kind: str, quality: int) -> Image.Image:
    file = io.BytesIO()
    photo.save(file, kind, quality=quality)
    return Image.open(file).convert("RGB")


def without_border(photo: Image.Image, share: float) -> Image.Image:
    x, y = round(photo.width * share), round(photo.height * share)
    return photo.crop((x, y, photo.width - x, photo.height - y))


VERSIONS: dict[str, Callable[[Image.Image], Image.Image]] = {
    "JPEG quality 30": lambda photo: encoded(photo, "JPEG", 30),
    "WebP quality 60": lambda photo: encoded(photo, "WEBP", 60),
    "half the size": lambda photo: encoded(photo.reduce(2), "JPEG", 85),
    "2 % off each side": lambda photo: without_border(photo, 0.02),
    "5 % off each side": lambda photo: without_border(photo, 0.05),
    "brighter": lambda photo: ImageEnhance.Brightness(photo).enhance(1.12),
    "mirrored": ImageOps.mirror,
}


def photos(data: Path, faces: bool) -> list[tuple[Image.Image, str]]:
    """Every photo with its label."""
    name, label = ("identities", "identity") if faces else ("visual_labels", "label")
    with (data / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    read = []
    for row in rows:
        photo = Image.fromarray(decode.read(data / row["file"]))
        photo.thumbnail((LONGEST, LONGEST))
        read.append((photo, row[label]))
    return read


def face_of(photo: Image.Image, engine) -> Sample | None:
    """The crop of the largest face as extract-faces makes it, None without a face."""
    image = np.asarray(photo)
    found = engine.find(image)
    if not found:
        return None
    points = max(found, key=lambda face: face.area).points
    quad = alignment.quad(points)
    cut = crop.cut(image, quad, max_size=512)
    return Sample(cut, np.float32(crop.to_crop(points, quad, len(cut))))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", choices=MODELS, required=True)
    parser.add_argument("--weights", type=Path, required=True, help="its model file")
    parser.add_argument("--detector", type=Path, help="model file of scrfd, for faces")
    parser.add_argument("--data", type=Path, required=True, help="folder of the tables")
    options = parser.parse_args()
    kind = MODELS[options.model]
    if kind.points and not options.detector:
        parser.error(f"{options.model} compares faces: name a --detector")

    with ExitStack() as stack:
        embedder = open_embedder(options.model, options.weights, 32)
        stack.enter_context(closing(embedder))
        if kind.points:
            engine = stack.enter_context(
                closing(open_engine("scrfd", [options.detector]))
            )

        def seen(photo: Image.Image) -> tuple[int, np.ndarray] | None:
            sample = (
                face_of(photo, engine) if kind.points else Sample(np.asarray(photo))
            )
            if sample is None:
                return None
            return perceptual_hash(sample.image), embedder.embed([sample])[0]

        labels, originals, judged = [], [], defaultdict(list)
        for photo, label in photos(options.data, kind.points):
            own = seen(photo)
            if own is None:
                continue
            labels.append(label)
            originals.append(own)
            for name, version in VERSIONS.items():
                other = seen(version(photo))
                if other is not None:
                    judged[name].append(close(*pair(own, other), kind.alike))

    print(f"{'share of copies':24}{'hash':>8}{'embedding':>11}{'both':>8}")
    for name, found in judged.items():
        shares = np.mean(found, axis=0)
        print(f"  {name:22}{shares[0]:8.3f}{shares[1]:11.3f}{shares[2]:8.3f}")
    hashes, vectors = zip(*originals, strict=True)
    bits, distances = among(np.array(hashes, np.uint64), np.array(vectors))
    one, other = np.triu_indices(len(labels), 1)
    alike = np.array(labels)[one] == np.array(labels)[other]
    found = close(bits[one, other], distances[one, other], kind.alike)
    print("other photos")
    for name, which in (("of one label", alike), ("of two labels", ~alike)):
        hash_, embedding, both = found[:, which].sum(axis=1)
        print(f"  {name:22}{hash_:8}{embedding:11}{both:8} of {which.sum()} pairs")


def among(hashes: np.ndarray, vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Bits and cosine distances between all, both (n, n)."""
    return np.bitwise_count(hashes[:, None] ^ hashes), 1 - vectors @ vectors.T


def pair(one: tuple, other: tuple) -> tuple[int, float]:
    """Bits and cosine distance between two."""
    return (one[0] ^ other[0]).bit_count(), 1 - float(one[1] @ other[1])


def close(bits, distances, alike: float) -> np.ndarray:
    """What hash, embedding and both say, stacked."""
    by_hash, by_embedding = np.asarray(bits) <= BITS, np.asarray(distances) <= alike
    return np.stack([by_hash, by_embedding, by_hash & by_embedding])


if __name__ == "__main__":
    main()
