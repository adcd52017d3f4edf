"""A dataset as a finished run leaves it, made without one: colours in three clusters."""

import os
from pathlib import Path

import numpy as np
from PIL import Image

from dtst_flow.utils.files import digest_file, to_json, write_atomic
from dtst_flow.utils.tables import write_table

HOSTILE = [
    "<script>window.hit=1</script>.jpg",
    '"><img src=x onerror=window.hit=1>.jpg',
    "' onmouseover='window.hit=1.jpg",
    "--><!--<script>.jpg",
    "&lt;b&gt; {{ 7 * 7 }}.jpg",
    "two\nlines.jpg",
    "100%25#top?a=b.jpg",
    "http:colon.jpg",
    "line\u2028break.jpg",
    os.fsdecode(b"not-utf-8-\xff\xfe.jpg"),
]
"""File names that are no good text; the first is one of a folder, too."""

SIZES = (70, 12, 8)
"""Of the clusters; the second and the third are near to each other."""

NOISE = 4


def write(folder: Path) -> Path:
    """Make the dataset; returns its folder."""
    rng = np.random.default_rng(1)
    directions = np.eye(8)[:3]
    directions[2] = directions[1] * 0.99 + directions[2] * 0.14
    labels = [*np.repeat([0, 1, 2], SIZES), *[-1] * NOISE]
    vectors = rng.normal(size=(len(labels), 8))
    for i, label in enumerate(labels):
        if label >= 0:
            vectors[i] = directions[label] + 0.1 * vectors[i]
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    names = HOSTILE + [f"{i:03d}.jpg" for i in range(len(labels) - len(HOSTILE))]
    rng.shuffle(names)
    rows = [
        _image(folder, name, label) for name, label in zip(names, labels, strict=True)
    ]
    state = folder / ".dtst/buckets/cluster"
    write_table(state / "inventory/s.jsonl", rows)
    write_table(state / "embeddings/s.jsonl", rows)
    np.save(state / "embeddings/s.npy", vectors.astype(np.float32))
    write_table(
        state / "failed.jsonl", [{"path": "<i>.jpg", "reason": "is <no> image"}]
    )
    said = {"said": [f"{len(rows)} images: 3 clusters & noise"]}
    write_atomic(state / "summary.json", to_json(said))
    paths = np.array([row["path"] for row in rows], object)
    clusters = [_cluster(i, paths, vectors, np.array(labels) == i) for i in range(3)]
    found = {
        "parameters": {"model": "arcface", "top": None},
        "clusters": clusters,
        "noise": [{"path": path} for path in paths[np.array(labels) == -1]],
    }
    write_atomic(folder / "cluster/clusters.json", to_json(found))
    return folder


def _image(folder: Path, name: str, label: int) -> dict:
    path = folder / "images" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    colour = [(200, 40, 40), (40, 160, 40), (40, 90, 40), (128, 128, 128)][label]
    Image.new("RGB", (300, 200), colour).save(path, comment=os.fsencode(name))
    return {
        "path": f"images/{name}",
        "stem": name,
        "digest": digest_file(path),
        "sidecar": None,
        "aligned": None,
    }


def _cluster(
    rank: int, paths: np.ndarray, vectors: np.ndarray, mine: np.ndarray
) -> dict:
    rows = np.flatnonzero(mine)
    medoid = vectors[rows[(vectors[rows] @ vectors[rows].sum(axis=0)).argmax()]]
    rows = rows[np.argsort(-(vectors[rows] @ medoid))]
    return {
        "id": f"{rank:08x}",
        "rank": rank,
        "folder": f"{rank:03d}",
        "size": len(rows),
        "medoid": paths[rows[0]],
        "members": [
            {"path": paths[i], "distance": float(1 - vectors[i] @ medoid)} for i in rows
        ],
    }
