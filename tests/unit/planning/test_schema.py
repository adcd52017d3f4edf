"""Settings are checked before any use is made of them, and refused in one line."""

import json

import pytest
import yaml

from dtst_flow.planning import schema
from dtst_flow.planning.schema import MAX_VALUES, BadSettings, check, read_texts
from helpers.dataset import ROOT

SCHEMA = yaml.safe_load((ROOT / "workflow/schemas/config.schema.yaml").read_text())


def refused(settings: dict) -> str:
    with pytest.raises(BadSettings) as raised:
        check(settings, SCHEMA)
    told = str(raised.value)
    assert told.isprintable() and len(told) < 600
    return told


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"extract_faces": {"workers": -1}}, "extract_faces.workers: -1 is less"),
        ({"extract_faces": {"workers": True}}, "extract_faces.workers: True is not"),
        ({"extract_faces": {"workers": 2.0}}, "extract_faces.workers: 2.0 is not"),
        ({"extract_classes": {"margin": float("nan")}}, "margin: nan is no finite"),
        ({"cluster": {"max_distance": float("inf")}}, "max_distance: inf is no finite"),
        ({"extract_faces": {"from": 5}}, "from: 5 is not of type 'string', 'array'"),
        ({"extract_faces": {"to": True}}, "put it in quotes"),
        ({"detect": {"classes": ["a", {"b": 1}]}}, "detect.classes: {'b': 1} is not"),
        ({"cluster": {"to": "a\0b"}}, "cluster.to: no name has a NUL"),
        ({"cluster": {1: 2}}, "the name 1 is no text"),
        ({1: 2}, "the name 1 is no text"),
        ({"clutser": {}}, "there is no setting 'clutser'; did you mean 'cluster'?"),
        ({"cluster": {"\x1b[2J": 1}}, r"no setting '\x1b[2J'; it has from, to"),
        ({"cluster": None}, "cluster: None is not of type 'object'"),
        ({"dataset": "x" * 100_000, "root": 1}, "root: 1 is not"),
        ({"extract_faces": {"background": "x" * 100_000}}, "xxx…"),
    ],
)
def test_a_bad_setting_is_named(settings, told):
    assert told in refused(settings)


def test_good_ones_pass():
    check(
        {"cluster": {"top": None, "max_distance": 1}, "dataset": "\u00fc {x}"}, SCHEMA
    )


def test_a_few_lines_cannot_stand_for_billions():
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    for i in range(1, 12):
        lines.append(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]")
    bomb = yaml.safe_load("\n".join(lines))["a11"]
    assert f"more than {MAX_VALUES} values" in refused(
        {"extract_faces": {"from": bomb}}
    )
    endless = []
    endless.append(endless)
    assert f"more than {MAX_VALUES} values" in refused(
        {"extract_faces": {"from": endless}}
    )


def test_deep_ones_are_refused_as_well():
    deep = json.loads("[" * 900 + "]" * 900)
    assert "extract_faces.from: " in refused({"extract_faces": {"from": deep}})


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ({"strict": "true"}, {"strict": True}),
        ({"strict": "yes please"}, {"strict": "yes please"}),
        ({"shard_size": "20"}, {"shard_size": 20}),
        ({"shard_size": "2.5"}, {"shard_size": "2.5"}),
        ({"gpu": "null"}, {"gpu": None}),
        ({"dataset": "007"}, {"dataset": "007"}),
        (
            {"cluster": {"min_cluster_size": "20"}},
            {"cluster": {"min_cluster_size": 20}},
        ),
        ({"cluster": {"model": "null"}}, {"cluster": {"model": None}}),
        ({"cluster": {"model": "dlib"}}, {"cluster": {"model": "dlib"}}),
        ({"cluster": {"max_distance": "1"}}, {"cluster": {"max_distance": 1}}),
        ({"extract_faces": {"max_faces": "1"}}, {"extract_faces": {"max_faces": 1}}),
        ({"detect": {"classes": "yes"}}, {"detect": {"classes": "yes"}}),
        (
            {"select": {"min_metric": {"blur": "5"}}},
            {"select": {"min_metric": {"blur": 5}}},
        ),
        ({"odd": "1"}, {"odd": "1"}),
        ({"strict": "{"}, {"strict": "{"}),
        ({"cluster": "text"}, {"cluster": "text"}),
    ],
)
def test_text_is_read_by_the_types_that_are_wanted(given, read):
    found = read_texts(given, SCHEMA)
    assert found == read
    assert repr(found) == repr(read)  # True is no 1


def test_what_was_right_once_is_right_without_what_checks_it(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    right = {"cluster": {"top": None}}
    checked = []
    real = schema._validator
    monkeypatch.setattr(
        schema, "_validator", lambda given: checked.append(1) or real(given)
    )
    for settings in (right, right, right | {"strict": True}):
        check(settings, SCHEMA)
    assert len(checked) == 2
    with pytest.raises(BadSettings):
        check(right | {"strict": 1}, SCHEMA)
    with pytest.raises(BadSettings):
        check(right, {**SCHEMA, "required": ["other"]})
    (memo,) = (tmp_path / "dtst-flow").iterdir()
    memo.write_text("{")
    check(right, SCHEMA)
    assert len(checked) == 5
