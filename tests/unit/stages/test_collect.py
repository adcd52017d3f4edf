import json
import os
import random
import shutil
from pathlib import Path

import pytest

from dtst_flow.dataset.ledger import Ledgers
from dtst_flow.dataset.part import Part
from dtst_flow.dataset.state import state_of
from dtst_flow.stages import collect
from dtst_flow.stages.collect import CollectJob
from dtst_flow.stages.shards import Shard
from dtst_flow.utils.tables import read_table, write_table

WRITTEN = ("inventory", "summary.json", "failed.jsonl")


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """The dataset, in which everything runs."""
    monkeypatch.chdir(tmp_path)


def extracted(shard: str, crops: dict[str, list[str]], failed=()) -> None:
    """What extract_faces leaves of a shard: crops by image, names by their content."""
    part = Part(Ledgers("faces", state_of("faces")), shard)
    rows = []
    for path, names in crops.items():
        entries = [part.write(n, n, n.encode, {"provenance": path})[0] for n in names]
        written = [entry.to_row() for entry in entries]
        row = {"path": path, "found": len(names), "crops": written, "left_out": {}}
        rows.append(row)
    write_table(f"tables/{shard}.jsonl", rows)
    reasons = ({"path": path, "reason": "cannot be decoded"} for path in failed)
    write_table(f"failed/{shard}.jsonl", reasons)
    images = ({"path": path} for path in (*crops, *failed))
    write_table(f"inventory/{shard}.jsonl", images)


def run(*shards: str, strict: bool = False, skipped: int = 0) -> dict:
    """Collect the shards; returns the summary."""
    files = ({"path": f"{i}", "reason": ""} for i in range(skipped))
    write_table("inventory/skipped.table", files)
    job = CollectJob(
        [f"tables/{shard}.jsonl" for shard in shards],
        [f"failed/{shard}.jsonl" for shard in shards],
        *WRITTEN,
    )
    collect.run("extract_faces", job, "faces", strict, "code")
    return json.loads(Path("summary.json").read_text())


def there() -> set[str]:
    return {path.name for path in Path("faces").glob("*.jpg")}


def test_sums_up_in_plain_words():
    extracted("s0", {"a.jpg": ["a_00.jpg", "a_01.jpg"], "b.jpg": []}, ["d.jpg"])
    extracted("s1", {"c.jpg": ["c_00.jpg"]}, ["b.jpg", "e\n.jpg"])
    assert run("s0", "s1", skipped=2)["said"] == [
        "3 images: 3 crops; 1 images show no face",
        "3 images could not be processed",
        "2 files were passed over, listed with reasons in "
        ".dtst/buckets/faces/inventory/skipped.table",
    ]
    failures = list(read_table("failed.jsonl"))
    assert [row["path"] for row in failures] == ["b.jpg", "d.jpg", "e\n.jpg"]
    assert failures[0]["reason"] == "cannot be decoded"


def test_keeps_to_itself_what_did_not_happen():
    extracted("s", {"a.jpg": ["a_00.jpg"]})
    assert run("s")["said"] == ["1 images: 1 crops; 0 images show no face"]
    assert list(read_table("failed.jsonl")) == []


def test_removes_crops_whose_source_is_gone():
    extracted("s", {"a.jpg": ["a_00.jpg", "a_01.jpg"], "b.jpg": ["b_00.jpg"]})
    run("s")
    Path("faces/mine.jpg").touch()
    extracted("s", {"a.jpg": ["a_00.jpg"]})
    run("s")
    assert there() == {"a_00.jpg", "mine.jpg"}
    assert Ledgers("faces", state_of("faces")).damaged_parts() == []


def test_the_digest_tells_whether_the_crops_changed():
    extracted("s", {"a.jpg": ["a_00.jpg"], "b.jpg": ["b_00.jpg"], "c.jpg": []})
    first = run("s")
    assert run("s") == first
    # The same crops from other shards, in another order.
    extracted("s1", {"c.jpg": [], "a.jpg": ["a_00.jpg"]})
    extracted("s0", {"b.jpg": ["b_00.jpg"]})
    assert run("s1", "s0") == first
    seen = {first["digest"]}
    Path("faces/a_00.jpg.json").write_text('{"edited": 1}')
    extracted("s", {"a.jpg": ["a_00.jpg"], "b.jpg": ["b_00.jpg"]})
    seen.add(run("s")["digest"])
    extracted("s", {"a.jpg": ["a_00.jpg"]})
    seen.add(run("s")["digest"])
    extracted("s", {"a.jpg": []})
    seen.add(run("s")["digest"])
    assert len(seen) == 4


def test_tables_of_shards_that_are_none_any_more_go():
    extracted("s", {"a.jpg": ["a_00.jpg"]}, ["b.jpg"])
    extracted("s0", {"a.jpg": ["a_00.jpg"]})
    extracted("s1", {}, ["b.jpg"])
    run("s0", "s1")
    for folder in ("tables", "failed"):
        assert {path.stem for path in Path(folder).iterdir()} == {"s0", "s1"}


def test_no_image_processed_is_an_error_once_the_bucket_is_settled():
    extracted("s", {"a.jpg": ["a_00.jpg"]})
    run("s")
    Path("summary.json").unlink()
    extracted("s", {}, ["a.jpg"])
    with pytest.raises(SystemExit, match=r"0 images.*1 images could not"):
        run("s")
    assert there() == set() and not Path("summary.json").exists()
    assert len(list(read_table("failed.jsonl"))) == 1


def test_a_source_without_images_removes_nothing():
    extracted("s", {"a.jpg": ["a_00.jpg"]})
    run("s")
    with pytest.raises(SystemExit, match="holds no image"):
        run()
    assert there() == {"a_00.jpg"}
    assert list(Path("tables").iterdir()) != []


def test_images_without_faces_are_no_error():
    extracted("s", {"a.jpg": []})
    assert run("s")["said"] == ["1 images: 0 crops; 1 images show no face"]


def test_strict_fails_for_one_failed_image_but_settles():
    extracted("s", {"a.jpg": ["a_00.jpg"]}, ["z.jpg", "b.jpg"])
    with pytest.raises(
        SystemExit, match=r"2 images failed.*'b\.jpg': cannot be.*/failed"
    ):
        run("s", strict=True)
    assert there() == {"a_00.jpg"} and not Path("summary.json").exists()
    assert Ledgers("faces", state_of("faces")).damaged_parts() == []
    assert run("s")["said"]


def test_strict_is_content_when_all_went_well():
    extracted("s", {"a.jpg": ["a_00.jpg"]})
    assert run("s", strict=True) == run("s")


def test_what_the_user_deleted_does_not_stop_it():
    extracted("s", {"a.jpg": ["x/a_00.jpg"]})
    run("s")
    shutil.rmtree("faces")
    extracted("s", {"b.jpg": ["b_00.jpg"]})
    run("s")
    assert there() == {"b_00.jpg"}


def test_unfinished_sidecars_beside_the_images_go():
    row = {"found": {}, "users": [], "cleared": [], "digest": "0", "sidecar": None}
    photos = ("images/a/x.jpg", "loose.jpg")
    write_table("tables/s.jsonl", [row | {"path": photo} for photo in photos])
    write_table("failed/s.jsonl", [])
    write_table("inventory/skipped.table", [])
    write_table("inventory/s.jsonl", [{"path": photo} for photo in photos])
    unfinished = [Path("images/a/.dtst-0123.tmp"), Path(".dtst-4567.tmp")]
    for path in unfinished:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    job = CollectJob(["tables/s.jsonl"], ["failed/s.jsonl"], *WRITTEN)
    collect.run("detect", job, ".detect", strict=False, code="code")
    assert not any(path.exists() for path in unfinished)


def test_a_shard_that_leaves_images_out_removes_nothing():
    extracted("s", {"a.jpg": ["a_00.jpg"], "b.jpg": ["b_00.jpg"]})
    run("s")
    write_table("tables/s.jsonl", [])
    with pytest.raises(SystemExit, match="tells of 0 images of 2; nothing was removed"):
        run("s")
    assert there() == {"a_00.jpg", "b_00.jpg"}


def test_a_shard_that_did_not_change_may_leave_images_out_by_now():
    three_shards()
    rewritten(Path("inventory/s1.jsonl"))  # as each run does
    three = run("s0", "s1", "s2")
    write_table("inventory/s1.jsonl", [{"path": "c.jpg"}, {"path": "new.jpg"}])
    with pytest.raises(SystemExit, match="s1: its job tells of 1 images of 2"):
        run("s0", "s1", "s2")
    assert three["images"] == 4 and len(there()) == 4


def test_a_shard_without_images_removes_nothing():
    extracted("s", {"a.jpg": ["a_00.jpg"]})
    run("s")
    extracted("s", {})
    with pytest.raises(SystemExit, match="holds no image"):
        run("s")
    assert there() == {"a_00.jpg"}


def test_removed_files_are_counted():
    extracted("s", {"a.jpg": ["a_00.jpg", "a_01.jpg"]})
    run("s")
    extracted("s", {"a.jpg": ["a_00.jpg"]})
    summary = run("s")
    assert summary["removed"] == 1
    assert "1 files of earlier runs were removed from faces" in summary["said"][-1]


def test_a_crop_that_is_gone_is_not_summed_up():
    extracted("s", {"a.jpg": ["a_00.jpg", "a_01.jpg"]})
    Path("faces/a_01.jpg").unlink()
    with pytest.raises(SystemExit, match=r"1 of the files made .* first 'a_01\.jpg'"):
        run("s")
    assert not Path("summary.json").exists()
    assert Ledgers("faces", state_of("faces")).damaged_parts() == ["s"]


@pytest.fixture
def tables_read(monkeypatch):
    """The tables that are gone through, as often as they are."""
    tables = []

    def rows(shard):
        tables.append(shard.table)
        return read_table(shard.table)

    monkeypatch.setattr(Shard, "rows", rows)
    return tables


def three_shards() -> dict:
    extracted("s0", {"a.jpg": ["a_00.jpg"], "b.jpg": []}, ["x.jpg"])
    extracted("s1", {"c.jpg": ["c_00.jpg", "c_01.jpg"]})
    extracted("s2", {"d.jpg": ["d_00.jpg"]})
    return run("s0", "s1", "s2")


def sums() -> Path:
    return state_of("faces") / "sums.jsonl"


def test_a_shard_that_did_not_change_is_not_read_again(tables_read):
    first = three_shards()
    tables_read.clear()
    assert run("s0", "s1", "s2") == first
    assert tables_read == []
    extracted("s1", {"c.jpg": ["c_00.jpg"]})
    summary = run("s0", "s1", "s2")
    assert set(tables_read) == {"tables/s1.jsonl"}
    assert summary["said"][:2] == [
        "4 images: 3 crops; 1 images show no face",
        "1 images could not be processed",
    ]
    assert there() == {"a_00.jpg", "c_00.jpg", "d_00.jpg"}
    sums().unlink()
    assert run("s0", "s1", "s2") == summary | {
        "said": summary["said"][:2],
        "removed": 0,
    }


def rewritten(path: Path) -> None:
    path.write_bytes(path.read_bytes())
    os.utime(path, ns=(1, 1))


@pytest.mark.parametrize(
    "change",
    [
        lambda: rewritten(Path("tables/s1.jsonl")),
        lambda: rewritten(Path("failed/s1.jsonl")),
        lambda: Ledgers("faces", state_of("faces")).table_of("s1").unlink(),
        lambda: write_table(
            Ledgers("faces", state_of("faces")).journal_of("s1"), [{"path": "c_00.jpg"}]
        ),
    ],
    ids=["table", "failures", "no ledger", "a job that was killed"],
)
def test_a_shard_of_which_any_file_changed_is_read_again(change, tables_read):
    first = three_shards()
    tables_read.clear()
    change()
    assert run("s0", "s1", "s2") == first
    assert set(tables_read) == {"tables/s1.jsonl"}
    assert Ledgers("faces", state_of("faces")).damaged_parts() == []


@pytest.mark.parametrize(
    "content",
    [b"", b"{}\n", b'{"shard":"s0","files":3}\n', b"no table", b'{"shard":[]}\n'],
)
def test_sums_that_nobody_wrote_count_for_nothing(content, tables_read):
    first = three_shards()
    tables_read.clear()
    sums().write_bytes(content)
    assert run("s0", "s1", "s2") == first
    assert len(set(tables_read)) == 3


@pytest.mark.parametrize(
    "change",
    [
        {"tally": {"images": "many"}},
        {"tally": 3},
        {"unusable": ["x"]},
        {"unusable": None},
        {"content": "no number"},
    ],
    ids=str,
)
def test_sums_of_strangers_count_for_nothing(change, tables_read):
    first = three_shards()
    write_table(sums(), [row | change for row in read_table(sums())])
    tables_read.clear()
    assert run("s0", "s1", "s2") == first
    assert len(set(tables_read)) == 3


def test_sums_of_other_code_count_for_nothing(tables_read):
    first = three_shards()
    rows = [row | {"code": "before"} for row in read_table(sums())]
    write_table(sums(), rows)
    tables_read.clear()
    assert run("s0", "s1", "s2") == first
    assert len(set(tables_read)) == 3


@pytest.mark.parametrize("seed", range(5))
def test_what_is_known_of_shards_makes_no_difference(seed):
    chance = random.Random(seed)
    images = dict.fromkeys("abcdef", 0)
    for _ in range(8):
        images |= {image: chance.randrange(3) for image in chance.sample("abcdef", 2)}
        count = chance.choice([2, 3])
        for number in range(count):
            crops = {
                f"{image}.jpg": [f"{image}_{n}.jpg" for n in range(images[image])]
                for image in sorted(images)[number::count]
            }
            if is_news(f"s{number}", crops):
                extracted(f"s{number}", crops)
        shards = [f"s{number}" for number in range(count)]
        told, ledgers = run(*shards), noted()
        sums().unlink()
        again = run(*shards)
        assert (again["digest"], again["said"]) == (told["digest"], told["said"][:1])
        assert noted() == ledgers
        crops = {f"{image}_{n}.jpg" for image in images for n in range(images[image])}
        assert there() == crops == Ledgers("faces", state_of("faces")).paths()


def noted() -> dict[str, bytes]:
    """The ledgers as they are on disk."""
    folder = Ledgers("faces", state_of("faces")).settled
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def is_news(shard: str, crops: dict[str, list[str]]) -> bool:
    """Whether the table of a shard does not have just these crops."""
    try:
        rows = list(read_table(f"tables/{shard}.jsonl"))
    except FileNotFoundError:
        return True
    return {r["path"]: [c["path"] for c in r["crops"]] for r in rows} != crops
