import pytest

from dtst_flow.records import Records

DEPENDS = {"model": "0ff", "code": ["1", "2"]}


def files_of(folder):
    return [path for path in folder.rglob("*") if path.is_file()]


def test_a_record_comes_back(tmp_path):
    records = Records(tmp_path, DEPENDS)
    assert records.get("image") is None
    records.put("image", {"faces": [[1.5, None]], "name": "\udce9"})
    assert Records(tmp_path, DEPENDS).get("image") == {
        "faces": [[1.5, None]],
        "name": "\udce9",
    }
    assert records.get("other image") is None


def test_an_empty_record_is_a_record(tmp_path):
    records = Records(tmp_path, DEPENDS)
    records.put("image", [])
    assert records.get("image") == []


def test_it_depends_on_all_it_is_made_from_and_on_nothing_else(tmp_path):
    Records(tmp_path, DEPENDS).put("image", 1)
    turned = dict(reversed(DEPENDS.items()))
    assert Records(tmp_path, turned).get("image") == 1
    for other in ({**DEPENDS, "model": "0fe"}, {**DEPENDS, "more": None}, None):
        assert Records(tmp_path, other).get("image") is None


def test_an_image_may_be_named_by_any_value(tmp_path):
    records = Records(tmp_path, DEPENDS)
    records.put(["image", [[1.0, 2.0]]], "with points")
    records.put(["image", None], "without")
    assert records.get(["image", [[1.0, 2.0]]]) == "with points"
    assert records.get(["image", None]) == "without"


def test_fresh_overlooks_records_but_keeps_new_ones(tmp_path):
    Records(tmp_path, DEPENDS).put("image", "old")
    fresh = Records(tmp_path, DEPENDS, fresh=True)
    assert fresh.get("image") is None
    fresh.put("image", "new")
    assert fresh.get("image") is None
    assert Records(tmp_path, DEPENDS).get("image") == "new"


@pytest.mark.parametrize("content", [b"", b'{"faces": [', b"\0" * 9, b"\xff"])
def test_a_broken_record_is_computed_anew(tmp_path, content):
    records = Records(tmp_path, DEPENDS)
    records.put("image", "right")
    [path] = files_of(tmp_path)
    path.write_bytes(content)
    assert records.get("image") is None
    records.put("image", "right")
    assert records.get("image") == "right"


def test_putting_again_gives_the_same_bytes(tmp_path):
    records = Records(tmp_path, DEPENDS)
    records.put("image", {"a": 1, "b": 0.1})
    [path] = files_of(tmp_path)
    before = path.read_bytes()
    records.put("image", records.get("image"))
    assert files_of(tmp_path) == [path]
    assert path.read_bytes() == before
