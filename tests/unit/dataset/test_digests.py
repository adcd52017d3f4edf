"""Which files are read to digest a bucket."""

import os
import shutil
from pathlib import Path

import pytest

from dtst_flow.dataset import digests
from dtst_flow.dataset.scan import fingerprint, scan
from dtst_flow.utils.files import digest
from dtst_flow.utils.tables import read_table

LATIN1 = os.fsdecode(b"caf\xe9.jpg")

CACHE = ".dtst/cache.jsonl"


def make(dataset: Path, *names: str) -> Path:
    """Make files, each holding its own name."""
    for name in names:
        (dataset / name).parent.mkdir(parents=True, exist_ok=True)
        (dataset / name).write_bytes(os.fsencode(name))
    return dataset


@pytest.fixture
def dataset(tmp_path) -> Path:
    names = ("images/a.jpg", "images/a.jpg.json", "images/s1/b.PNG", "images/s1/c.jpg")
    return make(tmp_path / "crowd", *names)


@pytest.fixture
def asked(monkeypatch) -> list[str]:
    """The names of the files that were read."""
    asked: list[str] = []
    digest_file = digests.digest_file

    def watched(path, most):
        asked.append(path.name)
        return digest_file(path, most)

    monkeypatch.setattr(digests, "digest_file", watched)
    return asked


def rewrite(path: Path, content: bytes) -> None:
    """Write a file in place and set its time back."""
    time = path.stat().st_mtime_ns
    path.write_bytes(content)
    os.utime(path, ns=(time, time))


def replace(path: Path, content: bytes) -> None:
    """Put another file of the same time in the place of one."""
    time = path.stat().st_mtime_ns
    other = path.with_suffix(".tmp")
    other.write_bytes(content)
    os.utime(other, ns=(time, time))
    other.rename(path)


class TestUnseenEdits:
    """Edits that keep size and time."""

    @pytest.fixture
    def look(self, dataset):
        """Returns a function that lists, and gives the fingerprint and the edits found."""

        def look(keep=False):
            listing = scan(dataset, ["images/*"])
            table = dataset / CACHE
            edits = digests.unseen_edits(dataset, listing.files, table, keep)
            return fingerprint(listing, edited=edits), edits

        return look

    @staticmethod
    def store(dataset: Path) -> dict[str, str]:
        files = scan(dataset, ["images/*"]).files
        return digests.digests(dataset, files, dataset / CACHE)

    @pytest.mark.parametrize("edit", [rewrite, replace])
    @pytest.mark.parametrize("name", ["images/a.jpg", "images/a.jpg.json"])
    def test_they_are_seen_once_and_stay_known(self, dataset, look, asked, edit, name):
        self.store(dataset)
        before = look()
        path = dataset / name
        edit(path, b"x" * path.stat().st_size)
        seen = look()
        assert seen[0] != before[0]
        assert seen[1] == {name: digest(path.read_bytes())}
        assert self.store(dataset)[name] == digest(path.read_bytes())
        asked.clear()
        assert look() == seen and asked == []
        edit(path, os.fsencode(name))
        assert look()[1] == {name: digest(os.fsencode(name))}

    def test_it_is_a_read_of_one_file(self, dataset, look, asked):
        self.store(dataset)
        asked.clear()
        rewrite(dataset / "images/a.jpg", b"x" * 12)
        assert look(keep=True)[1] and look(keep=True)[1]
        assert asked == ["a.jpg", "a.jpg"]  # until it is listed

    def test_a_plain_edit_afterwards_ends_it(self, dataset, look):
        self.store(dataset)
        path = dataset / "images/a.jpg"
        rewrite(path, b"x" * 12)
        self.store(dataset)
        path.write_bytes(b"longer than before")
        seen = look()
        assert seen[1] == {}
        self.store(dataset)
        assert look() == seen

    def test_what_changes_no_content_is_looked_at_once(self, dataset, look, asked):
        self.store(dataset)
        before = look()
        (dataset / "images/a.jpg").chmod(0o600)
        replace(dataset / "images/s1/b.PNG", b"images/s1/b.PNG")
        asked.clear()
        assert look() == look() == look(keep=True) == before
        assert sorted(asked) == 3 * ["a.jpg"] + 3 * ["b.PNG"]
        asked.clear()
        assert look() == before and asked == []

    @pytest.mark.parametrize("few", [4, 3])
    def test_a_large_copy_of_the_dataset_is_not_read(
        self, dataset, look, asked, monkeypatch, few
    ):
        monkeypatch.setattr(digests, "FEW", few)
        self.store(dataset)
        before = look()
        shutil.move(dataset, dataset.with_name("old"))
        shutil.copytree(dataset.with_name("old"), dataset)
        asked.clear()
        assert look() == before and len(asked) == (4 if few == 4 else 0)

    def test_a_hard_link_is_no_edit(self, dataset, look, asked):
        self.store(dataset)
        before = look()
        (dataset / "link.jpg").hardlink_to(dataset / "images/a.jpg")
        asked.clear()
        assert look() == before and asked == []

    @pytest.mark.parametrize("note", [b"", b"[]", b'{"witness": "x"}', None])
    def test_a_note_that_is_none_costs_a_look_at_the_table(self, dataset, look, note):
        self.store(dataset)
        before = look()
        path = (dataset / CACHE).with_name(digests.UNSEEN)
        path.unlink()
        if note is not None:
            path.write_bytes(note)
        assert look() == before

    def test_nothing_is_written_where_not_asked(self, dataset, look):
        self.store(dataset)
        (dataset / "images/a.jpg").chmod(0o600)
        state = {p: p.read_bytes() for p in (dataset / ".dtst").iterdir()}
        look()
        assert state == {p: p.read_bytes() for p in (dataset / ".dtst").iterdir()}


class TestDigests:
    @pytest.fixture
    def read(self, dataset, monkeypatch):
        """Returns a function that gives the digests and the paths read for them."""
        asked = []
        digest_file = digests.digest_file

        def watched(path, most):
            asked.append(path.relative_to(dataset).as_posix())
            return digest_file(path, most)

        monkeypatch.setattr(digests, "digest_file", watched)

        def read():
            asked.clear()
            files = scan(dataset, ["images/*"]).files
            content = digests.digests(dataset, files, dataset / ".dtst/cache.jsonl")
            return content, sorted(asked)

        return read

    def test_they_name_the_content(self, dataset, read):
        make(dataset, f"images/{LATIN1}", "images/new\nline.jpg")
        content, asked = read()
        assert content == {path: digest(os.fsencode(path)) for path in content}
        assert sorted(content) == asked and len(content) == 6
        assert read() == (content, [])

    @pytest.mark.parametrize("piece", [1, 3, 4])
    def test_threads_read_all_whatever_they_are_handed(
        self, dataset, read, monkeypatch, piece
    ):
        monkeypatch.setattr(digests, "PIECE", piece)
        content, asked = read()
        assert len(content) == 4 and sorted(content) == asked
        assert content == {path: digest(os.fsencode(path)) for path in content}

    def test_only_what_changed_is_read(self, dataset, read):
        content, _ = read()
        make(dataset, "images/s1/new.jpg")
        (dataset / "images/a.jpg").write_bytes(b"other")
        (dataset / "images/s1/b.PNG").unlink()
        changed, asked = read()
        assert asked == ["images/a.jpg", "images/s1/new.jpg"]
        assert changed["images/a.jpg"] == digest(b"other")
        assert "images/s1/b.PNG" not in changed
        assert changed["images/a.jpg.json"] == content["images/a.jpg.json"]
        os.utime(dataset / "images/a.jpg", ns=(1, 1))
        assert read() == (changed, ["images/a.jpg"])

    def test_an_edit_of_the_same_size_is_seen_by_its_time(self, dataset, read):
        read()
        stat = (dataset / "images/a.jpg").stat()
        (dataset / "images/a.jpg").write_bytes(b"x" * stat.st_size)
        os.utime(dataset / "images/a.jpg", ns=(0, stat.st_mtime_ns + 1))
        content, asked = read()
        assert asked == ["images/a.jpg"]
        assert content["images/a.jpg"] == digest(b"x" * stat.st_size)

    def test_a_file_gone_meanwhile_is_left_out(self, dataset, read):
        files = scan(dataset, ["images/*"]).files
        (dataset / "images/a.jpg").unlink()
        cache = dataset / ".dtst/cache.jsonl"
        content = digests.digests(dataset, files, cache)
        assert sorted(content) == sorted(set(files) - {"images/a.jpg"})
        assert sorted(row["path"] for row in read_table(cache)) == sorted(content)


@pytest.mark.parametrize("garbage", [b"\0\xff", b'{"path": 5}\n', b"[1]\n", b"["])
def test_of_a_table_that_is_garbage_nothing_counts(dataset, garbage):
    files = scan(dataset, ["images/*"]).files
    content = digests.digests(dataset, files, dataset / CACHE)
    written = (dataset / CACHE).read_bytes()
    (dataset / CACHE).write_bytes(garbage)
    assert digests.unseen_edits(dataset, files, dataset / CACHE) == {}
    assert digests.were_below(["images"], dataset / CACHE) == []
    assert digests.digests(dataset, files, dataset / CACHE) == content
    assert (dataset / CACHE).read_bytes() == written
