"""What is computed block by block is what the report computes at once."""

import numpy as np
import pytest

from dtst_flow.report.facts import Facts
from dtst_flow.review import clustering, facts, groups
from dtst_flow.review.rows import Rows
from helpers import clustered


def known(block: int, monkeypatch) -> tuple[clustering.Clustering, Rows, facts.Facts]:
    monkeypatch.setattr(facts, "BLOCK", block)
    found = clustering.read("cluster")
    rows = Rows("cluster", found)
    return found, rows, facts.compute(found, rows)


@pytest.mark.parametrize("block", [1, 7, 1000])
def test_facts_are_those_of_the_report(folder, monkeypatch, block):
    found, rows, ours = known(block, monkeypatch)
    vectors = rows.vectors(np.arange(len(found.paths)))
    members = [np.arange(cluster.start, cluster.end) for cluster in found.clusters]
    theirs = Facts(vectors, members)
    for place, cluster in enumerate(found.clusters):
        doubts = {doubt.row: doubt for doubt in theirs.doubts(place)}
        for n in range(cluster.start, cluster.end):
            assert ours.own[n] == pytest.approx(doubts[n].own, abs=1e-5)
            assert ours.other[n] == pytest.approx(doubts[n].other.distance, abs=1e-5)
        near = theirs.neighbours[place]
        assert ours.clusters.which[place, 0] == near.cluster
        assert (ours.same(place) is not None) == theirs.same(place)
    noise = np.arange(found.noise, found.rejected)
    for n, near in zip(noise, theirs.closest(noise), strict=True):
        assert ours.near_cluster(n) == pytest.approx((near.cluster, near.distance))


def test_vectors_that_are_nowhere_are_near_to_nothing(folder, monkeypatch):
    path = ".dtst/buckets/cluster/embeddings/s.npy"
    np.save(path, np.zeros_like(np.load(path)))
    found, _, ours = known(100, monkeypatch)
    assert all(ours.same(place) is None for place in range(3))
    assert (ours.clusters.which == -1).all() and not len(ours.singles)
    assert groups.alike(found, ours) == []


def test_images_in_noise_that_are_alike_are_one_set(folder, monkeypatch):
    path = ".dtst/buckets/cluster/embeddings/s.npy"
    vectors = np.load(path)
    vectors[-3:] = vectors[-1] + 0.01 * vectors[-3:]
    np.save(path, vectors)
    found, _, ours = known(2, monkeypatch)
    (alike,) = groups.alike(found, ours)
    last = sum(clustered.SIZES) + clustered.NOISE
    assert sorted(alike) == [last - 3, last - 2, last - 1]
