"""What cluster tells of its result."""

from itertools import pairwise

import numpy as np
import pytest

from dtst_flow.cluster.constraints import Constraints
from dtst_flow.cluster.duplicates import Sets
from dtst_flow.cluster.groups import Group, Grouping
from dtst_flow.stages.clustering import Clustering, Options, sentences


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
    return "\n".join(sentences(Clustering(rows, found, sets, known, options), 0))


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
