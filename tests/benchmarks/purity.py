"""How pure clusters of faces are, by their least size and the ceiling on distances.

    python tests/benchmarks/purity.py FOLDER --detector det_500m.onnx \
        --arcface w600k_mbf_int8.onnx

FOLDER holds photos in folders named after who is in them, at any depth; the largest face
of each counts. BCubed precision, recall and F over all photos, F over those of people
with five or more, and how many faces lie in a cluster that is mostly somebody else's.

With --junk a table of faces that nobody could recognise (file below FOLDER, x1, y1, x2,
y2; junk.csv has those of one folder, labelled by looking), all faces count, and what
--min-recognisability leaves out is told: those not the largest are strangers, each alone.
"""

import argparse
import csv
import itertools
from collections import Counter, defaultdict
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import numpy as np

from dtst_flow.cluster.groups import Settings, default_min_samples, group
from dtst_flow.cluster.metrics import bcubed
from dtst_flow.dataset.image_names import IMAGES
from dtst_flow.embed import embedders, recognisable
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
            if path.suffix.lower() not in IMAGES.suffixes:
                continue
            image = decode.read(path)
            found = engine.find(image)
            if found:
                largest = max(found, key=lambda face: face.area)
                samples.append(Sample(image, np.array(largest.points, np.float32)))
                people.append(path.parent.name)
    return samples, people


def read_junk(path: Path) -> dict[str, list[list[float]]]:
    """Photo -> the boxes in it of faces that nobody could recognise."""
    boxes = defaultdict(list)
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            boxes[row["file"]].append([float(row[s]) for s in ("x1", "y1", "x2", "y2")])
    return boxes


def overlap(one: Sequence[float], other: Sequence[float]) -> float:
    """Intersection over union of two boxes."""
    low, high = np.maximum(one[:2], other[:2]), np.minimum(one[2:], other[2:])
    shared = (high - low).clip(0).prod()
    area = sum((b[2] - b[0]) * (b[3] - b[1]) for b in (one, other))
    return shared / (area - shared)


def all_faces(
    folder: Path, detector: Path, junk: dict[str, list[list[float]]]
) -> tuple[list[Sample], list[str]]:
    """Every face of every photo, and whose it is: "" for junk."""
    samples, people = [], []
    with closing(open_engine("scrfd", [detector])) as engine:
        for path in sorted(folder.rglob("*.*")):
            if path.suffix.lower() not in IMAGES.suffixes:
                continue
            image, name = decode.read(path), path.relative_to(folder).as_posix()
            found = engine.find(image)
            largest = max(found, key=lambda face: face.area, default=None)
            for face in found:
                samples.append(Sample(image, np.array(face.points, np.float32)))
                if any(overlap(face.box, box) > 0.5 for box in junk.get(name, ())):
                    people.append("")
                else:
                    stranger = f"stranger {len(people)}"
                    people.append(path.parent.name if face is largest else stranger)
    return samples, people


def with_junk(weights: Path, samples: list[Sample], people: list[str]) -> None:
    """Print what becomes of junk, with the floor and without."""
    with closing(open_embedder("arcface", weights, 1)) as embedder:
        floor = recognisable.floor_of(embedder) or 0.0
        computed = [embedder.compute([embedder.prepare(s)]) for s in samples]
    vectors = np.concatenate([rows for rows, _ in computed])
    lengths = np.concatenate([length for _, length in computed])
    real = np.array([i for i, person in enumerate(people) if person])
    junk = np.setdiff1d(np.arange(len(people)), real)
    print(f"{len(real)} faces and {len(junk)} that are junk; the floor is {floor}")
    for least in (0.0, 1.0):
        out = lengths < least * floor
        usable = np.where(out[:, None], 0, vectors).astype(np.float32)
        groups = group(usable, Settings(5, 2, 0.5, 0.6)).groups
        ranks = {i: k for k, g in enumerate(groups) for i in g.members.tolist()}
        _, _, f, _, wrong, count = judge(
            [ranks.get(i) for i in real], [people[i] for i in real]
        )
        inside = sum(int(i) in ranks for i in junk)
        mostly = [
            len(g.members) for g in groups if np.isin(g.members, junk).mean() > 0.5
        ]
        print(
            f"--min-recognisability {least}: left out {out[junk].sum()} junk and "
            f"{out[real].sum()} faces; F {f:.3f}, wrong {wrong}, {count} clusters with "
            f"{inside} junk; clusters mostly of junk: {mostly}"
        )


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
    parser.add_argument("--junk", type=Path, help="table of unrecognisable faces")
    options = parser.parse_args()
    if options.junk:
        junk = read_junk(options.junk)
        faces_of = all_faces(options.folder, options.detector, junk)
        with_junk(options.arcface, *faces_of)
        return
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
