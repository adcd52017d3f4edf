import json

import pytest

from dtst_flow.cluster.labels import Label, Sight, overlap, read, read_bound, to_json


class TestRead:
    def test_without_a_file_there_are_none(self, tmp_path):
        assert read(tmp_path / "labels.csv") == ([], [])

    def test_every_relation(self, tmp_path):
        (tmp_path / "labels.csv").write_bytes(
            b"\xef\xbb\xbfrelation,image,other\r\n"
            b'must-link,a.jpg,"c,1.jpg"\r\n'
            b"\r\n# twins\r\n"
            b"cannot-link, a.jpg , b.jpg\r\n"
            b"name,d.jpg,Ann\r\n"
        )
        labels, faults = read(tmp_path / "labels.csv")
        assert faults == []
        assert labels == [
            Label(2, "must-link", "a.jpg", "c,1.jpg"),
            Label(5, "cannot-link", "a.jpg", "b.jpg"),
            Label(6, "name", "d.jpg", "Ann"),
        ]

    @pytest.mark.parametrize(
        ("line", "fault"),
        [
            ("must-link,a.jpg", "2 cells, not 3"),
            ("same,a.jpg,b.jpg", "'same' is none of"),
            ("must-link,a.jpg,a.jpg", "linked to itself"),
        ],
    )
    def test_a_bad_line_costs_only_itself(self, tmp_path, line, fault):
        (tmp_path / "labels.csv").write_text(f"{line}\nname,d.jpg,Ann\n")
        labels, (told,) = read(tmp_path / "labels.csv")
        assert labels == [Label(2, "name", "d.jpg", "Ann")]
        assert "labels.csv, line 1" in told and fault in told

    def test_what_is_no_file_is_told(self, tmp_path):
        (tmp_path / "labels.csv").mkdir()
        labels, (told,) = read(tmp_path / "labels.csv")
        assert labels == [] and "cannot be read" in told


def test_what_is_bound_comes_back(tmp_path):
    bound = {
        ("name", "a.jpg", "Ann"): (Sight("d1", (1.0, 2.0, 3.5, 4.0), 2**63),),
        ("must-link", "a.jpg", "b.jpg"): (Sight("d1", (), 0), Sight("d2", (), 5)),
    }
    path = tmp_path / "labels.json"
    path.write_text(json.dumps(to_json(bound)))
    assert read_bound(path) == bound


@pytest.mark.parametrize("garbage", ["", "{", "[3]", '[{"label": [1]}]', "null", "{}"])
def test_garbage_binds_nothing(tmp_path, garbage):
    (tmp_path / "labels.json").write_text(garbage)
    assert read_bound(tmp_path / "labels.json") == {}
    assert read_bound(tmp_path / "none.json") == {}


def test_overlap_of_boxes():
    assert overlap((0, 0, 10, 10), (0, 0, 10, 10)) == 1
    assert overlap((0, 0, 10, 10), (5, 0, 15, 10)) == pytest.approx(1 / 3)
    assert overlap((0, 0, 10, 10), (10, 0, 20, 10)) == 0
    assert overlap((0, 0, 10, 10), (3, 3, 3, 3)) == 0
