"""What is stale in a dataset that a run left, worked out without Snakemake."""

import os
import shutil
import time
from pathlib import Path

import pytest

from dtst_flow.dataset import digests, given_names
from dtst_flow.dataset.state import state_of
from dtst_flow.planning import staleness
from dtst_flow.planning.broken import broken, broken_vocabulary
from dtst_flow.planning.dag_hints import DagHints
from dtst_flow.planning.plan import Plan, PlanError, make_plan
from dtst_flow.planning.source_scan import SEEN, source_fingerprint, told_fingerprint
from dtst_flow.planning.staleness import stage_version, stale_files
from dtst_flow.stages import by_hand
from dtst_flow.stages.registry import STAGES
from dtst_flow.utils.tables import read_table, write_table
from helpers.plans import complete

STATE = Path(".dtst/buckets")
SUMMARY = {stage: str(STATE / stage / "summary.json") for stage in ("faces", "cluster")}


@pytest.fixture
def plan(dataset, monkeypatch) -> Plan:
    """Path faces, as it was run on the dataset in which we are."""
    monkeypatch.chdir(dataset.folder)
    settings = {"extract_faces": {"engine": "dlib"}, "cluster": {"model": "dlib"}}
    return make_plan(complete(dataset.folder.parent, "faces", **settings))


def listing() -> dict[str, tuple]:
    """All that reading could have changed: path -> inode, size and mtime."""
    return {
        str(path): (stat.st_ino, stat.st_size, stat.st_mtime_ns)
        for path in Path().rglob("*")
        for stat in [path.lstat()]
    }


def crop() -> Path:
    return min(Path("faces").glob("*.jpg"))


def test_nothing_is_stale_after_a_run(plan):
    before = listing()
    assert stale_files(plan).files == []
    assert stale_files(plan).said == []
    assert listing() == before


@pytest.mark.parametrize(
    "damage",
    [
        lambda: crop().unlink(),
        lambda: os.utime(crop()),
        lambda: Path(f"{crop()}.json").write_text("{}"),
    ],
    ids=["deleted", "touched", "sidecar"],
)
def test_a_damaged_crop_makes_its_table_and_all_after_stale(plan, damage):
    name = crop().name
    damage()
    before = listing()
    stale = stale_files(plan)
    table = str(STATE / "faces/faces/s.jsonl")
    later = str(STATE / "cluster/inventory")
    assert stale.files == sorted([table, *SUMMARY.values(), later])
    assert stale.said == [
        "extract-faces: 1 file in faces was edited or deleted since, first "
        f"'{name}'; to be restored"
    ]
    assert listing() == before


def test_a_damaged_cluster_concerns_no_stage_before(plan):
    shutil.rmtree("cluster/000")
    stale = stale_files(plan)
    assert stale.files == [SUMMARY["cluster"]]
    assert "cluster" in stale.said[0] and "files in cluster were" in stale.said[0]
    assert "to be restored, or kept by `dtst labels adopt`" in stale.said[0]
    write_table(state_of("cluster") / f"journal/{by_hand.PART}.jsonl", [])
    stale = stale_files(plan)
    assert stale.files == [SUMMARY["cluster"]]
    assert stale.said == ["cluster: what was done by hand in cluster was adopted"]


def test_a_missing_table_makes_the_summary_stale(plan):
    (STATE / "faces/faces/s.jsonl").unlink()
    assert SUMMARY["faces"] in stale_files(plan).files


def test_unknown_contents_are_listed_again(plan):
    (STATE / "faces" / digests.FILE).unlink()
    assert str(STATE / "faces/inventory") in stale_files(plan).files


def test_lost_names_are_made_again_while_files_tell_them(plan):
    for bucket in ("faces", "cluster"):
        (STATE / bucket / given_names.FILE).unlink()
        assert str(STATE / bucket / "inventory") in stale_files(plan).files


def test_without_snakemakes_notes_all_is_stale(plan):
    assert staleness.forgotten_files(plan) == []
    shutil.rmtree(".snakemake/metadata")
    stale = stale_files(plan)
    assert set(SUMMARY.values()) < set(stale.files)
    assert "notes" in stale.said[0]
    other = STATE / "other"
    (other / "inventory").mkdir(parents=True)
    for name in ("summary.json", "inventory/skipped.table", "digests.jsonl"):
        (other / name).touch()
    assert set(staleness.forgotten_files(plan)) == {
        other / "summary.json",
        other / "inventory",
    }


def test_while_a_run_is_at_work_its_files_are_no_damage(plan):
    crop().unlink()
    lock = Path(".snakemake/locks/0.output.lock")
    lock.parent.mkdir(exist_ok=True)
    lock.touch()
    assert stale_files(plan).files == []


def test_the_fingerprint_follows_what_others_do_to_a_source(plan):
    own = {
        stage: source_fingerprint(plan, stage) for stage in ("extract_faces", "cluster")
    }
    os.utime(min(Path("images").rglob("*.jpg")))
    assert source_fingerprint(plan, "extract_faces") != own["extract_faces"]
    assert source_fingerprint(plan, "cluster") == own["cluster"]
    os.utime(crop())  # its stage tells of that itself
    assert source_fingerprint(plan, "cluster") == own["cluster"]
    shutil.copy(crop(), "faces/by-hand.jpg")
    assert source_fingerprint(plan, "cluster") != own["cluster"]


def test_what_dtst_told_of_a_source_is_of_one_stage(monkeypatch):
    assert told_fingerprint("extract_faces") is None
    monkeypatch.setenv(SEEN, "extract_faces 0a1b")
    assert told_fingerprint("extract_faces") == "0a1b"
    assert told_fingerprint("cluster") is None


def test_a_source_that_is_not_there_is_told(plan):
    shutil.rmtree("faces")  # still to be made
    source_fingerprint(plan, "cluster")
    shutil.rmtree("images")
    with pytest.raises(PlanError, match="nothing matches"):
        source_fingerprint(plan, "extract_faces")


def test_a_source_without_images_is_told_where_no_stage_is_to_make_them(plan):
    for photo in Path("images").rglob("*.jpg"):
        photo.rename(photo.name)
    for crop_ in Path("faces").glob("*.jpg"):
        crop_.unlink()
    source_fingerprint(plan, "cluster")
    with pytest.raises(PlanError, match=r"no image in 'images/\*'.*--from \."):
        source_fingerprint(plan, "extract_faces")


def test_a_source_is_read_in_the_dataset_folder_alone(plan, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(PlanError, match="not in the dataset folder"):
        source_fingerprint(plan, "extract_faces")


def test_the_version_of_a_stage_is_of_settings_code_and_weights(plan):
    version = stage_version(plan, "extract_faces")
    assert version["options"]["engine"] == "dlib"
    assert len(version["weights"]) == 1
    plan.settings["extract_faces"]["max_faces"] = 1
    changed = stage_version(plan, "extract_faces")
    assert changed["options"] != version["options"]
    assert (changed["code"], changed["weights"]) == (
        version["code"],
        version["weights"],
    )


def test_a_missing_model_is_told(plan, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("DTST_MODELS", raising=False)
    plan.settings["cluster"]["model"] = "arcface"
    with pytest.raises(PlanError, match="dtst models fetch arcface_r50"):
        stage_version(plan, "cluster")


TABLES = [
    *("inventory/s.jsonl", "inventory/skipped.table", "inventory/shards.table"),
    *("digests.jsonl", "faces/s.jsonl", "failed/s.jsonl", "ledger/s.jsonl"),
    *("failed.jsonl", "summary.json", given_names.FILE),
]
GARBAGE = [b"\0\xffgarbage", b'{"a": 1}\n', b"[1, 2]\n", b"5\n", b"[" * 10**5, None]


@pytest.mark.parametrize("name", TABLES)
def test_state_that_is_not_ours_is_named_and_made_again(plan, name):
    path = STATE / "faces" / name
    content = path.read_bytes() or b'{"path": "a", "reason": "b"}\n{}\n'
    again = {
        "inventory": STATE / "faces/inventory",
        "digests.jsonl": STATE / "faces/inventory",
        given_names.FILE: STATE / "faces/inventory",
        "failed.jsonl": STATE / "faces/summary.json",
        "summary.json": STATE / "faces/summary.json",
    }.get(name.partition("/")[0], STATE / "faces/faces/s.jsonl")
    for garbage in GARBAGE:
        path.write_bytes(content[: len(content) // 2] if garbage is None else garbage)
        stale = stale_files(plan)
        assert any(f"{path} is not as dtst writes it" in said for said in stale.said)
        assert str(again) in stale.files


@pytest.mark.parametrize("content", [b"", None])
def test_a_lost_ledger_is_missed(plan, content):
    """Nobody else would miss the crops of its shard."""
    for path in (STATE / "faces/ledger/s.jsonl", STATE / "cluster/ledger/all.jsonl"):
        path.write_bytes(b"") if content == b"" else path.unlink()
        assert any(str(path) in said for said in stale_files(plan).said)
    table = str(STATE / "faces/faces/s.jsonl")
    assert {table, *SUMMARY.values()} <= set(stale_files(plan).files)


@pytest.mark.parametrize("rows", [None, 0, 1])
def test_a_manifest_that_lost_rows_is_missed(plan, rows):
    """Else its images would be gone, and so their crops."""
    manifest = STATE / "faces/inventory/s.jsonl"
    lines = manifest.read_bytes().splitlines(keepends=True)
    manifest.unlink() if rows is None else manifest.write_bytes(b"".join(lines[:rows]))
    stale = stale_files(plan)
    assert str(STATE / "faces/inventory") in stale.files
    fault = "missing" if rows is None else "not as dtst writes it"
    assert f"{manifest} is {fault}, and is made again" in stale.said


@pytest.mark.parametrize("rows", [0, 1])
def test_a_table_that_lost_rows_is_missed(plan, rows):
    table = STATE / "faces/faces/s.jsonl"
    lines = table.read_bytes().splitlines(keepends=True)
    table.write_bytes(b"".join(lines[:rows]))
    assert str(table) in stale_files(plan).files


def test_a_run_that_was_killed_before_it_summed_up_left_nothing_damaged(plan):
    """Images are listed again, or none of a shard shows a face."""
    manifest, table = STATE / "faces/inventory/s.jsonl", STATE / "faces/faces/s.jsonl"
    rows = list(read_table(table))
    write_table(table, [row | {"crops": []} for row in rows])
    for path in (STATE / "faces/ledger/s.jsonl", STATE / "faces/summary.json"):
        path.unlink()
    assert broken(plan, STAGES["extract_faces"]).files == []
    write_table(table, [row | {"crops": []} for row in rows[1:]])
    assert broken(plan, STAGES["extract_faces"]).files == [str(table)]
    soon = time.time() + 2
    os.utime(manifest, (soon, soon))
    assert broken(plan, STAGES["extract_faces"]).files == []


def test_digests_and_history_that_are_none_are_named(plan):
    table, history = STATE / "faces/digests.jsonl", STATE / "cluster/history/now.json"
    table.write_bytes(b"")
    history.write_bytes(b'{"half": ')
    stale = stale_files(plan)
    assert any(str(table) in said for said in stale.said)
    assert any(str(history) in said for said in stale.said)
    assert str(STATE / "faces/inventory") in stale.files


def test_garbage_amid_a_table_is_found_where_the_run_before_failed(plan):
    table = STATE / "faces/faces/s.jsonl"
    rows = table.read_bytes().splitlines(keepends=True)
    table.write_bytes(b"".join([rows[0], b"garbage\n", *rows[2:]]))
    assert stale_files(plan).files == []
    (STATE / "faces/summary.json").unlink()
    assert str(table) in stale_files(plan).files


@pytest.mark.parametrize("name", ["faces/s.jsonl", "inventory", "summary.json"])
def test_what_is_dated_ahead_of_the_clock_is_made_again(plan, name):
    path = STATE / "faces" / name
    soon = time.time() + 3600
    os.utime(path, (soon, soon))
    stale = stale_files(plan)
    made = {"faces/s.jsonl", "inventory", "summary.json"}
    assert {str(STATE / "faces" / each) for each in made} <= set(stale.files)
    assert set(SUMMARY.values()) <= set(stale.files)
    assert "are dated ahead of the clock" in stale.said[0]


def test_a_vocabulary_that_cannot_be_used_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    plan = make_plan(complete(tmp_path, "classes", detect={"classes": "red"}))
    path = plan.state("detect") / "vocabulary.json"
    assert broken_vocabulary(plan) == []
    path.parent.mkdir(parents=True)
    path.write_bytes(b'{"names": {"red": "red"}, "prompts": {}}')
    assert broken_vocabulary(plan) == []
    os.utime(path, (4e9, 4e9))
    assert broken_vocabulary(plan) == [str(path)]
    for garbage in GARBAGE:
        path.write_bytes(b'{"names": ' if garbage is None else garbage)
        assert broken_vocabulary(plan) == [str(path)], garbage


class Dag:
    def __init__(self, *until: str):
        self.forcefiles: set[str] = set()
        self.untilrules = set(until)


def test_a_rule_that_a_run_is_to_end_at_is_told_when_its_jobs_are_known(plan):
    hints, dag = DagHints(plan), Dag("embed", "inventory_cluster")
    assert hints.give(dag) == []
    assert dag.untilrules == {"inventory_cluster"}
    hints.are_listed(dag, "extract_faces")
    assert dag.untilrules == {"inventory_cluster"}
    (STATE / "cluster/embeddings/s.jsonl").unlink()
    hints.are_listed(dag, "cluster")
    assert dag.untilrules == {"inventory_cluster", "embed"}
    assert dag.forcefiles == {str(STATE / "cluster/embeddings/s.jsonl")}
