"""The dtst command for real: the same results as Snakemake's, in the user's words."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

from helpers.dataset import DLIB, NOTHING, ROOT, environment, photos_of


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
    assert "took " in printed and "snakemake" not in printed
    assert anew.results() == finished.results()
    assert NOTHING in anew.run("--dry-run") or set(anew.jobs()) <= {"embed", "cluster"}


def test_dry_run_counts_images_and_changes_nothing(dataset):
    shutil.copy(photos_of(dataset)[0], dataset.folder / "images/copy.jpg")
    photos_of(dataset)[1].write_bytes(b"")
    before = dataset.listing()
    count = len(photos_of(dataset))
    words = ("extract-faces", "-d", str(dataset.folder), "--engine", "dlib", "-n")
    printed = dataset.dtst(*words)
    # The copy is the same image under another name; the emptied one is new.
    assert (
        f"extract-faces: {count} images, 1 to compute, {count - 1} known from records"
        in printed
    )
    assert dataset.listing() == before


def test_dry_run_says_what_would_be_restored_and_restores_nothing(dataset):
    words = ("run", "faces", str(ROOT / "demo/demo.yaml"), "-d", str(dataset.folder))
    crop = min((dataset.folder / "faces").glob("*.jpg"))
    crop.write_bytes(b"edited")
    before = dataset.listing()
    printed = dataset.dtst(*words, "-n")
    assert printed.startswith("extract-faces: 1 file in faces was edited or deleted")
    assert f"first {crop.name!r}; to be restored" in printed
    assert dataset.listing() == before


def test_runs_from_anywhere_and_from_a_config_file(dataset, tmp_path):
    config = tmp_path / "crowd.yaml"
    config.write_text(
        f"working_dir: {dataset.folder}\n"
        "extract_faces: {engine: dlib}\n"
        "cluster: {model: dlib, count_duplicates: true}\n"
    )
    assert "nothing to do" in dataset.dtst("run", "faces", str(config))


DTST = ("-c", "from dtst_flow.cli.main import main; main(prog_name='dtst')")


def begin(*words: str, program: tuple[str, ...] = DTST) -> subprocess.Popen:
    """Start the wrapper, or Snakemake, in a session of its own."""
    return subprocess.Popen(
        [sys.executable, *program, *words],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def test_of_two_runs_at_once_one_is_told_of_the_other(finished, tmp_path):
    anew = finished.from_nothing(tmp_path / "anew")
    words = ("extract-faces", "-d", str(anew.folder), "--engine", "dlib")
    pair = [begin(*words) for _ in range(2)]
    printed = {p.returncode: text for p in pair for text in [p.communicate()[0]]}
    assert printed.keys() == {0, 1}
    sentence = printed[1].splitlines()[-1]
    assert sentence.startswith(f"error: {anew.folder} is in use by ")
    assert "-> " in printed[0]


def test_a_plain_snakemake_at_work_is_named(finished, tmp_path):
    anew = finished.from_nothing(tmp_path / "anew")
    config = tmp_path / "config.json"
    place = {"root": str(anew.folder.parent), "dataset": "crowd"}
    config.write_text(json.dumps(place | DLIB))
    words = ("-s", str(ROOT / "Snakefile"), "--configfile", str(config))
    run = begin(*words, program=("-m", "snakemake"))
    note = anew.folder / ".dtst/run.json"
    deadline = time.monotonic() + 60
    while not note.exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    words = ("cluster", "--from", "images/*", "--to", "x", "--model", "dlib")
    printed = anew.dtst(*words, "-d", str(anew.folder), ok=False)
    assert f"{anew.folder} is in use by process {run.pid} on this machine" in printed
    assert "(snakemake -s " in printed
    os.killpg(run.pid, signal.SIGKILL)
    run.communicate()
    printed = anew.dtst("extract-faces", "-d", str(anew.folder), "--engine", "dlib")
    assert f"removed the lock of process {run.pid}" in printed


def test_failed_run_does_not_repeat_what_one_before_summed_up(dataset):
    photos_of(dataset)[0].write_bytes(b"")
    printed = dataset.run(settings=DLIB | {"strict": True}, ok=False)
    assert "1 images failed and --strict was given" in printed
    assert "clusters with" not in printed
    assert "cluster ->" in dataset.run()


def test_folder_that_goes_away_is_told_in_a_sentence(finished, tmp_path):
    anew = finished.from_nothing(tmp_path / "anew")
    run = begin("extract-faces", "-d", str(anew.folder), "--engine", "dlib")
    records = anew.folder / ".dtst/records/extract_faces"
    deadline = time.monotonic() + 60
    while not records.exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    anew.folder.rename(gone := tmp_path / "gone")
    while gone.exists():
        shutil.rmtree(gone, ignore_errors=True)  # jobs are still writing
    printed = run.communicate(timeout=120)[0]
    assert run.returncode == 1
    assert f"{anew.folder} is gone: it was moved or deleted" in printed.splitlines()[-1]


def test_interrupted_run_goes_on_where_it_was(finished, tmp_path):
    anew = finished.from_nothing(tmp_path / "anew")
    words = ["extract-faces", "-d", str(anew.folder), "--engine", "dlib"]
    process = begin(*words)
    records = anew.folder / ".dtst/records/extract_faces"
    deadline = time.monotonic() + 60
    while not records.exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode != 0
    known = sum(
        journal.read_bytes().count(b"\n") for journal in records.glob("*.journal")
    )
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
    assert "nothing to do" in dataset.dtst(*words, "--unlock")
    assert not lock.exists()


def test_workflow_is_clean_by_snakemakes_own_lint():
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", "--lint"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
