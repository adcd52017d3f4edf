"""What cluster tells of its result."""

from dataclasses import asdict
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from dtst_flow.cluster.duplicates import Sets
from dtst_flow.cluster.groups import Group, Grouping
from dtst_flow.cluster.meaning import Constraints
from dtst_flow.stages import cluster as stage
from dtst_flow.stages.cluster import ClusterJob, cluster, find_clusters
from dtst_flow.stages.clustering import (
    Clustering,
    Options,
    describe,
    sentences,
    unrecognisable,
)
from dtst_flow.utils.files import write_atomic
from helpers import clustered


def told(sizes: list[int], noise: int = 0, unusable: int = 0, **values) -> str:
    """The sentences on clusters of these sizes."""
    ends = np.cumsum([0, *sizes])
    groups = [
        Group(np.arange(start, end), np.zeros(end - start))
        for start, end in pairwise(ends)
    ]
    count = int(ends[-1]) + noise
    rows = [{"path": f"{i}.jpg", "aligned": "stored"} for i in range(count)]
    every = np.arange(count)
    found = Grouping(
        groups, every[ends[-1] :], every[:unusable], values.pop("refused", [])
    )
    sets = values.pop("sets", Sets(every, every))
    known = Constraints(faults=values.pop("faults", []))
    options = Options("arcface", **values)
    return "\n".join(
        sentences(Clustering(rows, found, sets, known, options), 0, "x.log")
    )


@pytest.mark.parametrize(
    ("sizes", "noise", "warned"),
    [([40, 30], 30, True), ([30, 30], 40, False), ([10], 0, False)],
)
def test_a_cluster_with_much_of_everything_is_suspicious(sizes, noise, warned):
    printed = told(sizes, noise)
    assert ("cluster 000 holds 40% of all images" in printed) is warned
    assert ("--max-distance" in printed) is warned


def test_nothing_is_said_of_what_did_not_happen():
    assert told([5, 5, 5, 5], 3).count("\n") == 0


def test_many_faults_are_told_in_part_and_all_in_the_log(caplog):
    faults = [
        f"labels.csv, line {n}: no image or cluster is called 'x'"
        for n in range(100_000)
    ]
    printed = told([5, 5, 5, 5], 3, faults=faults)
    assert printed.count("no image or cluster is called") == 20
    assert "and 99,980 more, all in x.log" in printed
    assert caplog.text.count("no image or cluster is called") == 100_000


def test_what_cannot_be_compared_is_told():
    assert "2 images have an embedding that cannot be compared" in told(
        [5, 5, 5, 5], 2, unusable=2
    )


def test_near_duplicates_are_told():
    sets = Sets(np.array([0, 0, 0, *range(1, 18)]), np.array([1, *range(3, 20)]))
    assert "2 images are near-duplicates of others and count once" in told(
        [5, 5, 5, 5], sets=sets
    )
    assert "count nevertheless" in told([5] * 4, sets=sets, count_duplicates=True)
    assert [rows.tolist() for rows in sets.several] == [[1, 0, 2]]


def test_what_the_user_asked_for_and_did_not_get_is_told():
    printed = told([5] * 4, refused=[(0, 7)], faults=["labels.csv, line 3: no image"])
    assert "0.jpg and 7.jpg are not linked" in printed
    assert "labels.csv, line 3" in printed


def test_faces_that_cannot_be_recognised_are_found_told_and_marked():
    rows = [
        {"path": f"{i}.jpg", "aligned": "stored", "recognisability": value}
        for i, value in enumerate([0.4, 1.2, 0.9, None, 0.5, 1.0])
    ]
    known = Constraints(must=[(4, 1)])
    assert unrecognisable(rows, known, 1.0).tolist() == [0, 2]
    assert unrecognisable(rows, known, 0).tolist() == []
    every = np.arange(len(rows))
    grouping = Grouping([Group(every[3:], np.zeros(3))], every[:3], every[:0])
    junk = np.array([0, 2])
    options = Options("arcface")
    clustering = Clustering(
        rows, grouping, Sets(every, every), known, options, junk=junk
    )
    content = describe(clustering, ["id"], ["000"], {})
    assert content["noise"] == [
        {"path": "0.jpg", "recognisability": 0.4, "unrecognisable": True},
        {"path": "1.jpg", "recognisability": 1.2},
        {"path": "2.jpg", "recognisability": 0.9, "unrecognisable": True},
    ]
    members = content["clusters"][0]["members"]
    assert [m.get("recognisability") for m in members] == [None, 0.5, 1.0]
    said = "\n".join(sentences(clustering, 0, "x.log"))
    assert "2 faces are too blurred" in said
    assert "--min-recognisability 0" in said


def test_the_best_comes_first_and_the_medoid_stays_one():
    qualities = [None, 0.5, 0.9, 0.5, None, 0.0]
    rows = [
        {"path": f"{i}.jpg", "quality": quality} for i, quality in enumerate(qualities)
    ]
    every = np.arange(len(rows))
    members = np.array([4, 3, 0, 2, 5, 1])
    grouping = Grouping([Group(members, np.arange(6) / 10)], every[:0], every[:0])
    sets = Sets(every, every)
    clustering = Clustering(rows, grouping, sets, Constraints(), Options("arcface"))
    (cluster,) = describe(clustering, ["id"], ["000"], {})["clusters"]
    assert cluster["medoid"] == "4.jpg"
    assert cluster["members"][:3] == [
        {"path": "2.jpg", "distance": 0.3, "quality": 0.9},
        {"path": "3.jpg", "distance": 0.1, "quality": 0.5},
        {"path": "1.jpg", "distance": 0.5, "quality": 0.5},
    ]
    assert [m["path"] for m in cluster["members"][3:]] == ["4.jpg", "0.jpg", "5.jpg"]


def test_unrecognisable_faces_bridge_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    junk = rng.normal(size=(8, 16)) * 0.05 + np.eye(16)[2]
    faces = np.concatenate(
        [rng.normal(size=(8, 16)) * 0.05 + np.eye(16)[k] for k in (0, 1)]
    )
    vectors = np.concatenate([junk, faces]).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    rows = [
        {
            "path": f"{i}.jpg",
            "hash": f"{int(rng.integers(2**62)):016x}",
            "recognisability": 0.5 if i < 8 else 1.5,
        }
        for i in range(len(vectors))
    ]
    found = find_clusters(rows, vectors, "cluster", Options("arcface"))
    assert [len(g.members) for g in found.grouping.groups] == [8, 8]
    assert found.grouping.noise.tolist() == list(range(8))
    assert not len(found.grouping.unusable)
    taken = Options("arcface", min_recognisability=0)
    assert len(find_clusters(rows, vectors, "cluster", taken).grouping.groups) == 3


def test_what_is_rejected_bridges_nothing_and_stands_for_no_copy(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    bridge = rng.normal(size=(8, 16)) * 0.05 + np.eye(16)[2]
    things = [rng.normal(size=(8, 16)) * 0.05 + np.eye(16)[k] for k in (0, 1)]
    vectors = np.concatenate([bridge, *things]).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    hashes = rng.integers(2**62, size=len(vectors))
    hashes[[8, 9]] = hashes[0]  # copies, to the eye
    rows = [
        {"path": f"{i}.jpg", "digest": f"{i}", "hash": f"{h:016x}", "aligned": "found"}
        for i, h in enumerate(hashes.tolist())
    ]
    lines = "".join(f"reject,{i}.jpg\n" for i in range(8))
    write_atomic(Path("cluster/labels.csv"), lines.encode())
    found = find_clusters(rows, vectors, "cluster", Options("efficientnet"))
    assert [len(g.members) for g in found.grouping.groups] == [8, 8]
    assert not len(found.grouping.noise) and not len(found.grouping.unusable)
    assert [sorted(rows.tolist()) for rows in found.sets.several] == [[8, 9]]
    assert [
        each["path"] for each in describe(found, ["x", "y"], [], {})["rejected"]
    ] == [f"{i}.jpg" for i in range(8)]
    assert "8 images are rejected (labels.csv)" in sentences(found, 0, "x.log")
    assert np.isfinite(vectors).all()


def test_the_hint_where_bursts_are_noise_helps_who_follows_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(20, 16))
    bursts = [range(8), range(8, 14)]
    hashes = rng.integers(2**62, size=20)
    for burst in bursts:
        vectors[burst] = vectors[burst[0]] + 1e-3 * vectors[burst]
        hashes[burst] = hashes[burst[0]]
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype("f4")
    rows = [
        {"path": f"{i}.jpg", "hash": f"{h:016x}", "aligned": None}
        for i, h in enumerate(hashes.tolist())
    ]
    found = find_clusters(rows, vectors, "cluster", Options("efficientnet"))
    assert not found.grouping.groups
    assert "also 2 sets of 5 and more that are alike" in "\n".join(
        sentences(found, 0, "x.log")
    )
    followed = Options("efficientnet", count_duplicates=True)
    groups = find_clusters(rows, vectors, "cluster", followed).grouping.groups
    assert all(
        set(burst) <= set(group.members)
        for burst, group in zip(bursts, groups, strict=True)
    )


def test_a_source_without_images_removes_no_cluster(tmp_path, monkeypatch):
    monkeypatch.chdir(clustered.write(tmp_path / "crowd"))
    state = Path(".dtst/buckets/cluster")
    ends = str(state / "summary.json"), str(state / "failed.jsonl")
    job = ClusterJob([], [], [], str(state / "inventory"), *ends)
    files = {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()}
    with pytest.raises(SystemExit, match="holds no image"):
        cluster(job, "cluster", Options("arcface"))
    assert {p: p.read_bytes() for p in Path().rglob("*") if p.is_file()} == files


def test_the_job_compares_images_in_the_threads_that_it_was_given(monkeypatch):
    seen = []

    def look(*_) -> None:
        pools = threadpool_info()
        seen.append({p["num_threads"] for p in pools if p["user_api"] == "blas"})

    monkeypatch.setattr(stage, "cluster", look)
    monkeypatch.setattr(stage, "write_atomic", lambda *_: None)
    settings = {"to": "cluster", "link": "copy", "clean": False} | asdict(
        Options("clip")
    )
    for threads in (1, 3):
        stage.run(ClusterJob([], [], [], "", "", "", threads), settings, strict=False)
    assert seen == [{1}, {3}]
