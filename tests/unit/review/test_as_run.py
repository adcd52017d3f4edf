"""What the review shows as decided is what the next run does."""

import random
from pathlib import Path

import numpy as np
import pytest

from dtst_flow.review.actions import CannotBeDone
from dtst_flow.review.decisions import Decisions
from dtst_flow.review.session import Session
from dtst_flow.stages.cluster import Options, find_clusters
from dtst_flow.stages.clustering import describe
from dtst_flow.utils.files import to_json, write_atomic
from dtst_flow.utils.tables import write_table

SIZES = (8, 6, 5, 4, 3, 3)
NOISE = 8
OPTIONS = Options("arcface", min_cluster_size=3)
ACTIONS = (
    *("merge", "move", "move", "new", "out", "reject", "unreject", "keep", "answer"),
    *("name", "undo"),
)


@pytest.fixture(scope="module")
def rows_and_vectors() -> tuple[list[dict], np.ndarray]:
    """Clusters far from each other, and images far from all."""
    rng = np.random.default_rng(3)
    centres = np.eye(64)[: len(SIZES)]
    members = [
        c + 0.07 * rng.normal(size=(k, 64)) for c, k in zip(centres, SIZES, strict=True)
    ]
    vectors = np.concatenate([*members, rng.normal(size=(NOISE, 64))])
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    rows = [
        {
            "path": f"faces/{n:02d}.jpg",
            "digest": f"{n:032x}",
            "hash": f"{rng.integers(1 << 62):016x}",
            "aligned": "stored",
        }
        for n in range(len(vectors))
    ]
    return rows, vectors.astype(np.float32)


@pytest.fixture
def session(rows_and_vectors, tmp_path, monkeypatch) -> Session:
    rows, vectors = rows_and_vectors
    monkeypatch.chdir(tmp_path)
    state = Path(".dtst/buckets/cluster")
    for folder in ("inventory", "embeddings"):
        write_table(state / folder / "s.jsonl", rows)
    np.save(state / "embeddings/s.npy", vectors)
    found = find_clusters(rows, vectors, "cluster", OPTIONS)
    ids = [f"{rank:08x}" for rank in range(len(found.grouping.groups))]
    assert len(ids) == len(SIZES)
    write_atomic("cluster/clusters.json", to_json(describe(found, ids, ids, {})))
    return Session("cluster", [])


def decide(session: Session, drawn: random.Random) -> None:
    """Do anything that a page can ask for."""
    clustering = session.view.clustering
    ids, count = [c.id for c in clustering.clusters], len(clustering.paths)
    action, (a, b) = drawn.choice(ACTIONS), drawn.sample(range(count), 2)
    asked = {
        "action": action,
        "clustering": clustering.digest,
        "images": drawn.sample(range(count), drawn.randint(1, 3)),
        "to": drawn.choice(ids),
        "cluster": drawn.choice(ids),
        "name": drawn.choice(["", "Ann", "Bob"]),
        "key": f"{a}-{b}",
        "answer": drawn.choice(["yes", "no"]),
    }
    if action in ("merge", "keep"):
        asked |= {"images": [], "clusters": drawn.sample(ids, drawn.randint(1, 3))}
    try:
        if action == "undo":
            session.undo(again=drawn.random() < 0.3)
        else:
            session.act(asked)
    except CannotBeDone:
        pass


def shown(decisions: Decisions) -> set[frozenset[str]]:
    """The clusters that the review shows as decided."""
    groups: dict[int, set[str]] = {}
    for n, path in enumerate(decisions.clustering.paths):
        if n not in decisions.rejected:
            groups.setdefault(decisions.group_of(n), set()).add(path)
    return {frozenset(paths) for paths in groups.values() if len(paths) > 1}


@pytest.mark.parametrize("seed", range(25))
def test_the_run_does_what_the_review_shows(session, rows_and_vectors, seed):
    rows, vectors = rows_and_vectors
    drawn = random.Random(seed)
    for _ in range(drawn.randint(1, 10)):
        decide(session, drawn)
    found = find_clusters(rows, vectors, "cluster", OPTIONS)
    assert found.known.faults == []
    made = {
        frozenset(rows[i]["path"] for i in group.members)
        for group in found.grouping.groups
    }
    assert made == shown(session.decisions)
