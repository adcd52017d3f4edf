import pytest

from dtst_flow.cluster.label_file import Label
from dtst_flow.cluster.labels import Images, Sight
from dtst_flow.cluster.meaning import CONTRADICTS, IN_FORCE, UNKNOWN, WAITS, make
from dtst_flow.dataset.cluster_list import ClusterList, ListedCluster


def sight(n: int, *box: float, look: int | None = None) -> Sight:
    """What image `n` shows; no two look alike."""
    spread = n * 0x0123_4567_89AB_CDEF % 2**64
    return Sight(f"digest {n}", box, spread if look is None else look)


def images(*paths: str) -> Images:
    return Images(paths, [sight(n) for n in range(len(paths))])


ANN = Label(2, "name", "b.jpg", "Ann")


class TestMake:
    def test_every_relation(self):
        given = [
            Label(1, "must-link", "a.jpg", "c,1.jpg"),
            Label(2, "cannot-link", "a.jpg", "b.jpg"),
            Label(3, "name", "d.jpg", "Ann"),
        ]
        found = make(given, images("a.jpg", "b.jpg", "c,1.jpg", "d.jpg"), {})
        assert (found.must, found.cannot, found.names) == (
            [(0, 2)],
            [(0, 1)],
            {3: "Ann"},
        )
        assert found.faults == [] and len(found.bound) == 3

    @pytest.mark.parametrize("relation", ["must-link", "cannot-link"])
    def test_a_label_of_an_image_that_never_was_costs_only_itself(self, relation):
        given = [Label(1, relation, "a.jpg", "x.jpg"), ANN]
        found = make(given, images("a.jpg", "b.jpg"), {})
        assert found.names == {1: "Ann"} and found.must == found.cannot == []
        assert found.faults == [
            "labels.csv, line 1: no image or cluster is called 'x.jpg'"
        ]
        assert list(found.bound) == [ANN.cells]

    def test_it_follows_what_it_was_said_of_to_another_name(self):
        bound = make([ANN], images("a.jpg", "b.jpg"), {}).bound
        now = Images(["b.jpg", "z.jpg"], [sight(7), sight(1)])
        found = make([ANN], now, bound)
        assert found.names == {1: "Ann"} and found.bound == bound
        (told,) = found.faults
        assert told == "labels.csv, line 2: 'b.jpg' is called 'z.jpg' now"

    def test_it_waits_while_that_is_away_and_never_passes_to_another(self):
        bound = make([ANN], images("a.jpg", "b.jpg"), {}).bound
        other = make([ANN], Images(["b.jpg"], [sight(7)]), bound)
        assert other.names == {} and other.bound == bound
        assert "another picture" in other.faults[0]
        gone = make([ANN], images("a.jpg"), other.bound)
        assert gone.names == {} and "waits for it" in gone.faults[0]
        back = make([ANN], images("a.jpg", "b.jpg"), gone.bound)
        assert back.names == {1: "Ann"} and back.faults == []

    def test_it_stays_with_a_photo_that_was_saved_anew(self):
        bound = make([ANN], images("a.jpg", "b.jpg"), {}).bound
        saved = sight(9, look=sight(1).look ^ 0b101)
        found = make([ANN], Images(["b.jpg"], [saved]), bound)
        assert found.names == {0: "Ann"} and found.faults == []
        assert found.bound == {ANN.cells: [saved]}

    def test_of_the_faces_of_a_photo_it_stays_with_the_one_at_its_place(self):
        here, there = sight(3, 0, 0, 10, 10), sight(3, 50, 0, 60, 10)
        bound = make([ANN], Images(["a.jpg", "b.jpg"], [there, here]), {}).bound
        moved = sight(3, 1, 0, 11, 10)  # another engine's box
        found = make([ANN], Images(["b.jpg", "c.jpg"], [there, moved]), bound)
        assert found.names == {1: "Ann"}

    def test_two_names_of_one_picture_are_not_linked(self):
        given = [Label(1, "must-link", "a.jpg", "b.jpg")]
        bound = {given[0].cells: [sight(0), sight(0)]}
        assert make(given, images("a.jpg"), bound).must == []


CLUSTERS = ClusterList(
    {},
    (
        ListedCluster("5a1c09d3", "Ann", "000", ["b.jpg", "a.jpg", "c.jpg"]),
        ListedCluster("77e1aa00", None, "001", ["e.jpg", "d.jpg"]),
    ),
)
SIX = images("a.jpg", "b.jpg", "c.jpg", "d.jpg", "e.jpg", "f.jpg")


def read(*lines: str, bound=None, here=SIX, clusters=CLUSTERS, people=()):
    labels = [Label(n, *line.split(",")) for n, line in enumerate(lines, 1)]
    return make(labels, here, bound or {}, clusters, people)


def states(known) -> list[str]:
    return [reading.state for reading in known.readings]


class TestClusters:
    @pytest.mark.parametrize("word", ["000", "5a1c09d3", "Ann"])
    def test_id_folder_and_name_mean_the_cluster(self, word):
        assert read(f"reject,{word},").rejected == [0, 1, 2]
        assert read(f"name,{word},Eve").names == {1: "Eve"}
        assert read(f"must-link,{word},001").must == [(1, 4)]
        assert read(f"cannot-link,f.jpg,{word}").cannot == [(5, 1)]

    def test_a_new_numbering_changes_nothing(self):
        lines = ("name,001,Bob", "must-link,f.jpg,000")
        first = read(*lines)
        a, b = CLUSTERS.clusters
        swapped = ClusterList(
            {},
            (
                ListedCluster(b.id, None, "000", [*b.members, "z.jpg"]),
                ListedCluster(a.id, "Ann", "001", a.members),
            ),
        )
        again = read(*lines, bound=first.bound, clusters=swapped)
        assert again.names == first.names == {4: "Bob"}
        assert again.must == first.must == [(5, 1)]
        assert again.bound == first.bound and again.faults == []

    def test_while_its_most_typical_image_is_away_another_stands_for_it(self):
        bound = read("name,000,Eve", "reject,001,").bound
        here = Images(["a.jpg", "e2.jpg"], [sight(0), sight(4)])
        known = read("name,000,Eve", "reject,001,", bound=bound, here=here)
        assert known.names == {0: "Eve"} and known.rejected == [1]
        assert [len(place) for (place,) in known.bound.values()] == [3, 2]

    def test_it_waits_while_all_are_away(self):
        bound = read("reject,001,").bound
        known = read("reject,001,", bound=bound, here=images("a.jpg"))
        assert known.rejected == [] and states(known) == [WAITS]
        assert known.faults == []  # nobody misses what is rejected
        assert known.bound == bound

    def test_what_is_bound_comes_back(self, tmp_path):
        from dtst_flow.cluster.labels import read_bound, to_json
        from dtst_flow.utils.files import to_json as text

        bound = read("not,f.jpg,Ann", "reject,001,", "name,a.jpg,Ann").bound
        (tmp_path / "labels.json").write_bytes(text(to_json(bound)))
        assert read_bound(tmp_path / "labels.json") == {
            cells: tuple(places) for cells, places in bound.items()
        }

    def test_one_that_is_unknown_costs_only_its_line(self):
        known = read("reject,007,", "not,a.jpg,Bob", "name,f.jpg,Eve")
        assert states(known) == [UNKNOWN, WAITS, IN_FORCE]
        assert known.faults == [
            "labels.csv, line 1: no image or cluster is called '007'",
            "labels.csv, line 2: no image, cluster or person is called 'Bob' now; the "
            "line waits",
        ]


class TestNot:
    def test_of_an_image_or_a_cluster_it_leaves_alone(self):
        assert read("not,a.jpg,d.jpg").alone == [(0, 3)]
        assert read("not,a.jpg,000").alone == [(0, 1)]
        assert read("not,b.jpg,000").alone == [(1, 0)]  # it is the most typical itself

    def test_a_whole_cluster_does_not_fall_apart(self):
        known = read("not,001,000")
        assert known.cannot == [(4, 1)] and not known.alone

    def test_of_a_name_it_is_apart_from_all_of_that_name(self):
        known = read("name,d.jpg,Ann", "name,b.jpg,Ann", "not,f.jpg,Ann")
        assert known.alone == [(5, 3), (5, 1)]
        known = read("not,f.jpg,Zoe", people=["Zoe"])
        assert known.unlike == [(5, "Zoe")] and states(known) == [IN_FORCE]


class TestContradictions:
    def test_what_is_rejected_is_nothing_else(self):
        known = read(
            "must-link,a.jpg,d.jpg",
            "name,d.jpg,Bob",
            "reject,d.jpg,a dog",
            "name,001,Eve",
        )
        assert states(known) == [CONTRADICTS, CONTRADICTS, IN_FORCE, IN_FORCE]
        assert known.rejected == [3] and known.must == []
        assert known.names == {4: "Eve"}  # by who is left of the cluster
        assert "contradicts line 3, by which 'd.jpg' is rejected" in known.faults[0]

    def test_of_two_names_the_last_holds(self):
        known = read("name,a.jpg,Ann", "name,a.jpg,Eve")
        assert known.names == {0: "Eve"} and states(known) == [CONTRADICTS, IN_FORCE]

    def test_links_against_what_is_apart_have_no_effect(self):
        known = read(
            "must-link,a.jpg,b.jpg", "must-link,b.jpg,d.jpg", "not,d.jpg,a.jpg"
        )
        assert known.must == [(0, 1)] and known.alone == [(3, 0)]
        assert states(known) == [IN_FORCE, CONTRADICTS, IN_FORCE]
        assert known.faults == [
            "labels.csv, line 2: it contradicts line 3, which holds"
        ]

    def test_nobody_is_not_who_it_is(self):
        known = read("name,a.jpg,Zoe", "not,a.jpg,Zoe")
        assert states(known) == [IN_FORCE, CONTRADICTS]
