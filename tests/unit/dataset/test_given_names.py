"""Names given: an image keeps its stem, whatever comes and goes beside it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dtst_flow.annotations.crop_names import stem_of
from dtst_flow.dataset import given_names
from dtst_flow.dataset.cluster_list import ClusterEvidence
from dtst_flow.dataset.evidence import Given
from dtst_flow.dataset.provenance import sign
from dtst_flow.dataset.sidecars import write
from dtst_flow.dataset.stems import folded, is_stem_of, unique_stems
from dtst_flow.stages.crops import of_boxes
from dtst_flow.utils.tables import read_table

A, B, C = ("0" * 31 + end for end in "abc")


@pytest.fixture
def settle(tmp_path):
    """Settle the names of one bucket after the other run."""
    return lambda content, **how: given_names.settle(
        content, tmp_path, how.pop("evidence", None), **how
    )


def test_a_second_image_of_a_name_takes_the_longer_one(settle):
    assert settle({"a/x.jpg": A}) == {"a/x.jpg": "x"}
    assert settle({"a/x.jpg": A, "b/x.jpg": B}) == {"a/x.jpg": "x", "b/x.jpg": "b_x"}
    assert settle({"b/x.jpg": B, "c/X.jpg": C}) == {"b/x.jpg": "b_x", "c/X.jpg": "c_X"}


def test_the_name_of_one_that_is_gone_never_passes_to_another(settle):
    settle({"a/x.jpg": A})
    assert settle({"b/x.jpg": B}) == {"b/x.jpg": "b_x"}
    assert settle({"b/x.jpg": B, "a/x.jpg": C})["a/x.jpg"] == "x"  # an edit of it
    assert settle({}) == {}
    assert settle({"x.jpg": B, "b/x.jpg": C})["x.jpg"].startswith("x.jpg")


def test_one_that_was_moved_keeps_its_name_and_a_renamed_one_gets_its_new_one(settle):
    settle({"a/x.jpg": A})
    assert settle({"b/x.jpg": A}) == {"b/x.jpg": "x"}
    assert settle({"b/y.jpg": A, "a/x.jpg": B}) == {"b/y.jpg": "y", "a/x.jpg": "a_x"}
    assert settle({"b/x.jpg": A}) == {"b/x.jpg": "x"}
    copies = settle({"c/x.jpg": A, "d/x.jpg": A})
    assert copies == {"c/x.jpg": "c_x", "d/x.jpg": "d_x"}


def test_some_are_named_after_all_others(settle):
    content = {"a/x.jpg": A, "people/x.jpg": B, "people.jpg": C}
    assert settle(content, aside="people/") == {
        "a/x.jpg": "x",
        "people/x.jpg": "people_x",
        "people.jpg": "people",
    }


@pytest.mark.parametrize("table", [None, "{", '{"path":1,"stem":"x","digest":"d"}\n'])
def test_where_the_table_is_lost_the_files_tell(settle, tmp_path, monkeypatch, table):
    monkeypatch.chdir(tmp_path)
    if table:
        (tmp_path / given_names.FILE).write_text(table)
    said = {"image": "b/x.jpg", "digest": B, "class": "red", "box": [0, 0, 2, 2]}
    ours = sign({"provenance": said | {"score": None, "crop": [0, 0, 2, 2]}}, b"crop")
    evidence = of_boxes(tmp_path / "crops")
    assert list(evidence.names()) == []
    (tmp_path / "crops").mkdir()
    (tmp_path / "crops/b_x_red.jpg").write_bytes(b"edited")
    write(tmp_path / "crops/b_x_red.jpg", ours)
    assert stem_of("b_x_red.jpg", said) == "b_x"
    assert list(evidence.names()) == [Given("b/x.jpg", "b_x", B)]
    content = {"b/x.jpg": B}
    foreseen = given_names.foreseen(content, tmp_path, evidence)
    assert settle(content, evidence=evidence) == {"b/x.jpg": "b_x"} == foreseen
    assert settle(content) == {"b/x.jpg": "b_x"}


def test_the_list_of_clusters_tells_names(settle, tmp_path):
    member = {"path": "b/x.jpg", "file": "noise/b_x.jpg", "digest": B}
    parameters = dict.fromkeys(["model", "top", "min_cluster_size"])
    listed = {"clusters": [], "noise": [member], "near_duplicates": []}
    text = json.dumps(listed | {"parameters": parameters})
    (tmp_path / "clusters.json").write_text(text)
    evidence = ClusterEvidence(tmp_path)
    assert settle({"b/x.jpg": B}, evidence=evidence) == {"b/x.jpg": "b_x"}


def test_a_table_of_a_stranger_gives_no_name_that_dtst_would_not(settle, tmp_path):
    rows = [
        ("a/x.jpg", "../../x"),
        ("a/y.jpg", "z"),
        ("a/v.jpg", "v"),
        ("b/v.jpg", "v"),
        ("a/w.jpg", f"../w-{'0' * 8}"),
    ]
    lines = (json.dumps({"path": p, "stem": s, "digest": A}) + "\n" for p, s in rows)
    (tmp_path / given_names.FILE).write_text("".join(lines))
    stems = settle({path: A for path, _ in rows})
    assert [stems[path] for path, _ in rows] == ["x", "y", "v", "b_v", "w"]


paths = st.builds(
    "{}{}{}".format,
    st.sampled_from(["", "a/", "b/", "A/", "a/b/"]),
    st.sampled_from(["x", "X", "y", "a_x", "a_a_x", "x.jpg"]),
    st.sampled_from([".jpg", ".JPG", ".png"]),
)


@given(st.lists(st.dictionaries(paths, st.sampled_from([A, B, C])), max_size=5))
def test_any_history_of_images(tmp_path_factory, history):
    state = tmp_path_factory.mktemp("state")
    last: dict[str, tuple[str, str]] = {}
    for content in history:
        stems = given_names.settle(content, state, None)
        assert stems.keys() == content.keys()
        assert len({folded(stem) for stem in stems.values()}) == len(stems)
        for path, stem in stems.items():
            assert is_stem_of(stem, path)
            owner, digest = last.get(folded(stem), (path, content[path]))
            assert owner == path or (owner not in content and digest == content[path])
            last[folded(stem)] = path, content[path]
        named = [row["stem"] for row in read_table(state / given_names.FILE)]
        assert len(named) == len({folded(stem) for stem in named})
    if len(history) == 1:
        assert stems == unique_stems(history[0])
