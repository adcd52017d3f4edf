"""What a person sees of dtst: in a terminal and through a pipe, whatever happens."""

import json
import os
import shlex
import shutil
import signal
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image

from dtst_flow.dataset import sidecars
from dtst_flow.runtime import run_lock
from helpers.dataset import DLIB, Dataset, photos_of
from helpers.once import once
from helpers.terminal import CTRL_C, DTST, ESCAPE, Shown, Terminal, piped, shown

INTERNAL = ("WorkflowError", "InputFunctionException", "Traceback", "ildcards")
"""Words of Snakemake's and Python's that no user is to read."""

CROP = ("extract-classes", "-d", "garden", "--to", "crops")
BOTH, HALF = ("--from", "images/a,images/b"), ("--from", "images/a")
BOXES = {"flower": [{"box": [5, 5, 40, 40]}], "leaf": [{"box": [20, 20, 60, 60]}]}
RED = b"\x1b[31m\x1b[1merror:"


def write_images(folder: Path, names: list[str], side: int = 64) -> None:
    """Write images of noise with a flower and a leaf in each."""
    folder.mkdir(parents=True)
    for number, name in enumerate(names):
        noise = np.random.default_rng(number).integers(0, 256, (side, side, 3))
        Image.fromarray(noise.astype(np.uint8)).save(folder / name)
        sidecars.write(folder / name, {"classes": BOXES})


@pytest.fixture(scope="module")
def user(tmp_path_factory, colours) -> Path:
    """A user's folder, with a dataset `garden`, of which nobody makes anything."""
    folder = tmp_path_factory.mktemp("user")
    write_images(folder / "garden/images/a", ["a0.png", "a1.png"])
    (folder / "garden/empty").mkdir()
    (folder / "garden/file").touch()
    shutil.copytree(folder / "garden", folder / "odd")
    (folder / "odd/.dtst").touch()
    (folder / "unknown.yaml").write_text("extract_classes: {form: images}\n")
    shutil.copy(colours, folder / "colours.onnx")
    (folder / "none").mkdir()
    return folder


CLUSTER = ("cluster", "-d", "garden", *HALF)

REFUSED = {
    "value outside the schema": (
        (*CROP, *HALF, "--margin", "-3"),
        ("extract_classes.margin", "-3", "minimum of 0"),
    ),
    "choice that there is not": (
        (*CLUSTER, "--model", "arcfase"),
        ("--model", "arcfase", "arcface"),
    ),
    "unknown setting in YAML": (
        ("extract-classes", "unknown.yaml", "-d", "garden"),
        ("unknown.yaml", "'form'", "did you mean 'from'?"),
    ),
    "model missing": (
        CLUSTER,
        ("arcface_r50 is missing", "none", "dtst models fetch arcface_r50"),
    ),
    "weights missing": (
        (*CLUSTER, "--weights", "nowhere.onnx"),
        ("not a file", "nowhere.onnx"),
    ),
    "weights of another kind": (
        (*CLUSTER, "--weights", "colours.onnx"),
        ("colours.onnx", "ArcFace", "expected", "dtst detect"),
    ),
    "source missing": (
        (*CROP, "--from", "imagse"),
        ("'imagse'", "folders in", "images"),
    ),
    "source without image": (
        (*CROP, "--from", "images"),
        ("no image in 'images'", "--from 'images/*'"),
    ),
    "empty source": ((*CROP, "--from", "empty"), ("no image in 'empty'",)),
    "overlap": (
        (*CROP[:-1], "images/a/crops", *HALF),
        ("images/a/crops", "overlap", "choose a folder beside"),
    ),
    "target outside": (
        (*CROP[:-1], "../out", *HALF),
        ("--to '../out'", "below the dataset folder", "such as"),
    ),
    "target is a file": (
        (*CROP[:-1], "file", *HALF),
        ("--to 'file'", "is a file", "choose another --to"),
    ),
    "state is a file": (
        ("extract-classes", "-d", "odd", *HALF),
        ("odd/.dtst is a file", "move it away"),
    ),
    "no classes": (
        ("detect", "-d", "garden", *HALF),
        ("detect needs classes", "--classes flower,leaf"),
    ),
    "cores below none": ((*CROP, "--cores", "-1"), ("--cores", "'-1'", "'all'")),
    "no cores": ((*CROP, "--cores", "0"), ("--cores", "'0'", "from 1 on")),
    "cores in words": ((*CROP, "--cores", "many"), ("--cores", "'many'", "'all'")),
    "no dataset": (
        ("extract-classes", "-d", "nowhere", *HALF),
        ("no dataset folder nowhere", "-d"),
    ),
    "dataset unnamed": (
        ("extract-classes", "-d", "", *HALF),
        ("-d", "is empty", "variable"),
    ),
}


def check_error(seen: Shown, code: int, parts: tuple[str, ...]) -> str:
    """Check that an error is shown as it must be; returns it in one line."""
    assert seen.code == code, seen.text
    for word in INTERNAL:
        assert word not in seen.text
    start = max(i for i, line in enumerate(seen.lines) if line.startswith("error: "))
    message = "".join(seen.lines[start:])
    for part in parts:
        assert part in message, seen.text
    return message


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused_is_told_last_and_nothing_begins(case, user):
    words, parts = REFUSED[case]
    before = Dataset(user / "garden").listing()
    # One of the two ways to start is enough to see that NO_COLOR is heeded.
    plain = {"NO_COLOR": "1"} if case == "no dataset" else {}
    models = {"DTST_MODELS": str(user / "none")}
    seen = shown([*DTST, *words], user, **models, **plain)
    told = check_error(seen, 2, parts)
    assert (RED in seen.raw) is not bool(plain)
    assert (ESCAPE in seen.raw) is not bool(plain)
    through = piped([*DTST, *words], user, **models)
    assert not through.out and ESCAPE not in through.raw
    # A terminal breaks lines, and may lose a space where it does.
    same = check_error(through, 2, parts)
    assert same.replace(" ", "") == told.replace(" ", "")
    assert Dataset(user / "garden").listing() == before


@pytest.mark.parametrize("case", ["cores in words", "source missing", "no dataset"])
def test_json_tells_of_what_is_refused(case, user):
    words, parts = REFUSED[case]
    seen = piped([*DTST, *words, "--json"], user)
    value = json.loads(seen.out)
    assert (seen.code, value["ok"], value["exit"]) == (2, False, 2)
    (error,) = value["errors"]
    assert all(part in error for part in parts)
    assert not seen.err


def test_a_busy_dataset_is_told(tmp_path):
    write_images(tmp_path / "garden/images/a", ["a0.png"])
    (tmp_path / "garden/.dtst").mkdir()
    lock = run_lock.acquire(tmp_path / "garden")
    try:
        run_lock.begin(tmp_path / "garden", "dtst", os.getpid())
        for seen in (f([*DTST, *CROP, *HALF], tmp_path) for f in (shown, piped)):
            check_error(seen, 1, (f"garden is in use by process {os.getpid()}",))
    finally:
        os.close(lock)


@pytest.fixture(scope="module")
def cropped(tmp_path_factory) -> Path:
    """A user's folder with a dataset `garden` whose crops are made; nobody changes it."""

    def make(folder: Path) -> None:
        for name in "ab":
            images = [f"{name}{i}.png" for i in range(4)]
            write_images(folder / f"garden/images/{name}", images)
        seen = shown([*DTST, *CROP, *BOTH], folder)
        (folder / "seen.json").write_text(json.dumps([seen.code, seen.lines]))

    return once(tmp_path_factory, "cropped", make)


@pytest.fixture
def garden(cropped, tmp_path) -> Path:
    """A copy of that folder to change at will."""
    shutil.copytree(cropped, tmp_path / "user")
    return tmp_path / "user"


def crops(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "garden/crops").glob("*.jpg"))


def test_a_run_shows_bars_and_ends_with_its_summary(cropped):
    code, lines = json.loads((cropped / "seen.json").read_text())
    assert code == 0, lines
    assert lines[0] == (
        "extract-classes: 8 images in images/a,images/b (8 new or changed) -> crops"
    )
    (bar,) = (i for i, line in enumerate(lines) if "extract-classes  ━" in line)
    assert "8/8" in lines[bar]
    assert "listing images" in lines[bar - 1]
    assert lines[bar + 1] == f"extract-classes -> {cropped / 'garden/crops'}"
    assert "8 images: 16 crops" in lines[bar + 2]
    assert lines[-1].startswith("took ")


def test_nothing_to_do_says_what_there_is(cropped):
    seen = piped([*DTST, *CROP, *BOTH], cropped)
    assert seen.code == 0
    assert seen.out.splitlines() == [
        "nothing to do: all is up to date",
        f"extract-classes -> {cropped / 'garden/crops'}",
        "  8 images: 16 crops; 0 images have no box to cut",
    ]
    assert seen.err.splitlines() == [
        "extract-classes: 8 images in images/a,images/b (0 new or changed) -> crops"
    ]


def test_fewer_images_through_a_pipe(garden):
    seen = piped([*DTST, *CROP, *HALF, "--classes", "leaf"], garden)
    assert seen.code == 0 and ESCAPE not in seen.raw
    assert len(seen.lines) <= 10
    # Nobody is there to be asked.
    assert "12 of the 16 files of the run before will be removed: " in seen.err
    assert "12 files of earlier runs were removed from crops" in seen.out
    assert crops(garden) == [f"a{i}_leaf.jpg" for i in range(4)]


def test_most_of_the_crops_go_only_on_a_yes(garden):
    words = [*DTST, *CROP, *HALF, "--classes", "leaf"]
    with Terminal(words, garden) as terminal:
        terminal.until("Go on?")
        terminal.press("n\r")
    check_error(terminal.shown, 1, ("nothing was changed",))
    assert len(crops(garden)) == 16
    with Terminal(words, garden) as terminal:
        terminal.until("Go on?")
        terminal.press("y\r")
    assert terminal.shown.code == 0
    assert "12 files of earlier runs were removed" in terminal.shown.text
    assert len(crops(garden)) == 4


def test_verbose_says_what_snakemake_says_and_quiet_nothing(garden):
    words = [*DTST, *CROP, *BOTH, "--margin", "0.1"]
    seen = piped([*words, "-v"], garden)
    assert seen.code == 0
    assert "$ snakemake --resources gpu=1 --snakefile" in seen.err
    assert "Finished jobid: " in seen.err
    assert "8 images: 16 crops" in seen.out and "nothing to do" not in seen.out
    seen = shown([*words, "-q"], garden)
    assert (seen.code, seen.raw) == (0, b"")


def test_json_tells_all_in_one_object(garden):
    (garden / "garden/images/b/b3.png").write_bytes(b"broken")
    words = [*DTST, *CROP, *BOTH, "--classes", "leaf", "--json"]
    planned = json.loads(piped([*words, "-n"], garden).out)
    assert planned["ok"] and "12 of the 16" not in str(planned)
    assert planned["forecast"][0].startswith("extract-classes: 8 images, ")
    assert len(crops(garden)) == 16
    seen = piped(words, garden)
    assert not seen.err
    value = json.loads(seen.out)
    (stage,) = value.pop("stages")
    assert value.pop("seconds") > 0
    assert value == {
        "ok": True,
        "exit": 0,
        "errors": [],
        "command": "extract-classes",
        "dataset": str(garden / "garden"),
    }
    assert (stage["stage"], stage["path"]) == (
        "extract-classes",
        str(garden / "garden/crops"),
    )
    assert (stage["images"], stage["failed"], stage["removed"]) == (7, 1, 9)
    assert [row["path"] for row in stage["failures"]] == ["images/b/b3.png"]
    assert Path(stage["list"]).is_file() and stage["seconds"] > 0


def test_a_class_in_no_sidecar_fails_and_removes_nothing(garden):
    seen = shown([*DTST, *CROP, *BOTH, "--classes", "rose", "--yes"], garden)
    assert "16 of the 16 files of the run before will be removed" in seen.flat
    assert "Go on?" not in seen.text
    told = check_error(
        seen, 1, ("no image has the class 'rose'; there are: flower, leaf",)
    )
    assert "Nothing was removed." in told
    assert_ends_with_log(seen, garden)
    assert len(crops(garden)) == 16


def assert_ends_with_log(seen: Shown, folder: Path) -> None:
    """Check that the path of the log can be pasted where the user stands."""
    *_, said = seen.flat.rpartition("; its log: ")
    (path,) = shlex.split(said)
    assert not os.path.isabs(path) and (folder / path).is_file()


def test_a_failed_job_shows_the_end_of_its_log(garden):
    (garden / "garden/images/b/b3.png").write_bytes(b"broken")
    seen = piped([*DTST, *CROP, *BOTH, "--strict"], garden)
    told = check_error(seen, 1, ("1 images failed and --strict was given",))
    assert "collect-classes failed" in told
    assert_ends_with_log(seen, garden)
    assert "images/b/b3.png" in seen.text


def at_work(folder: Path) -> list[psutil.Process]:
    """The processes that work in a dataset's folder."""
    found = []
    for process in psutil.process_iter(["cwd"]):
        cwd = process.info["cwd"]
        if cwd and Path(cwd).is_relative_to(folder):
            found.append(process)
    return found


def check_interrupted(seen: Shown, dataset: Path, code: int = 130) -> None:
    """Check that a run ended in order after Ctrl-C, or a kill."""
    assert seen.code == code, seen.text
    for word in INTERNAL:
        assert word not in seen.text
    # The terminal writes ^C where a key comes after the end.
    lines = [line for line in seen.lines if line != "^C"]
    assert lines[-1].startswith("error: interrupted")
    assert not at_work(dataset)


@pytest.mark.parametrize(
    "moments",
    [(0.1,), (0.3,), ("-> crops", 0.0), ("-> crops", 0.6, 0.1)],
    ids=["as it loads", "as it checks", "as Snakemake starts", "twice"],
)
def test_ctrl_c_before_any_job(moments, garden):
    words = [*DTST, *CROP, *BOTH, "--margin", "0.1"]
    with Terminal(words, garden) as terminal:
        for moment in moments:
            terminal.until(moment)
            if not isinstance(moment, str):
                terminal.press(CTRL_C)
    check_interrupted(terminal.shown, garden / "garden")
    assert len(crops(garden)) == 16


FACES = ("extract-faces", "-d", "crowd", "--engine", "dlib", "--cores", "2")


def test_ctrl_c_during_a_job_and_on_with_the_same_command(finished, tmp_path):
    crowd = finished.from_nothing(tmp_path / "user")
    count = len(photos_of(crowd))
    with Terminal([*DTST, *FACES], crowd.folder.parent) as terminal:
        terminal.until(f"/{count}")
        terminal.until(0.3)
        jobs = workers(crowd.folder)
        terminal.press(CTRL_C)
    check_interrupted(terminal.shown, crowd.folder)
    last = terminal.shown.lines[-1]
    assert "interrupted in extract-faces: " in last
    assert f"of {count} images done; run the same command again to go on" in last
    # Few photos are one shard, whose job keeps both cores busy.
    assert jobs == 2
    again = piped([*DTST, *FACES], crowd.folder.parent)
    assert again.code == 0 and f"{count} images: " in again.out
    made, faces = crowd.results(), finished.results()
    assert made == {p: c for p, c in faces.items() if not p.startswith("cluster/")}


def test_a_kill_before_any_job(garden):
    with Terminal([*DTST, *CROP, *BOTH, "--margin", "0.1"], garden) as terminal:
        while not is_caught(signal.SIGTERM, terminal.pid):
            terminal.until(0.01)
        os.kill(terminal.pid, signal.SIGTERM)
    check_interrupted(terminal.shown, garden / "garden", 143)


def is_caught(number: int, pid: int) -> bool:
    """Whether a signal is up to the process itself."""
    status = dict(
        line.split(":\t")
        for line in Path(f"/proc/{pid}/status").read_text().splitlines()
    )
    return bool(int(status["SigCgt"], 16) >> (number - 1) & 1)


def test_a_kill_and_a_closed_terminal_end_the_jobs(finished, tmp_path):
    crowd = finished.from_nothing(tmp_path / "user")
    count = len(photos_of(crowd))
    for number in (signal.SIGTERM, signal.SIGHUP):
        with Terminal([*DTST, *FACES], crowd.folder.parent) as terminal:
            terminal.until(f"/{count}")
            terminal.until(0.3)
            assert workers(crowd.folder)
            if number == signal.SIGTERM:
                os.kill(terminal.pid, number)
            else:
                terminal.close()
        assert terminal.shown.code == 128 + number
        assert not at_work(crowd.folder)
        assert not run_lock.is_locked(crowd.folder)
        if number == signal.SIGTERM:
            check_interrupted(terminal.shown, crowd.folder, 143)
            assert "interrupted in extract-faces: " in terminal.shown.lines[-1]


def workers(folder: Path) -> int:
    """How many processes the job at work in a dataset's folder shares its images among.

    They are the last in a row of forks: of dtst, Snakemake, the job.
    """
    there = {process.pid: process for process in at_work(folder)}
    above = {process.ppid() for process in there.values()}
    words = [there[pid].cmdline() for pid in above & there.keys()]
    last = (there[pid].cmdline() for pid in there.keys() - above)
    return sum(process in words for process in last)


def test_one_process_makes_what_several_make(finished, tmp_path):
    alone = finished.from_nothing(tmp_path)
    alone.run(settings={name: DLIB[name] | {"workers": 1} for name in DLIB})
    assert alone.results() == finished.results()
