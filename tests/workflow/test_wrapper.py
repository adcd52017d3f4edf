"""The dtst command for real: the same results as Snakemake's, in the user's words."""

import os
import shutil
import signal
import subprocess
import sys
import time

from dataset import ROOT, environment
from test_faces import NOTHING, photos_of


def test_two_commands_give_what_the_path_gives(finished, tmp_path):
    anew = finished.from_nothing(tmp_path / "anew")
    folder = str(anew.folder)
    anew.dtst("extract-faces", "-d", folder, "--from", "images/*", "--engine", "dlib")
    printed = anew.dtst(
        "cluster",
        "-d",
        folder,
        "--from",
        "faces",
        "--model",
        "dlib",
        "--count-duplicates",
    )
    assert "$ snakemake --resources gpu=1 --snakefile" in printed
    ours, theirs = anew.results(), finished.results()
    theirs.pop("people.csv")
    assert ours == theirs
    assert NOTHING in anew.run("--dry-run") or set(anew.jobs()) <= {"embed", "cluster"}


def test_dry_run_counts_images_and_changes_nothing(dataset):
    shutil.copy(photos_of(dataset)[0], dataset.folder / "images/copy.jpg")
    photos_of(dataset)[1].write_bytes(b"")
    before = dataset.results()
    count = len(photos_of(dataset))
    words = ("extract-faces", "-d", str(dataset.folder), "--engine", "dlib", "-n")
    printed = dataset.dtst(*words)
    # The copy is the same image under another name; the emptied one is new.
    assert (
        f"extract-faces: {count} images, 1 to compute, {count - 1} known from records"
        in printed
    )
    assert dataset.results() == before


def test_runs_from_anywhere_and_from_a_config_file(dataset, tmp_path):
    config = tmp_path / "crowd.yaml"
    config.write_text(
        f"working_dir: {dataset.folder}\n"
        "extract_faces: {engine: dlib}\n"
        "cluster: {model: dlib, count_duplicates: true}\n"
    )
    assert NOTHING in dataset.dtst("run", "faces", str(config))


def test_interrupted_run_goes_on_where_it_was(finished, tmp_path):
    anew = finished.from_nothing(tmp_path / "anew")
    main = "from dtst_flow.cli.main import main; main(prog_name='dtst')"
    words = ["extract-faces", "-d", str(anew.folder), "--engine", "dlib"]
    process = subprocess.Popen(
        [sys.executable, "-c", main, *words],
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    records = anew.folder / ".dtst/records/extract_faces"
    deadline = time.monotonic() + 60
    while not records.exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(timeout=60) != 0
    known = len(list(records.rglob("*.json")))
    assert known >= 1
    anew.dtst(*words)
    photos = len(photos_of(anew))
    assert anew.computed()["extract_faces"] <= photos - known + 1


def test_lock_of_a_killed_run_is_removed_on_request(dataset):
    config = str(ROOT / "demo/demo.yaml")
    words = ("run", "faces", config, "-d", str(dataset.folder))
    lock = dataset.folder / ".snakemake/locks/0.output.lock"
    lock.parent.mkdir(exist_ok=True)
    lock.write_text("cluster/clusters.json\n")
    assert "run this again with --unlock" in dataset.dtst(*words, ok=False)
    assert NOTHING in dataset.dtst(*words, "--unlock")
    assert not lock.exists()


def test_workflow_is_clean_by_snakemakes_own_lint():
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", "--lint"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
