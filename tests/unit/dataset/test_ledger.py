import functools
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import mkdtemp

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
)

from dtst_flow.dataset import entries, sidecars
from dtst_flow.dataset.entries import Entry
from dtst_flow.dataset.ledger import Ledgers
from dtst_flow.dataset.part import ForeignFile, Part
from dtst_flow.utils.files import TEMPORARY_PREFIX, write_atomic
from dtst_flow.utils.links import LINKERS, LinkRefused
from dtst_flow.utils.tables import write_table
from helpers.killed import Killed, killed_after


@pytest.fixture
def ledgers(tmp_path) -> Ledgers:
    return Ledgers(tmp_path / "faces", tmp_path / "state")


def put(
    ledgers: Ledgers, path: str, content: str, sidecar: dict | None = None, part="s"
) -> tuple[Entry, bool]:
    """Put a file as a new process would."""
    key = json.dumps([content, sidecar])
    return Part(ledgers, part).write(path, key, content.encode, sidecar)


def test_a_name_that_changes_in_case_alone_keeps_its_file(ledgers, monkeypatch):
    """Where the file system ignores case, which two names of one file stand for here."""
    entry, _ = put(ledgers, "Photo.jpg", "1", {"a": 1, "old": 1})
    ledgers.commit({"s": [entry]})
    for end in ("", ".json"):
        os.link(ledgers.bucket / f"Photo.jpg{end}", ledgers.bucket / f"photo.jpg{end}")
    with monkeypatch.context() as patch:
        patch.setattr(os, "listdir", lambda folder: ["photo.jpg"])
        entry, _ = put(ledgers, "photo.jpg", "2", {"a": 2})
        assert ledgers.commit({"s": [entry]}) == []
    assert (ledgers.bucket / "Photo.jpg").exists()
    assert (ledgers.bucket / "photo.jpg").read_text() == "2"
    assert sidecars.read(ledgers.bucket / "photo.jpg") == {"a": 2}


def test_a_name_of_other_case_is_another_file_where_case_counts(ledgers):
    entry, _ = put(ledgers, "Photo.jpg", "1")
    ledgers.commit({"s": [entry]})
    entry, _ = put(ledgers, "photo.jpg", "1")
    if not (ledgers.bucket / "Photo.jpg").samefile(ledgers.bucket / "photo.jpg"):
        assert ledgers.commit({"s": [entry]}) == ["Photo.jpg"]
        assert [path.name for path in ledgers.bucket.iterdir()] == ["photo.jpg"]


def lay(
    ledgers: Ledgers,
    path: str,
    source: Path,
    way: str,
    sidecar: dict | None = None,
    part="s",
) -> tuple[Entry, bool]:
    """Make a file of a source as a new process would."""
    key = json.dumps([source.name, way, sidecar])
    fill = functools.partial(LINKERS[way], source)
    return Part(ledgers, part).write_with(path, key, fill, sidecar)


def way_of(path: Path, source: Path) -> str:
    """What a file is of its source."""
    if path.is_symlink():
        return "symbolic"
    return "hard" if path.samefile(source) else "copy"


NOTED = [7, 1_790_000_001_234_567_890]


@pytest.mark.parametrize(
    ("found", "same"),
    [
        (NOTED, True),
        ([7, 1_790_000_001_234_567_800], True),
        ([7, 1_790_000_001_234_000_000], True),
        ([7, 1_790_000_001_000_000_000], True),
        ([8, 1_790_000_001_234_567_890], False),
        ([7, 1_790_000_001_234_567_891], False),
        ([7, 1_790_000_001_234_567_000 + 1_000], False),
        ([7, 1_790_000_002_000_000_000], False),
        ([7, 1_790_000_000_000_000_000], False),
        (None, False),
    ],
)
def test_a_time_cut_short_is_no_edit(found, same):
    assert entries.unchanged(found, NOTED) is same
    assert entries.unchanged(NOTED, found) is (found == NOTED)


def test_no_file_is_as_no_file():
    assert entries.unchanged(None, None)


def contents(folder: Path) -> dict[str, str]:
    """Path -> content of every file below a folder."""
    return {
        path.relative_to(folder).as_posix(): path.read_text()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def never() -> bytes:
    raise AssertionError("made again")


class TestPut:
    def test_file_sidecar_and_row(self, ledgers):
        row, written = put(ledgers, "a/x.jpg", "x", {"license": "CC0"})
        file = ledgers.bucket / "a/x.jpg"
        assert written and file.read_text() == "x"
        assert sidecars.read(file) == {"license": "CC0"}
        assert row.to_row() == {
            "path": "a/x.jpg",
            "key": '["x", {"license": "CC0"}]',
            "stat": entries.stat_of(file),
            "written": (sidecars.signature({"license": "CC0"}),),
            "sidecar": entries.stat_of(sidecars.path_of(file)),
        }
        assert ledgers.owned() == ledgers.rows("s") == {"a/x.jpg": row}
        assert ledgers.paths() == {"a/x.jpg"}

    @pytest.mark.parametrize("sidecar", [None, {}, {"license": "CC0"}])
    def test_again_writes_nothing(self, ledgers, sidecar):
        part = Part(ledgers, "s")
        row, _ = part.write("x.jpg", "key", lambda: b"x", sidecar)
        for again in (part, Part(ledgers, "s")):
            assert again.write("x.jpg", "key", never, sidecar) == (row, False)
        ledgers.commit({"s": [row]})
        assert Part(ledgers, "s").write("x.jpg", "key", never, sidecar) == (row, False)

    def test_keys_of_a_sidecar_may_be_made_with_the_file(self, ledgers):
        part = Part(ledgers, "s")
        row, _ = part.write("x.jpg", "key", lambda: b"x", lambda: {"metrics": {"a": 1}})
        assert sidecars.read(ledgers.bucket / "x.jpg") == {"metrics": {"a": 1}}
        assert part.write("x.jpg", "key", never, never) == (row, False)
        ledgers.commit({"s": []})
        assert not sidecars.path_of(ledgers.bucket / "x.jpg").exists()

    def test_another_key_writes_anew(self, ledgers):
        put(ledgers, "x.jpg", "one", {"a": 1, "b": 1})
        _, written = put(ledgers, "x.jpg", "two", {"a": 2})
        assert written
        assert (ledgers.bucket / "x.jpg").read_text() == "two"
        assert sidecars.read(ledgers.bucket / "x.jpg") == {"a": 2}

    def test_no_sidecar_of_ours_leaves_any_alone(self, ledgers):
        sidecars.write(ledgers.bucket / "x.jpg", {"mine": 1})
        row, _ = put(ledgers, "x.jpg", "x")
        assert sidecars.read(ledgers.bucket / "x.jpg") == {"mine": 1}
        assert row.sidecar is not None
        assert put(ledgers, "y.jpg", "y")[0].sidecar is None

    def test_an_empty_sidecar_withdraws_what_we_said(self, ledgers):
        put(ledgers, "x.jpg", "x", {"a": 1})
        sidecars.write(ledgers.bucket / "x.jpg", {"a": 1, "mine": 1})
        put(ledgers, "x.jpg", "x", {})
        assert sidecars.read(ledgers.bucket / "x.jpg") == {"mine": 1}

    def test_what_we_once_said_is_known_over_a_silence(self, ledgers):
        put(ledgers, "x.jpg", "x", {"a": 1})
        put(ledgers, "x.jpg", "x", None)
        put(ledgers, "x.jpg", "x", {"a": 2})
        assert sidecars.read(ledgers.bucket / "x.jpg") == {"a": 2}

    @pytest.mark.parametrize("victim", ["x.jpg", "x.jpg.json"])
    @pytest.mark.parametrize("settled", [False, True])
    def test_what_was_edited_or_deleted_is_restored(self, ledgers, victim, settled):
        for damage in (Path.unlink, lambda path: path.write_text('{"mine": 1}')):
            row, _ = put(ledgers, "x.jpg", "x", {"a": 1})
            if settled:
                ledgers.commit({"s": [row]})
            damage(ledgers.bucket / victim)
            row, written = put(ledgers, "x.jpg", "x", {"a": 1})
            assert written and ledgers.intact(row)
            assert (ledgers.bucket / "x.jpg").read_text() == "x"
            assert sidecars.read(ledgers.bucket / "x.jpg")["a"] == 1
        kept = victim.endswith(".json")
        assert ("mine" in sidecars.read(ledgers.bucket / "x.jpg")) is kept

    def test_a_broken_sidecar_is_left_as_it_is(self, ledgers):
        ledgers.bucket.mkdir()
        broken = ledgers.bucket / "x.jpg.json"
        broken.write_text("{")
        with pytest.raises(sidecars.BrokenSidecar):
            put(ledgers, "x.jpg", "x", {"a": 1})
        assert contents(ledgers.bucket) == {"x.jpg.json": "{"}

    def test_a_failure_to_make_leaves_what_was_there(self, ledgers):
        put(ledgers, "x.jpg", "old", {"a": 1})
        before = contents(ledgers.bucket)

        def fail() -> bytes:
            raise ValueError

        with pytest.raises(ValueError):
            Part(ledgers, "s").write("x.jpg", "new", fail, {"a": 2})
        assert contents(ledgers.bucket) == before
        ledgers.commit({"s": []})
        assert contents(ledgers.bucket) == {}


class TestPlace:
    """Files made of a source, which is the user's."""

    @pytest.fixture
    def source(self, tmp_path) -> Iterator[Path]:
        """A source that must stay as it is, whatever becomes of what is made of it."""
        source = tmp_path / "images/x.jpg"
        source.parent.mkdir()
        source.write_text("x")
        before = source.stat()
        yield source
        after = source.stat()
        assert source.read_text() == "x"
        assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
        assert list(source.parent.iterdir()) == [source]

    @pytest.mark.parametrize("way", LINKERS)
    def test_it_is_made_once_and_can_be_removed(self, ledgers, source, way):
        row, written = lay(ledgers, "000/x.jpg", source, way, {"a": 1})
        assert written
        assert way_of(ledgers.bucket / "000/x.jpg", source) == way
        assert contents(ledgers.bucket)["000/x.jpg"] == "x"
        assert lay(ledgers, "000/x.jpg", source, way, {"a": 1}) == (row, False)
        ledgers.commit({"s": [row]})
        assert lay(ledgers, "000/x.jpg", source, way, {"a": 1}) == (row, False)
        assert ledgers.damaged_parts() == []
        ledgers.commit({})
        assert list(ledgers.bucket.iterdir()) == []

    @pytest.mark.parametrize("after", LINKERS)
    @pytest.mark.parametrize("before", LINKERS)
    def test_one_of_another_kind_takes_its_place(self, ledgers, source, before, after):
        lay(ledgers, "x.jpg", source, before)
        _, written = lay(ledgers, "x.jpg", source, after)
        assert written is (before != after)
        assert way_of(ledgers.bucket / "x.jpg", source) == after
        assert list(ledgers.bucket.iterdir()) == [ledgers.bucket / "x.jpg"]
        put(ledgers, "x.jpg", "other")
        assert contents(ledgers.bucket) == {"x.jpg": "other"}

    @pytest.mark.parametrize("way", LINKERS)
    @pytest.mark.parametrize(
        "damage",
        [
            lambda path, tmp: path.unlink(),
            lambda path, tmp: write_atomic(path, b"mine"),
            lambda path, tmp: (path.unlink(), path.symlink_to(tmp / "other")),
            lambda path, tmp: (path.unlink(), path.symlink_to(path.name)),
        ],
        ids=["deleted", "replaced", "linked elsewhere", "linked to itself"],
    )
    def test_what_the_user_made_of_it_is_undone(
        self, ledgers, source, tmp_path, way, damage
    ):
        (tmp_path / "other").write_text("other")
        row, _ = lay(ledgers, "x.jpg", source, way)
        ledgers.commit({"s": [row]})
        damage(ledgers.bucket / "x.jpg", tmp_path)
        assert ledgers.damaged_parts() == ["s"]
        _, written = lay(ledgers, "x.jpg", source, way)
        assert written and way_of(ledgers.bucket / "x.jpg", source) == way
        assert (tmp_path / "other").read_text() == "other"

    @pytest.mark.parametrize("way", LINKERS)
    def test_it_is_known_from_before_a_lost_ledger(self, ledgers, source, way):
        row, _ = lay(ledgers, "x.jpg", source, way)
        ledgers.commit({"s": [row]})
        shutil.rmtree(ledgers.settled)
        lay(ledgers, "x.jpg", source, way)
        assert way_of(ledgers.bucket / "x.jpg", source) == way
        assert list(ledgers.bucket.iterdir()) == [ledgers.bucket / "x.jpg"]

    @pytest.mark.parametrize("way", LINKERS)
    def test_a_file_of_the_users_is_left_alone(self, ledgers, source, way):
        write_atomic(ledgers.bucket / "x.jpg", b"mine")
        with pytest.raises(ForeignFile):
            lay(ledgers, "x.jpg", source, way, {"a": 1})
        assert contents(ledgers.bucket) == {"x.jpg": "mine"}

    def test_what_cannot_be_made_leaves_no_sidecar(self, ledgers, source):
        def refuse(new: Path) -> None:
            raise LinkRefused

        with pytest.raises(LinkRefused):
            Part(ledgers, "s").write_with("000/x.jpg", "key", refuse, {"a": 1})
        assert contents(ledgers.bucket) == {}
        ledgers.commit({"s": []})
        assert list(ledgers.bucket.iterdir()) == []


def test_of_a_link_counts_whether_it_leads_to_a_file_not_to_which(ledgers, tmp_path):
    source = tmp_path / "x.jpg"
    source.write_text("x")
    row, _ = lay(ledgers, "x.jpg", source, "symbolic")
    source.write_text("edited")
    assert ledgers.intact(row)
    source.unlink()
    assert not ledgers.intact(row)
    ledgers.commit({})
    assert list(ledgers.bucket.iterdir()) == []


class TestForeignFiles:
    @pytest.mark.parametrize(
        "occupy",
        [
            lambda path: path.write_text("mine"),
            lambda path: path.mkdir(),
            lambda path: path.symlink_to("nowhere"),
            lambda path: path.symlink_to(path.name),
        ],
        ids=["file", "folder", "broken link", "looping link"],
    )
    def test_it_is_refused_and_left_alone(self, ledgers, occupy):
        ledgers.bucket.mkdir()
        path = ledgers.bucket / "x.jpg"
        occupy(path)
        before = path.lstat()
        with pytest.raises(ForeignFile, match="not written by dtst"):
            Part(ledgers, "s").write("x.jpg", "key", lambda: b"ours", {"a": 1})
        ledgers.commit({})
        after = path.lstat()
        assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
        assert list(ledgers.bucket.iterdir()) == [path]

    @pytest.mark.parametrize("known", [False, True])
    @pytest.mark.parametrize("place", ["000", "000/x.jpg"])
    def test_where_a_folder_or_file_of_ours_should_be(self, ledgers, place, known):
        if known:
            put(ledgers, "000/x.jpg", "ours")
            shutil.rmtree(ledgers.bucket / "000")
        if place == "000":
            write_atomic(ledgers.bucket / "000", b"mine")
        else:
            write_atomic(ledgers.bucket / "000/x.jpg/mine.txt", b"mine")
        before = contents(ledgers.bucket)
        with pytest.raises(ForeignFile, match=f"{place}'") as raised:
            put(ledgers, "000/x.jpg", "new", {"a": 1})
        assert raised.value.file == ledgers.bucket / place
        ledgers.commit({})
        assert contents(ledgers.bucket) == before

    def test_one_of_the_same_content_is_taken_for_ours(self, ledgers):
        ledgers.bucket.mkdir()
        (ledgers.bucket / "x.jpg").write_bytes(b"ours")
        put(ledgers, "x.jpg", "ours")
        assert (ledgers.bucket / "x.jpg").read_bytes() == b"ours"

    def test_its_name_can_be_printed(self, ledgers):
        ledgers.bucket.mkdir()
        (ledgers.bucket / "caf\udce9.jpg").touch()
        with pytest.raises(ForeignFile) as raised:
            put(ledgers, "caf\udce9.jpg", "x")
        assert str(raised.value).encode()


class TestParts:
    @pytest.mark.parametrize("settled", [False, True])
    def test_a_file_that_moves_to_another_part_is_not_written_again(
        self, ledgers, settled
    ):
        row, _ = put(ledgers, "x.jpg", "x", {"a": 1}, part="s")
        if settled:
            ledgers.commit({"s": [row]})
        moved = put(ledgers, "x.jpg", "x", {"a": 1}, part="s0")
        assert moved == (row, False)
        ledgers.commit({"s0": [row], "s1": []})
        assert ledgers.parts() == ["s0", "s1"]
        assert contents(ledgers.bucket)["x.jpg"] == "x"
        assert ledgers.damaged_parts() == []

    def test_those_that_stay_the_same_are_left_alone(self, ledgers):
        rows = {p: put(ledgers, f"{p}.jpg", p, part=p)[0] for p in ("s0", "s1", "s2")}
        ledgers.commit({part: [row] for part, row in rows.items()})
        before = ledgers.table_of("s0").stat()
        put(ledgers, "s0.jpg", "s0", part="s1")  # noted at another part, too
        assert ledgers.commit({"s1": []}, same=["s0"]) == ["s1.jpg", "s2.jpg"]
        assert ledgers.paths() == {"s0.jpg"} == set(contents(ledgers.bucket))
        assert ledgers.table_of("s0").stat() == before
        assert ledgers.parts() == ["s0", "s1"]

    def test_a_kill_amid_settling_does_not_orphan_it(self, ledgers):
        row, _ = put(ledgers, "x.jpg", "x", part="s0")
        ledgers.commit({"s0": [row], "s1": []})
        put(ledgers, "x.jpg", "x", part="s1")
        with killed_after(1, half=False), pytest.raises(Killed):
            ledgers.commit({"s0": [], "s1": [row]})
        assert put(ledgers, "x.jpg", "x", part="s1") == (row, False)

    def test_its_sidecar_moves_along_when_the_file_is_gone(self, ledgers):
        row, _ = put(ledgers, "x.jpg", "x", {"a": 1}, part="s")
        ledgers.commit({"s": [row]})
        (ledgers.bucket / "x.jpg").unlink()
        put(ledgers, "x.jpg", "x", {"b": 1}, part="s0")
        assert sidecars.read(ledgers.bucket / "x.jpg") == {"b": 1}

    def test_when_it_changed_its_new_part_knows_what_the_old_one_wrote(self, ledgers):
        row, _ = put(ledgers, "x.jpg", "x", {"a": 1}, part="s0")
        ledgers.commit({"s0": [row]})
        put(ledgers, "x.jpg", "x", {"a": 2}, part="s")
        assert sidecars.read(ledgers.bucket / "x.jpg") == {"a": 2}
        # The journal of `s` is younger than the ledger of `s0`.
        assert ledgers.commit({}) == ["x.jpg"]
        assert contents(ledgers.bucket) == {}

    def test_the_ledger_of_one_that_is_as_it_was_is_left_alone(self, ledgers):
        parts = {
            name: [put(ledgers, f"{name}.jpg", "x", part=name)[0]] for name in "ab"
        }
        ledgers.commit(parts)
        before = {name: os.stat(ledgers.settled / f"{name}.jsonl") for name in "ab"}
        parts["b"].append(put(ledgers, "more.jpg", "y", part="b")[0])
        assert ledgers.commit(parts) == []
        after = {name: os.stat(ledgers.settled / f"{name}.jsonl") for name in "ab"}
        assert after["a"] == before["a"] and after["b"] != before["b"]
        assert ledgers.paths() == {"a.jpg", "b.jpg", "more.jpg"}
        parts["a"].clear()
        assert ledgers.commit(parts) == ["a.jpg"]

    def test_two_processes_write_one_part(self, ledgers):
        one, two = Part(ledgers, "s"), Part(ledgers, "s")
        for i in range(6):
            part = (one, two)[i % 2]
            part.write(f"{i}.jpg", "key", str(i).encode, {"i": i})
        assert len(ledgers.rows("s")) == 6
        assert all(map(ledgers.intact, ledgers.rows("s").values()))


class TestDamagedParts:
    def test_edited_deleted_or_never_settled(self, ledgers):
        rows = {
            part: [put(ledgers, f"{part}/x.jpg", "x", {"a": 1}, part)[0]]
            for part in ("s00", "s01", "s10", "s11")
        }
        assert ledgers.damaged_parts() == sorted(rows)
        ledgers.commit(rows)
        assert ledgers.damaged_parts() == []
        (ledgers.bucket / "s00/x.jpg").write_text("edited")
        (ledgers.bucket / "s10/x.jpg.json").unlink()
        put(ledgers, "s11/y.jpg", "y", part="s11")
        assert ledgers.damaged_parts() == ["s00", "s10", "s11"]

    def test_a_file_in_the_place_of_a_folder(self, ledgers):
        row, _ = put(ledgers, "000/x.jpg", "x")
        ledgers.commit({"s": [row]})
        shutil.rmtree(ledgers.bucket / "000")
        (ledgers.bucket / "000").touch()
        assert ledgers.damaged_parts() == ["s"]

    def test_nothing_there_yet(self, ledgers):
        assert ledgers.damaged_parts() == ledgers.parts() == []
        assert ledgers.owned() == {}


class TestSettle:
    def test_it_removes_only_what_is_ours(self, ledgers):
        kept, _ = put(ledgers, "kept.jpg", "kept", {"a": 1})
        put(ledgers, "000/gone.jpg", "gone", {"a": 1})
        put(ledgers, "001/gone.jpg", "gone", {"a": 1})
        mine = ledgers.bucket / "001/notes.txt"
        mine.write_text("mine")
        assert ledgers.commit({"s": [kept]}) == ["000/gone.jpg", "001/gone.jpg"]
        assert contents(ledgers.bucket).keys() == {
            "001/notes.txt",
            "kept.jpg",
            "kept.jpg.json",
        }
        assert not (ledgers.bucket / "000").exists()
        assert not ledgers.journals.exists() or not any(ledgers.journals.iterdir())

    def test_keys_of_the_user_stay(self, ledgers):
        put(ledgers, "x.jpg", "x", {"a": 1, "b": 1, "provenance": {}})
        edited = {"a": "edited", "b": 1, "provenance": {}, "mine": 1}
        sidecars.write(ledgers.bucket / "x.jpg", edited)
        ledgers.commit({})
        assert contents(ledgers.bucket).keys() == {"x.jpg.json"}
        kept = {"a": "edited", "mine": 1}
        assert sidecars.read(ledgers.bucket / "x.jpg") == kept
        put(ledgers, "x.jpg", "x", {"a": 1, "b": 1})
        assert sidecars.read(ledgers.bucket / "x.jpg") == {"b": 1, **kept}

    def test_a_broken_sidecar_stays(self, ledgers):
        put(ledgers, "000/x.jpg", "x", {"a": 1})
        (ledgers.bucket / "000/x.jpg.json").write_text("{")
        assert ledgers.commit({}) == ["000/x.jpg"]
        assert contents(ledgers.bucket) == {"000/x.jpg.json": "{"}

    def test_what_the_user_deleted_already(self, ledgers):
        put(ledgers, "000/deep/x.jpg", "x", {"a": 1})
        put(ledgers, "001/x.jpg", "x", {"a": 1})
        shutil.rmtree(ledgers.bucket / "000")
        assert ledgers.commit({}) == ["000/deep/x.jpg", "001/x.jpg"]
        assert list(ledgers.bucket.iterdir()) == []
        put(ledgers, "x.jpg", "x")
        shutil.rmtree(ledgers.bucket)
        assert ledgers.commit({}) == ["x.jpg"]

    def test_leftovers_of_killed_writers_go(self, ledgers):
        put(ledgers, "000/x.jpg", "x")
        leftover = f"{TEMPORARY_PREFIX}0123.tmp"
        (ledgers.bucket / leftover).touch()
        (ledgers.bucket / "000" / leftover).touch()
        (ledgers.bucket / "mine.tmp").touch()
        ledgers.commit({})
        assert [path.name for path in ledgers.bucket.rglob("*")] == ["mine.tmp"]

    def test_clean_leaves_nothing_of_ours(self, ledgers):
        rows = [put(ledgers, f"{i}.jpg", "x", {"i": i})[0] for i in range(3)]
        ledgers.commit({"s": rows})
        assert ledgers.commit({}) == ["0.jpg", "1.jpg", "2.jpg"]
        assert list(ledgers.bucket.iterdir()) == []
        assert ledgers.parts() == [] and ledgers.owned() == {}


class TestJournal:
    def test_an_empty_one_is_an_unsettled_part(self, ledgers):
        ledgers.journals.mkdir(parents=True)
        (ledgers.journals / "s.jsonl").touch()
        assert ledgers.damaged_parts() == ["s"]
        assert ledgers.rows("s") == {}
        ledgers.commit({})
        assert ledgers.damaged_parts() == []

    @pytest.mark.parametrize("steps", range(5))
    @pytest.mark.parametrize("half", [False, True])
    def test_a_kill_at_any_write_loses_nothing_but_the_write(
        self, ledgers, steps, half
    ):
        sidecars.write(ledgers.bucket / "x.jpg", {"mine": 1})
        with killed_after(steps, half), suppress(Killed):
            put(ledgers, "x.jpg", "x", {"a": 1})
        assert (ledgers.damaged_parts() == ["s"]) is (steps > 0 or half)
        row, written = put(ledgers, "x.jpg", "y", {"a": 2})
        assert written
        ledgers.commit({"s": [row]})
        assert sidecars.read(ledgers.bucket / "x.jpg") == {"a": 2, "mine": 1}
        assert contents(ledgers.bucket).keys() == {"x.jpg", "x.jpg.json"}
        ledgers.commit({})
        assert sidecars.read(ledgers.bucket / "x.jpg") == {"mine": 1}

    @pytest.mark.parametrize("before", [None, "old"])
    @pytest.mark.parametrize("steps", [1, 2])
    def test_what_the_user_put_where_a_kill_left_a_claim(self, ledgers, before, steps):
        if before:
            ledgers.commit({"s": [put(ledgers, "x.jpg", before)[0]]})
        with killed_after(steps, half=False), pytest.raises(Killed):
            put(ledgers, "x.jpg", "ours")
        write_atomic(ledgers.bucket / "x.jpg", b"the user's own")
        for _ in range(2):
            with pytest.raises(ForeignFile):
                put(ledgers, "x.jpg", "ours")
        ledgers.commit({})
        assert contents(ledgers.bucket) == {"x.jpg": "the user's own"}

    @pytest.mark.parametrize("steps", range(4))
    def test_what_a_kill_left_is_ours_even_when_other_things_are_wanted(
        self, ledgers, steps
    ):
        put(ledgers, "x.jpg", "old")
        with killed_after(steps, half=True), pytest.raises(Killed):
            put(ledgers, "x.jpg", "new")
        put(ledgers, "x.jpg", "newest")
        assert contents(ledgers.bucket)["x.jpg"] == "newest"

    @pytest.mark.parametrize(
        "odd", [{"stat": 5}, {"stat": [5]}, {"stat": "x"}, {"claimed": [5]}]
    )
    def test_a_row_without_size_and_time_is_skipped(self, ledgers, odd):
        row, _ = put(ledgers, "x.jpg", "x")
        rows = [row.to_row(), {"path": "y.jpg", "written": [], **odd}]
        write_table(ledgers.settled / "s.jsonl", rows)
        assert ledgers.owned() == {"x.jpg": row}

    def test_a_line_that_a_kill_cut_short_is_passed_over(self, ledgers):
        first, _ = put(ledgers, "x.jpg", "x")
        journal = ledgers.journals / "s.jsonl"
        whole = journal.read_bytes()
        put(ledgers, "y.jpg", "y")
        both = journal.read_bytes()
        for end in range(len(whole), len(both)):
            journal.write_bytes(both[:end])
            assert ledgers.rows("s")["x.jpg"] == first
            row, _ = put(ledgers, "z.jpg", "z")
            assert ledgers.rows("s")["z.jpg"] == row
            (ledgers.bucket / "z.jpg").unlink()
        journal.write_bytes(both[:-1] + b"\0" * 30)
        assert ledgers.rows("s")["x.jpg"] == first


class Histories(RuleBasedStateMachine):
    """Runs, kills, edits and damage in any order, against what ought to come of them.

    The workflow wants some of the paths, each made in some way of the source that holds
    a version, which is a key of its sidecar too, laid out in one part or two.
    """

    PATHS = ("x.jpg", "000/x.jpg", "000/y.jpg", "001/deep/z.jpg")
    paths = st.sampled_from(PATHS)

    def __init__(self):
        super().__init__()
        self.folder = Path(mkdtemp())
        self.ledgers = Ledgers(self.folder / "faces", self.folder / "state")
        self.sources = self.folder / "images"
        for version in range(4):
            write_atomic(self.sources / f"{version}", f"{version}".encode())
        self.untouched = self.look_at_sources()
        self.wanted: dict[str, tuple[int, str]] = {}
        self.users: dict[str, dict] = {path: {} for path in self.PATHS}
        self.parts = 1
        self.foreign: set[str] = set()
        self.settled = False

    def teardown(self):
        shutil.rmtree(self.folder)

    def place(self, path: str) -> Path:
        return self.ledgers.bucket / path

    def look_at_sources(self) -> dict[str, tuple]:
        stats = {path.name: path.stat() for path in self.sources.iterdir()}
        held = contents(self.sources)
        return {n: (held[n], s.st_ino, s.st_mtime_ns) for n, s in stats.items()}

    # What the workflow wants

    @rule(path=paths, version=st.integers(0, 3), way=st.sampled_from([*LINKERS]))
    def want(self, path, version, way):
        self.wanted[path] = version, way
        self.settled = False

    @rule(path=paths)
    def want_no_more(self, path):
        self.wanted.pop(path, None)
        self.settled = False

    @rule()
    def split_otherwise(self):
        self.parts = 3 - self.parts
        self.settled = False

    # What the user does

    @rule(path=paths, key=st.sampled_from(["mine", "version"]), value=st.integers(0, 1))
    def edit_sidecar(self, path, key, value):
        edit = {key: f"mine {value}"}
        self.users[path] |= edit
        sidecars.write(self.place(path), sidecars.read(self.place(path)) | edit)
        self.settled = False

    @rule(path=paths)
    def delete_sidecar(self, path):
        sidecars.write(self.place(path), {})
        self.users[path] = {}
        self.settled = False

    @rule(path=paths, edited=st.booleans())
    def damage(self, path, edited):
        if self.place(path).exists() and path not in self.foreign:
            self.place(path).unlink()
            if edited:
                self.place(path).write_text("the user's own")
                if not isinstance(self.ledgers.owned().get(path), Entry):
                    self.foreign.add(path)  # a kill left but a claim to the name
            self.settled = False

    @rule(path=paths)
    def put_own_file(self, path):
        if path not in self.ledgers.owned() and not self.place(path).exists():
            write_atomic(self.place(path), b"the user's own")
            self.foreign.add(path)
            self.settled = False

    # What the workflow does

    def run(self) -> int:
        """One run; returns how many files it wrote."""
        rows: dict[str, list[Entry]] = {f"s{i}": [] for i in range(self.parts)}
        written = 0
        for i, (path, (version, way)) in enumerate(sorted(self.wanted.items())):
            source = self.sources / f"{version}"
            part = f"s{i % self.parts}"
            sidecar = {"version": version, "fixed": 0, f"only {version}": 1}
            try:
                row, new = lay(self.ledgers, path, source, way, sidecar, part)
            except ForeignFile:
                assert path in self.foreign
                continue
            rows[part].append(row)
            written += new
        self.ledgers.commit(rows)
        return written

    @rule()
    def run_through(self):
        self.run()
        assert self.run() == 0
        self.settled = True

    @rule(steps=st.integers(0, 12), half=st.booleans())
    def run_killed(self, steps, half):
        with killed_after(steps, half), suppress(Killed):
            self.run()
        self.settled = False

    @invariant()
    def the_users_files_are_untouched(self):
        for path in self.foreign:
            assert self.place(path).read_bytes() == b"the user's own"
        assert self.look_at_sources() == self.untouched

    @precondition(lambda self: self.settled)
    @invariant()
    def all_is_as_a_run_from_nothing_gives_it(self):
        there = contents(self.ledgers.bucket)
        expected = {path: "the user's own" for path in self.foreign}
        for path in self.PATHS:
            ours = {}
            if path in self.wanted and path not in self.foreign:
                version, way = self.wanted[path]
                assert way_of(self.place(path), self.sources / f"{version}") == way
                ours = {"version": version, "fixed": 0, f"only {version}": 1}
                expected[path] = f"{version}"
            if sidecar := {**ours, **self.users[path]}:
                assert json.loads(there.pop(f"{path}.json")) == sidecar
        assert there == expected
        assert self.ledgers.damaged_parts() == []


Histories.TestCase.settings = settings(
    max_examples=150, stateful_step_count=30, deadline=None
)
TestHistories = Histories.TestCase


def test_a_new_file_is_noted_before_it_has_its_name_and_after(tmp_path):
    ledgers = Ledgers(tmp_path / "faces", tmp_path / "state")
    (tmp_path / "faces").mkdir()
    part = Part(ledgers, "s")
    part.write("x.jpg", "key", lambda: b"1", {"a": 1})
    journal = ledgers.journals / "s.jsonl"
    first = [json.loads(line) for line in journal.read_bytes().split()]
    assert ["claimed" in row for row in first] == [True, False]
    part.write("x.jpg", "other", lambda: b"2", {"a": 1})
    assert len(journal.read_bytes().split()) == 2 + 3
