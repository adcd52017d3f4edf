"""Which images are chosen, by what is known of them."""

import pytest

from dtst_flow.dataset.known_clusters import Cluster, KnownClusters
from dtst_flow.stages.choosing import Options, choose, missing, notes, of_size
from dtst_flow.stages.wanted import Wanted


def row(path: str, side: int = 100, **more) -> dict:
    classes = more.pop("classes", {})
    return {
        "path": path,
        "digest": f"digest of {path}",
        "size": (side, 2 * side),
        "metrics": more,
        "classes": classes,
    }


def cluster(rank: int, *images: str) -> Cluster:
    return Cluster(f"id{rank}", None, rank, f"{rank:03d}", dict.fromkeys(images))


def names(choice) -> list[str]:
    return [row["path"] for row in choice.rows]


ROWS = [
    row("a", 50, blur=1, quality=0.2),
    row("b", 60, blur=5, quality=0.9),
    row("c", 70, classes={"Cup": 0.5}),
    row("d", 80, blur=9, quality=0.5, classes={"cup": 1.0, "cat": 0.1}),
]


@pytest.mark.parametrize(
    ("asked", "kept"),
    [
        ({}, "abcd"),
        ({"min_side": 70}, "cd"),
        ({"min_metric": {"blur": 5}}, "bd"),
        ({"max_metric": {"blur": 5}}, "ab"),
        ({"min_metric": {"blur": 5}, "max_metric": {"blur": 5}}, "b"),
        ({"min_quality": 0.5}, "bd"),
        ({"min_metric": {"quality": 0.6}, "min_quality": 0.1}, "b"),
        ({"min_detect": {"cup": 0.5}}, "cd"),
        ({"min_detect": {"Cup": 0.6}}, "d"),
        ({"max_detect": {"cup": 0.5}}, "ab"),
        ({"max_detect": {"cup": 0.6}}, "abc"),
        ({"best": 2}, "bd"),
        ({"best": 3}, "bda"),
    ],
)
def test_filters_keep_what_reaches_them(asked, kept):
    choice = choose(ROWS, None, None, Options(**asked))
    assert names(choice) == sorted(kept)
    assert sum(choice.left_out.values()) == len(ROWS) - len(kept)


def test_each_filter_counts_what_it_leaves_out_of_those_before():
    options = Options(min_side=60, min_metric={"blur": 2}, best=1)
    left = choose(ROWS, None, None, options).left_out
    assert left == {"--min-side 60": 1, "--min-metric blur 2": 1, "--best 1": 1}
    options = Options(min_side=1)
    assert choose(ROWS, None, None, options).left_out == {"--min-side 1": 0}


def test_the_largest_are_the_best_where_no_quality_is_known():
    rows = [row("a", 10), row("b", 30), row("c", 20)]
    assert names(choose(rows, None, None, Options(best=2))) == ["b", "c"]


CLUSTERS = KnownClusters(
    [cluster(0, "d", "a", "gone"), cluster(1, "c", "b")], [["a", "d"], ["b", "x"]]
)


def test_only_images_of_the_clusters_are_chosen():
    rows = [*ROWS, row("noise")]
    choice = choose(rows, CLUSTERS.clusters[1:], CLUSTERS, Options())
    assert names(choice) == ["b", "c"]
    assert {path: home.id for path, home in choice.homes.items()} == {
        "b": "id1",
        "c": "id1",
    }
    assert choice.left_out == {"in other clusters or in none": 3}
    assert choose(rows, CLUSTERS.clusters, CLUSTERS, Options()).lost == 1


def test_the_best_are_those_of_each_cluster():
    choice = choose(ROWS, CLUSTERS.clusters, CLUSTERS, Options(best=1))
    assert names(choice) == ["b", "d"]
    # Where quality says nothing, the cluster's own order does.
    rows = [row(path) for path in "abcd"]
    choice = choose(rows, CLUSTERS.clusters, CLUSTERS, Options(best=1))
    assert names(choice) == ["c", "d"]


def test_of_near_duplicates_the_best_that_passes_stays():
    options = Options(bursts="best")
    assert names(choose(ROWS, CLUSTERS.clusters, CLUSTERS, options)) == ["b", "c", "d"]
    options = Options(bursts="best", max_metric={"blur": 8})
    choice = choose(ROWS, CLUSTERS.clusters, CLUSTERS, options)
    assert names(choice) == ["a", "b"]
    assert choice.left_out["--bursts best"] == 0


def test_an_image_that_changed_since_it_was_clustered_is_left_out():
    images = {"a": "digest of a", "b": "another"}
    one = Cluster("id", None, 0, "000", images)
    choice = choose(ROWS[:2], [one], KnownClusters([one], []), Options())
    assert names(choice) == ["a"]
    assert choice.left_out == {"changed since they were clustered": 1}


def test_clusters_are_chosen_by_size():
    wanted = [Wanted(c) for c in (cluster(1, "a", "b"), cluster(0, *"abc"))]
    wanted += [Wanted(cluster(2, "a")), Wanted(cluster(1, "a", "b"), "id1")]

    def ids(**asked) -> list[str]:
        return [c.id for c in of_size(wanted, Options(**asked))]

    assert ids() == ["id0", "id1", "id2"]
    assert ids(min_cluster=2) == ["id0", "id1"]
    assert ids(top=1) == ["id0"]
    assert ids(min_cluster=4) == []


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"min_metric": {"blurr": 5}}, "'blurr'; there are: blur, quality"),
        ({"max_metric": {"blurr": 5}}, "'blurr'; there are: blur, quality"),
        ({"min_detect": {"cups": 0}}, "'cups'; there are: Cup, cat, cup"),
        ({"max_detect": {"cups": 0}}, ""),
        ({"min_detect": {"CUP": 0.9}, "min_quality": 1}, ""),
    ],
)
def test_a_name_that_no_image_has_is_told_with_those_there_are(asked, sentence):
    told = missing(ROWS, Options(**asked))
    assert bool(told) is bool(sentence) and sentence in told


def test_where_nothing_was_measured_it_is_said_who_does():
    assert "extract-faces" in missing([row("a")], Options(min_quality=0.1))
    (note,) = notes(ROWS, Options(max_detect={"dog": 0.5, "cat": 0.5}))
    assert "no image has the class 'dog'" in note and "there are: Cup" in note
