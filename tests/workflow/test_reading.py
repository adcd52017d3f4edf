"""Reading the rules is not doing: nothing that only looks changes a dataset."""

import os
import time
from pathlib import Path

import pytest

from dtst_flow.runtime import run_lock
from helpers.dataset import NOTHING

LOOKS = [
    ["--list-rules"],
    ["--summary"],
    ["--dag"],
    ["--rulegraph"],
    ["--lint"],
    ["--list-input-changes"],
    ["-n"],
]
SNAKEMAKES = {".snakemake", ".snakemake/locks", ".snakemake/iocache"}
"""What Snakemake itself touches, whatever a workflow does: its own folders."""

CACHE = ".snakemake/iocache/latest.pkl"
"""What a dry run of Snakemake's leaves for --trust-io-cache."""


def newer(folder: Path, mark: float) -> set[str]:
    """What was made or changed in a folder since a moment."""
    return {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.lstat().st_mtime > mark
    }


def test_looks_leave_a_damaged_dataset_as_it_is_and_a_run_restores_it(dataset):
    before = dataset.results()
    crop = min((dataset.folder / "faces").glob("*.jpg"))
    crop.write_bytes(b"edited")
    time.sleep(0.1)
    mark = time.time()
    files = {path for path in dataset.folder.rglob("*")}
    for words in LOOKS:
        dataset.run(*words, ok=None)
        assert newer(dataset.folder, mark) <= {*SNAKEMAKES, CACHE}, words
    made = {path for path in dataset.folder.rglob("*")} - files
    assert made <= {dataset.folder / name for name in (*SNAKEMAKES, CACHE)}
    told = dataset.run("-n")
    assert f"edited or deleted since, first '{crop.name}'; to be restored" in told
    assert "extract_faces" in told and NOTHING not in told
    dataset.run()
    assert dataset.results() == before
    assert NOTHING in dataset.run("-n")


def test_touch_and_unlock_remove_nothing(dataset):
    crop = min((dataset.folder / "faces").glob("*.jpg"))
    os.utime(crop)
    files = {path for path in dataset.folder.rglob("*")}
    dataset.run("--unlock")
    dataset.run("--touch", ok=None)
    gone = files - {path for path in dataset.folder.rglob("*")}
    assert not [path for path in gone if ".snakemake" not in path.parts]


def test_a_look_at_an_untouched_dataset_leaves_no_state(dataset, tmp_path):
    anew = dataset.from_nothing(tmp_path / "anew")
    for words in LOOKS:
        anew.run(*words, ok=None)
    assert {path.name for path in anew.folder.iterdir()} <= {"images", ".snakemake"}


def test_the_rules_are_drawn_without_a_circle_before_a_run(dataset, tmp_path):
    anew = dataset.from_nothing(tmp_path / "anew")
    drawn = anew.run("--rulegraph")
    for rule in (
        "inventory_extract_faces",
        "extract_faces",
        "collect_faces",
        "inventory_cluster",
        "embed",
        "cluster",
    ):
        assert f'label = "{rule}"' in drawn
    edges = [line.split("->") for line in drawn.splitlines() if "->" in line]
    after: dict[str, set[str]] = {}
    for source, target in edges:
        after.setdefault(source.strip(), set()).add(target.strip())
    assert not any(node in reachable(node, after) for node in after)


def reachable(node: str, after: dict[str, set[str]]) -> set[str]:
    seen: set[str] = set()
    todo = [node]
    while todo:
        for target in after.get(todo.pop(), ()):
            if target not in seen:
                seen.add(target)
                todo.append(target)
    return seen


@pytest.mark.parametrize(
    ("words", "ran"),
    [
        (["-R", "extract_faces"], {"extract_faces"}),
        (["-R", "embed"], {"embed"}),
        (["-F"], {"extract_faces", "embed"}),
    ],
)
def test_forcing_a_rule_does_what_it_says(dataset, words, ran):
    printed = dataset.run(*words)
    assert NOTHING not in printed
    assert ran <= dataset.jobs().keys()
    crops = len(list((dataset.folder / "faces").glob("*.jpg")))
    assert set(dataset.computed().values()) <= {0, crops}


def test_a_run_ends_at_the_rule_that_it_is_to_end_at(dataset, tmp_path):
    anew = dataset.from_nothing(tmp_path / "anew")
    anew.run("--until", "extract_faces")
    assert anew.jobs() == {"extract_faces": 1}
    assert not (anew.folder / ".dtst/buckets/faces/summary.json").exists()
    anew.run("--until", "collect_faces")
    assert (anew.folder / ".dtst/buckets/faces/summary.json").exists()
    assert not (anew.folder / "cluster").exists()
    assert NOTHING in anew.run("--until", "collect_faces")


def test_the_lock_of_a_killed_run_goes_with_the_next(dataset):
    lock = dataset.folder / ".snakemake/locks/0.input.lock"
    lock.parent.mkdir(exist_ok=True)
    lock.touch()
    run_lock.begin(dataset.folder, "snakemake", 1)
    dataset.run("-n")
    assert lock.exists()
    assert "removed the lock of process 1 on this machine" in dataset.run()
    assert not lock.exists()
