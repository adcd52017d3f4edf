import numpy as np
import pytest

from dtst_flow.cluster.constraints import Constraints, merge, read, split
from dtst_flow.cluster.groups import Settings, group

IMAGES = ["a.jpg", "b.jpg", "c,1.jpg", "d.jpg"]


def lists(clusters) -> list[list[int]]:
    return [rows.tolist() for rows in clusters]


class TestRead:
    def test_without_a_file_there_are_none(self, tmp_path):
        assert read(tmp_path / "labels.csv", IMAGES) == Constraints()

    def test_every_relation(self, tmp_path):
        (tmp_path / "labels.csv").write_bytes(
            b"\xef\xbb\xbfrelation,image,other\r\n"
            b'must-link,a.jpg,"c,1.jpg"\r\n'
            b"\r\n# twins\r\n"
            b"cannot-link, a.jpg , b.jpg\r\n"
            b"name,d.jpg,Ann\r\n"
        )
        found = read(tmp_path / "labels.csv", IMAGES)
        assert found == Constraints([(0, 2)], [(0, 1)], {3: "Ann"}, [])

    @pytest.mark.parametrize(
        ("line", "fault"),
        [
            ("must-link,a.jpg", "2 cells, not 3"),
            ("same,a.jpg,b.jpg", "'same' is none of"),
            ("must-link,x.jpg,b.jpg", "no image is called 'x.jpg'"),
            ("cannot-link,a.jpg,x.jpg", "no image is called 'x.jpg'"),
            ("must-link,a.jpg,a.jpg", "linked to itself"),
        ],
    )
    def test_a_bad_line_costs_only_itself(self, tmp_path, line, fault):
        (tmp_path / "labels.csv").write_text(f"{line}\nname,d.jpg,Ann\n")
        found = read(tmp_path / "labels.csv", IMAGES)
        assert found.names == {3: "Ann"} and found.must == found.cannot == []
        (told,) = found.faults
        assert "labels.csv, line 1" in told and fault in told

    def test_what_is_no_file_is_told(self, tmp_path):
        (tmp_path / "labels.csv").mkdir()
        assert "cannot be read" in read(tmp_path / "labels.csv", IMAGES).faults[0]


def on_a_line(*places: float) -> np.ndarray:
    """Unit vectors by their angle."""
    return np.stack([np.cos(places), np.sin(places)], axis=1).astype(np.float32)


class TestSplit:
    vectors = on_a_line(0, 0.1, 0.2, 1.0, 1.1, 1.2, 2.0)

    def test_every_row_goes_with_the_nearer_one(self):
        both = np.arange(6)
        assert lists(split(self.vectors, [both], [(0, 5)])) == [[0, 1, 2], [3, 4, 5]]

    def test_what_is_apart_stays_as_it_is(self):
        clusters = [np.array([0, 1]), np.array([3, 4])]
        assert lists(split(self.vectors, clusters, [(0, 4)])) == [[0, 1], [3, 4]]

    def test_equal_images_can_be_told_apart(self):
        vectors = on_a_line(0, 0, 0, 0)
        assert lists(split(vectors, [np.arange(4)], [(0, 1)])) == [[0, 2, 3], [1]]


class TestMerge:
    def test_clusters_and_noise(self):
        clusters = [np.array([0, 1]), np.array([2, 3]), np.array([4, 5])]
        found, refused = merge(clusters, [(1, 2), (5, 9), (7, 8)], [])
        assert sorted(lists(found)) == [[0, 1, 2, 3], [4, 5, 9], [7, 8]]
        assert refused == []

    def test_what_must_not_be_together_is_not_united(self):
        clusters = [np.array([0, 1]), np.array([2, 3])]
        found, refused = merge(clusters, [(1, 2)], [(0, 3)])
        assert lists(found) == [[0, 1], [2, 3]] and refused == [(1, 2)]


def test_they_hold_whatever_the_algorithm_finds():
    chance = np.random.default_rng(0)
    vectors = np.concatenate(
        [np.eye(32)[axis] + 0.06 * chance.normal(size=(8, 32)) for axis in (0, 1, 2)]
    ).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    wanted = Constraints(must=[(0, 8)], cannot=[(16, 17)])
    found = group(vectors, Settings(3, 2), constraints=wanted)
    clusters = {i: k for k, g in enumerate(found.groups) for i in g.members.tolist()}
    assert clusters[0] == clusters[8] == clusters[15]
    assert clusters.get(16, "noise") != clusters.get(17)


@pytest.mark.parametrize("size", [3, 8])
def test_a_part_that_is_too_small_is_no_cluster(size):
    vectors = on_a_line(0, 0.01, 0.02, 0.03, 0.04, 0.3, 0.31, 0.32, 1.5, 1.6, 1.7)
    wanted = Constraints(cannot=[(0, 7)])
    found = group(vectors, Settings(size, 2, same=0.5), constraints=wanted)
    members = [sorted(g.members.tolist()) for g in found.groups]
    assert (list(range(5)) in members) == (size == 3)
    assert all(len(rows) >= size for rows in members)
