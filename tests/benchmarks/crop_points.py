"""How well engines place points in face crops that come without.

    python tests/benchmarks/crop_points.py FOLDER --arcface w600k_mbf_int8.onnx

FOLDER holds photos in folders named after who is in them, at any depth. The largest face of
each is cut by engine mediapipe with its search, 512 pixels at most. Then each engine that
may be asked (`locate.FINDERS`) looks for the points of the crops, and those that are asked
in turn. Told are the crops in which it finds no face, its CPU time for one, how far embeddings are from those by the
crops' own points (mean cosine distance), and BCubed F of the clusters that they make.
"""

import argparse
import itertools
import time
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import numpy as np

from dtst_flow.cluster.groups import Settings, default_min_samples, group
from dtst_flow.cluster.metrics import bcubed
from dtst_flow.dataset.image_names import is_image
from dtst_flow.embed import embedders
from dtst_flow.embed.base import Embedder, Sample
from dtst_flow.faces import alignment, crop, engines, locate
from dtst_flow.faces.locate import Locator
from dtst_flow.imaging import decode
from dtst_flow.models import store

SIZE = 512
ARCFACE = embedders.MODELS["arcface"]


class Crop(NamedTuple):
    """A face, whose it is, and the points in it by which it was cut."""

    image: np.ndarray
    person: str
    points: np.ndarray


def crops(folder: Path) -> list[Crop]:
    """Cut the largest face of every photo."""
    found = []
    names = engines.models_of("mediapipe")
    paths = [store.resolve(name).path for name in names]
    with closing(engines.open_engine("mediapipe", paths)) as engine:
        for path in sorted(filter(is_image, map(str, folder.rglob("*")))):
            image = decode.read(path)
            if faces := engine.find(image):
                points = max(faces, key=lambda face: face.area).points
                quad = alignment.quad(points)
                cut = crop.cut(image, quad, SIZE)
                own = crop.to_crop(points, quad, len(cut)).astype(np.float32)
                found.append(Crop(cut, Path(path).parent.name, own))
    return found


def rows(
    embedder: Embedder, faces: list[Crop], points: list[np.ndarray | None]
) -> np.ndarray:
    """Embed crops by points; where there are none, by those of the average crop."""
    pairs = zip(faces, points, strict=True)
    return np.concatenate(
        [embedder.embed([Sample(face.image, five)]) for face, five in pairs]
    )


def f_of(vectors: np.ndarray, people: list[str]) -> float:
    """BCubed F of the clusters that vectors make by the defaults."""
    least = 5
    ceiling, near = ARCFACE.ceiling, ARCFACE.near
    k = default_min_samples(least, faces=True)
    settings = Settings(least, k, ARCFACE.same, ceiling, near, ARCFACE.alike)
    groups = group(vectors, settings).groups
    ranks = {i: rank for rank, g in enumerate(groups) for i in g.members.tolist()}
    return bcubed([ranks.get(i) for i in range(len(people))], people)[2]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--arcface", type=Path, required=True, help="ArcFace's weights")
    options = parser.parse_args()
    faces = crops(options.folder)
    people = [face.person for face in faces]
    print(f"{len(faces)} crops of {len(set(people))} people")
    print(f"{'points':20} {'no face':>8} {'ms':>6} {'distance':>9} {'F':>6}")
    with closing(embedders.open_embedder("arcface", options.arcface, 1)) as embedder:
        own = rows(embedder, faces, [face.points for face in faces])
        print(f"{'own':20} {0:8} {'':6} {0:9.4f} {f_of(own, people):6.3f}")
        engines_of_all = dict.fromkeys(itertools.chain(*locate.FINDERS))
        alone = [[locate.finder(engine)] for engine in engines_of_all]
        for finders in (*alone, locate.at_hand()):
            with closing(Locator(finders)) as locator:
                start = time.process_time()
                found = [locator.points(face.image) for face in faces]
                each = 1000 * (time.process_time() - start) / len(faces)
            vectors = rows(embedder, faces, found)
            without = sum(points is None for points in found)
            distance = 1 - (vectors * own).sum(axis=1).mean()
            print(
                f"{', '.join(one.engine for one in finders):20} {without:8} {each:6.1f} {distance:9.4f} "
                f"{f_of(vectors, people):6.3f}"
            )


if __name__ == "__main__":
    main()
