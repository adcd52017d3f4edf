import os
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dtst_flow.utils import files, tables

names = (
    st.binary(min_size=1, max_size=12)
    .filter(lambda name: not set(name) & set(b"/\0"))
    .map(os.fsdecode)
)
"""What a file may be called, as Python gives it: any bytes but two."""

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | names,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner),
    max_leaves=12,
)


class TestWriteAtomic:
    def test_makes_the_folder_and_replaces_what_is_there(self, tmp_path):
        path = tmp_path / "a/b/x.txt"
        files.write_atomic(path, b"one")
        files.write_atomic(str(path), b"two")
        assert path.read_bytes() == b"two"
        assert [p.name for p in path.parent.iterdir()] == ["x.txt"]

    def test_an_interrupted_writer_leaves_the_old_file(self, tmp_path, monkeypatch):
        path = tmp_path / "x.txt"
        files.write_atomic(path, b"old")

        def interrupted(source, target):
            assert source.read_bytes() == b"new"
            assert source.name.startswith(files.TEMPORARY_PREFIX)
            raise KeyboardInterrupt

        monkeypatch.setattr(os, "replace", interrupted)
        with pytest.raises(KeyboardInterrupt):
            files.write_atomic(path, b"new")
        assert path.read_bytes() == b"old"
        assert list(tmp_path.iterdir()) == [path]

    def test_a_durable_one_is_on_the_disk_before_it_bears_its_name(
        self, tmp_path, monkeypatch
    ):
        done = []
        sync, replace = os.fsync, os.replace

        def synced(file):
            done.append(os.fstat(file).st_size)
            sync(file)

        monkeypatch.setattr(os, "fsync", synced)
        monkeypatch.setattr(
            os, "replace", lambda *a: done.append("named") or replace(*a)
        )
        files.write_atomic(tmp_path / "x", b"four", durable=True)
        tables.write_table(tmp_path / "t", [{}])
        files.write_atomic(tmp_path / "y", b"five")
        assert done == [4, "named", 3, "named", "named"]

    def test_the_leftover_of_a_rename_onto_itself_goes(self, tmp_path):
        path = tmp_path / "x.txt"
        files.write_atomic(path, b"one")
        with files.temporary(path) as new:
            os.link(path, new)
            os.replace(new, path)
        assert list(tmp_path.iterdir()) == [path]

    def test_a_folder_in_the_way_is_an_error_and_leaves_no_leftover(self, tmp_path):
        (tmp_path / "x").mkdir()
        with pytest.raises(OSError, match="directory"):
            files.write_atomic(tmp_path / "x", b"content")
        assert [p.name for p in tmp_path.iterdir()] == ["x"]

    def test_many_writers_of_one_path(self, tmp_path):
        path = tmp_path / "x"
        contents = [bytes([i]) * 50_000 for i in range(20)]
        with ThreadPoolExecutor(8) as threads:
            list(threads.map(lambda c: files.write_atomic(path, c), contents))
        assert path.read_bytes() in contents
        assert list(tmp_path.iterdir()) == [path]

    @pytest.mark.parametrize("name", ["new\nline", "-dash", "\udce9", "x" * 255])
    def test_any_name_will_do(self, tmp_path, name):
        files.write_atomic(tmp_path / name, b"content")
        assert os.listdir(tmp_path) == [name]


@pytest.mark.parametrize("below", [False, True])
def test_sweeping_removes_unfinished_files_alone(tmp_path, below):
    (tmp_path / "b").mkdir()
    for name in (".dtst-1.tmp", "b/.dtst-2.tmp", "a.tmp", ".dtst-3", "b/c.tmp"):
        (tmp_path / name).touch()
    files.sweep(tmp_path, below)
    left = {str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if p.is_file()}
    kept = {"a.tmp", ".dtst-3", "b/c.tmp"}
    assert left == (kept if below else kept | {"b/.dtst-2.tmp"})


class TestJson:
    @settings(deadline=None)
    @given(value=values)
    def test_it_comes_back_the_same_from_plain_ascii(self, value, tmp_path_factory):
        path = tmp_path_factory.getbasetemp() / "value.json"
        content = files.to_json(value)
        assert content.isascii() and b"\n" not in content
        path.write_bytes(content)
        assert files.read_json(path) == value
        assert files.to_json(files.read_json(path)) == content

    @settings(max_examples=30, deadline=None)
    @given(rows=st.lists(st.dictionaries(names, values, max_size=3), max_size=5))
    def test_tables_come_back_the_same(self, rows, tmp_path_factory):
        path = tmp_path_factory.getbasetemp() / "table.jsonl"
        tables.write_table(path, iter(rows))
        assert list(tables.read_table(path)) == rows

    @pytest.mark.parametrize("count", [0, 1, 2, 10_000])
    def test_so_do_large_ones(self, count, tmp_path):
        rows = [{"path": f"{n}.jpg", "digest": n} for n in range(count)]
        tables.write_table(tmp_path / "t", rows)
        assert count < 10_000 or (tmp_path / "t").stat().st_size > files.PIECE
        assert list(tables.read_table(tmp_path / "t")) == rows


class TestDigest:
    @pytest.mark.parametrize("size", [0, 1, 1 << 18, (1 << 18) + 1, 3_000_000])
    def test_of_a_file_is_that_of_its_content(self, tmp_path, size):
        content = bytes(range(251)) * (size // 251 + 1)
        path = tmp_path / "x"
        path.write_bytes(content[:size])
        assert files.digest_file(path) == files.digest(content[:size])

    def test_is_128_bits_of_blake2b(self):
        # By `printf abc | b2sum -l 128`.
        assert files.digest(b"abc") == "cf4ab791c62b8d2b2109c90275287816"

    @given(value=st.dictionaries(names, values, min_size=2, max_size=4))
    def test_of_a_value_overlooks_the_order_of_keys_only(self, value):
        turned = dict(reversed(value.items()))
        assert files.digest_value(turned) == files.digest_value(value)
        assert files.digest_value([*value]) != files.digest_value([*turned])
        assert files.digest_value({**value, "more": 1}) != files.digest_value(value)
