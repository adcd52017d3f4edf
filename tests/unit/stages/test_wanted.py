"""Which clusters a user means, and what a number means once numbers change."""

import pytest

from dtst_flow.dataset.known_clusters import Cluster, KnownClusters
from dtst_flow.stages.wanted import UnknownCluster, find, renumbered

ANN = Cluster("5a1c09d3", "Ann Lee", 0, "000", {"a": None})
BOB = Cluster("00000002", "Bob", 1, "001-Bob", {"b": None})
TWIN = Cluster("77aa0000", "Bob", 2, "002", {"c": None})
LAST = Cluster("0b0b0b0b", None, 3, None, {"d": None})
KNOWN = KnownClusters([ANN, BOB, TWIN, LAST], [])


def ids(asked, known=KNOWN, **bound) -> list[str]:
    return [wanted.cluster.id for wanted in find(known, asked, bound)]


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        (None, [ANN, BOB, TWIN, LAST]),
        ("5a1c09d3", [ANN]),
        ("Ann Lee", [ANN]),
        (" ann lee ,", [ANN]),
        ("Bob", [BOB, TWIN]),
        ("000", [ANN]),
        ("0", [ANN]),
        ("001-Bob", [BOB]),
        ("3", [LAST]),
        ("003,5a1c09d3", [LAST, ANN]),
        ("00000002", [BOB]),
        (["Ann Lee", "002"], [ANN, TWIN]),
    ],
)
def test_a_cluster_is_known_by_id_name_folder_and_number(asked, found):
    assert ids(asked) == [cluster.id for cluster in found]


def test_only_folders_and_numbers_are_bound():
    bound = [w.bound for w in find(KNOWN, "Ann Lee,5a1c09d3,000,1,001-Bob", {})]
    assert bound == [False, False, True, True, True]


def test_a_number_stays_with_its_cluster():
    assert ids("000", **{"000": BOB.id}) == [BOB.id]
    (said,) = renumbered(
        find(KNOWN, "000,3", {"000": BOB.id}), "curated/selection.json"
    )
    assert said.startswith("'000' is 001-Bob (00000002), as when first asked for")
    assert "delete curated/selection.json" in said
    assert renumbered(find(KNOWN, "000,1,001-Bob", {}), "x") == []


@pytest.mark.parametrize(
    ("asked", "hint"),
    [
        ("ann", "near to that are 000 Ann Lee (5a1c09d3)"),
        ("Anne Lee", "near to that are 000 Ann Lee (5a1c09d3)"),
        ("5a1c09d4", "5a1c09d3"),
        ("17", "there are 000 Ann Lee (5a1c09d3), 001-Bob"),
        ("noise", "there are"),
    ],
)
def test_an_unknown_cluster_is_answered_with_those_there_are(asked, hint):
    with pytest.raises(UnknownCluster, match=f"no cluster '{asked}'") as told:
        ids(asked)
    assert hint in str(told.value)
    with pytest.raises(UnknownCluster, match="none at all"):
        ids(asked, known=KnownClusters([], []))


def test_a_number_whose_cluster_is_gone_means_no_other():
    with pytest.raises(UnknownCluster, match="was cluster dead0000") as told:
        ids("000", **{"000": "dead0000"})
    assert "000 Ann Lee (5a1c09d3)" in str(told.value)


def test_of_many_clusters_some_are_named():
    many = KnownClusters([Cluster(f"x{i}", None, i, None, {}) for i in range(5000)], [])
    with pytest.raises(UnknownCluster) as told:
        ids("Zoe", known=many)
    assert len(str(told.value)) < 300 and "and 4990 more" in str(told.value)
