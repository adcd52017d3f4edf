"""Values in few files."""

import os
import sqlite3
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dtst_flow.cache import packs


def add(folder, *keys: str, value: bytes = b"") -> None:
    packs.add(folder, {key: value or key.encode() for key in keys})


def get(folder, key: str) -> bytes | None:
    found = (pack.get(key) for pack in packs.load(folder))
    return next((value for value in found if value is not None), None)


def files(folder) -> list:
    return sorted(folder.iterdir())


def test_packs_of_a_like_size_become_one(tmp_path):
    for i in range(packs.TOGETHER**2):
        add(tmp_path, f"key {i}")
    [pack] = files(tmp_path)
    assert pack.name.startswith(f"{packs.TOGETHER**2:08}-{packs.TOGETHER**2}-")
    keys = [f"key {i}" for i in range(packs.TOGETHER**2)]
    assert [get(tmp_path, key) for key in keys] == [key.encode() for key in keys]


def test_large_ones_stay_as_they_are(tmp_path, monkeypatch):
    monkeypatch.setattr(packs, "TOGETHER", 2)
    monkeypatch.setattr(packs, "LARGEST", 8)
    for i in range(40):
        add(tmp_path, *(f"key {i} {j}" for j in range(3)))
    counts = [int(path.name.split("-")[1]) for path in files(tmp_path)]
    assert max(counts) == 6 and len(counts) == 20


@given(st.lists(st.sets(st.sampled_from("abcdefgh"), min_size=1), max_size=40))
def test_the_newest_value_counts(tmp_path_factory, histories):
    folder = tmp_path_factory.mktemp("packs")
    expected = {}
    for i, keys in enumerate(histories):
        add(folder, *keys, value=b"%d" % i)
        expected |= dict.fromkeys(keys, b"%d" % i)
    assert {key: get(folder, key) for key in expected} == expected
    assert len(files(folder)) <= 2 * packs.TOGETHER


def test_while_another_process_is_about_it_they_stay(tmp_path):
    (tmp_path / packs.MERGING).mkdir()
    for i in range(2 * packs.TOGETHER):
        add(tmp_path, f"key {i}")
    assert len(files(tmp_path)) == 2 * packs.TOGETHER + 1
    packs.unlock(tmp_path)
    add(tmp_path, "last")
    assert len(files(tmp_path)) == 1


def test_one_that_goes_while_they_are_loaded_does_no_harm(tmp_path, monkeypatch):
    add(tmp_path, "a")
    add(tmp_path, "b")
    names = packs._names(tmp_path)
    names[0].path.unlink()
    answers = [names, packs._names(tmp_path)]
    monkeypatch.setattr(packs, "_names", lambda folder: answers.pop(0))
    assert get(tmp_path, "b") == b"b"


STRANGE = [
    "CREATE TABLE record (key TEXT PRIMARY KEY, value BLOB, more INT)",
    "CREATE VIEW record AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"
    " SELECT 'key' AS key, CAST(i AS BLOB) AS value FROM n WHERE i < 0",
    packs.TABLE + "; CREATE VIEW other AS SELECT 1",
    packs.TABLE + "; INSERT INTO record VALUES ('key', 'text')",
    packs.TABLE + "; INSERT INTO record VALUES ('key', 3)",
]


@pytest.mark.parametrize("schema", STRANGE)
def test_what_a_stranger_made_is_as_good_as_empty(tmp_path, schema):
    with closing(sqlite3.connect(tmp_path / "00000001-1-ab.pack")) as database:
        database.executescript(schema)
    assert get(tmp_path, "key") is None
    for i in range(packs.TOGETHER):
        add(tmp_path, f"other {i}")
    assert get(tmp_path, "key") is None
    assert get(tmp_path, "other 3") == b"other 3"


def test_what_is_no_file_is_passed_over(tmp_path):
    (tmp_path / "00000001-1-ab.pack").symlink_to("nowhere")
    os.mkfifo(tmp_path / "00000002-1-ab.pack")
    (tmp_path / "00000003-1-ab.pack").mkdir()
    add(tmp_path, "key")
    assert get(tmp_path, "key") == b"key"


def test_a_damaged_one_costs_what_it_held(tmp_path):
    add(tmp_path, *(f"key {i}" for i in range(5000)))
    [path] = files(tmp_path)
    content = bytearray(path.read_bytes())
    content[packs.PAGE : -packs.PAGE] = b"\xff" * (len(content) - 2 * packs.PAGE)
    path.write_bytes(content)
    add(tmp_path, "new")
    assert get(tmp_path, "key 7") is None
    assert get(tmp_path, "new") == b"new"
    assert list(packs.Pack(path).rows()) == []


def test_a_folder_of_any_name(tmp_path):
    folder = tmp_path / "a ?b#c%20d"
    folder.mkdir()
    add(folder, "a")
    assert get(folder, "a") == b"a"
