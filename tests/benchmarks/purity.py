"""How pure clusters of faces are, by their least size and the ceiling on distances.

    python tests/benchmarks/purity.py FOLDER --detector det_500m.onnx \
        --arcface w600k_mbf_int8.onnx

FOLDER holds photos in folders named after who is in them, at any depth; the largest face
of each counts. BCubed precision, recall and F over all photos, F over those of people
with five or more, and how many faces lie in a cluster that is mostly somebody else's.
"""

import argparse
import itertools
from collections import Counter, defaultdict
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import numpy as np

from dtst_flow.cluster.groups import Settings, default_min_samples, group
from dtst_flow.cluster.metrics import bcubed
from dtst_flow.embed import embedders
from dtst_flow.embed.base import Sample
from dtst_flow.embed.embedders import open_embedder
from dtst_flow.faces.engines import open_engine
from dtst_flow.imaging import decode
from dtst_flow.models import store

CEILINGS = {
    "arcface": (None, 0.4, 0.5, 0.55, 0.6, 0.65, 0.7),
    "dlib": (None, 0.04, 0.05, 0.06, 0.07, 0.08, 0.1),
}
SIZES = (5, 2)
"""Least sizes of a cluster."""

MANY = 5
"""Photos of a person who counts in the second F."""


def faces(folder: Path, detector: Path) -> tuple[list[Sample], list[str]]:
    """The largest face of every photo, and whose it is."""
    samples, people = [], []
    with closing(open_engine("scrfd", [detector])) as engine:
        for path in sorted(folder.rglob("*.*")):
            if path.suffix.lower() not in decode.SUFFIXES:
                continue
            image = decode.read(path)
            found = engine.find(image)
            if found:
                largest = max(found, key=lambda face: face.area)
                samples.append(Sample(image, np.array(largest.points, np.float32)))
                people.append(path.parent.name)
    return samples, people


def judge(found: Sequence[int | None], known: Sequence[str]) -> tuple:
    """Precision, recall, F, F over people with MANY photos, wrong faces, clusters."""
    count = Counter(known)
    often = [i for i, person in enumerate(known) if count[person] >= MANY]
    _, _, f_often = bcubed([found[i] for i in often], [known[i] for i in often])
    clusters = defaultdict(Counter)
    for cluster, person in zip(found, known, strict=True):
        if cluster is not None:
            clusters[cluster][person] += 1
    wrong = sum(c.total() - max(c.values()) for c in clusters.values())
    return *bcubed(found, known), f_often, wrong, len(clusters)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--detector", type=Path, required=True, help="SCRFD's weights")
    parser.add_argument("--arcface", type=Path, required=True, help="ArcFace's weights")
    options = parser.parse_args()
    samples, known = faces(options.folder, options.detector)
    print(f"{len(samples)} photos of {len(set(known))} people")
    weights = {"arcface": options.arcface, "dlib": store.resolve("dlib_resnet").path}
    print(
        f"{'model':8} {'size':>4} {'ceiling':>7} {'P':>6} {'R':>6} {'F':>6} {'F often':>7} "
        f"{'wrong':>5} {'clusters':>8}"
    )
    for name, path in weights.items():
        with closing(open_embedder(name, path, 1)) as embedder:
            vectors = np.concatenate([embedder.embed([sample]) for sample in samples])
        kind = embedders.MODELS[name]
        for size, ceiling in itertools.product(SIZES, CEILINGS[name]):
            near = min(kind.near, ceiling or kind.near)
            settings = Settings(
                size, default_min_samples(size), kind.same, ceiling, near, kind.alike
            )
            groups = group(vectors, settings).groups
            ranks = {i: k for k, g in enumerate(groups) for i in g.members.tolist()}
            p, r, f, often, wrong, count = judge(
                [ranks.get(i) for i in range(len(known))], known
            )
            default = " *" if ceiling == kind.ceiling else ""
            print(
                f"{name:8} {size:4} {ceiling or 'none':>7} {p:6.3f} {r:6.3f} {f:6.3f} "
                f"{often:7.3f} {wrong:5} {count:8}{default}"
            )


if __name__ == "__main__":
    main()
