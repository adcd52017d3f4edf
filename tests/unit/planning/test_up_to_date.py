"""What is known without Snakemake, of a dataset that a run left."""

import os
import shutil
from pathlib import Path

import pytest

from dtst_flow.planning import up_to_date
from dtst_flow.planning.plan import make_plan
from dtst_flow.planning.source_scan import source_fingerprint, source_listing
from helpers.plans import complete

WORDS = ["--cores", "1"]

STATE = Path(".dtst/buckets")


class Asked:
    """Path faces, asked for with some settings in the dataset in which we are."""

    def __init__(self, root: Path, words=WORDS, **settings):
        stages = {"extract_faces": {"engine": "dlib"}, "cluster": {"model": "dlib"}}
        for name, values in settings.items():
            stages[name] = stages.get(name, {}) | values
        self.config = complete(root, "faces", **stages)
        self.plan = make_plan(self.config)
        self.words = words

    def digest(self) -> str:
        return up_to_date.asked_for(self.plan, self.config, self.words)

    def sources(self) -> dict[str, list[str]]:
        names = [stage.name for stage in self.plan.stages]
        return {name: [source_fingerprint(self.plan, name)] for name in names}

    def images(self) -> int:
        return len(source_listing(self.plan, "extract_faces").images)

    def is_known(self) -> bool:
        listing = source_listing(self.plan, "extract_faces")
        return up_to_date.is_known(self.plan, self.digest(), listing)


@pytest.fixture
def asked(dataset, monkeypatch):
    """What was run, noted as having nothing left to do; a function that asks for it."""
    monkeypatch.chdir(dataset.folder)
    monkeypatch.setenv("XDG_CACHE_HOME", str(dataset.folder.parent / "cache"))

    def ask(*words, **settings) -> Asked:
        return Asked(dataset.folder.parent, [*WORDS, *words], **settings)

    first = ask()
    up_to_date.keep(first.plan, first.digest(), first.images(), first.sources())
    return ask


def photo() -> Path:
    return min(Path("images").rglob("*.jpg"))


def crop() -> Path:
    return min(Path("faces").glob("*.jpg"))


def touched_in_place(path: Path) -> None:
    """Give a file another content of the same size, and its time back."""
    before = path.stat()
    path.write_bytes(path.read_bytes()[::-1])
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_what_stays_as_it_was_is_known(asked):
    assert asked().is_known()
    os.utime("images")
    photo().chmod(0o600)  # which is looked at, and noted
    assert asked().is_known()
    assert asked().is_known()


@pytest.mark.parametrize(
    "edit",
    [
        lambda: photo().unlink(),
        lambda: photo().rename(photo().with_stem("other")),
        lambda: shutil.copy(photo(), photo().with_stem("another")),
        lambda: os.utime(photo()),
        lambda: touched_in_place(photo()),
        lambda: Path(f"{photo()}.json").write_text("{}"),
        lambda: crop().unlink(),
        lambda: Path(f"{crop()}.json").write_text("{}"),
        lambda: shutil.copy(photo(), "faces/mine.jpg"),
        lambda: shutil.rmtree("cluster/000"),
        lambda: Path("cluster/labels.csv").write_text("path,label\n"),
        lambda: touched_in_place(STATE / "faces/faces/s.jsonl"),
        lambda: (STATE / "cluster/summary.json").unlink(),
        lambda: (
            (STATE / "cluster/history").mkdir(exist_ok=True)
            or (STATE / "cluster/history/new").touch()
        ),
        lambda: shutil.rmtree(".snakemake"),
        lambda: min(Path(".snakemake/metadata").iterdir()).unlink(),
        lambda: (
            Path(".snakemake/incomplete").mkdir(exist_ok=True)
            or Path(".snakemake/incomplete/one").touch()
        ),
        lambda: (STATE / "cluster" / up_to_date.NOTE).write_text("[]"),
        lambda: (STATE / "cluster" / up_to_date.NOTE).write_text("{"),
    ],
)
def test_any_edit_is_for_snakemake_to_judge(asked, edit):
    edit()
    assert not asked().is_known()


def test_so_is_all_else_that_is_asked_for(asked):
    assert not asked("--rerun-triggers", "mtime").is_known()
    assert not asked(extract_faces={"max_faces": 1}).is_known()
    assert not asked(cluster={"to": "groups"}).is_known()
    assert asked().is_known()


def test_so_are_another_environment_and_another_workflow(asked, monkeypatch, tmp_path):
    with monkeypatch.context() as patched:
        patched.setenv("DTST_OTHER", "1")
        assert not asked().is_known()
    with monkeypatch.context() as patched:
        patched.syspath_prepend(tmp_path)  # as where a package was installed
        assert not asked().is_known()
    with monkeypatch.context() as patched:
        (tmp_path / "Snakefile").touch()
        patched.setattr(up_to_date, "home", lambda: tmp_path)
        assert not asked().is_known()
    assert asked().is_known()


def test_what_python_compiled_is_no_change(tmp_path):
    for name in ("rule.py", "__pycache__/rule.cpython-311.pyc"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    ((path, *_),) = up_to_date._files_below(tmp_path)
    assert path == str(tmp_path / "rule.py")


def test_what_is_dated_ahead_is_for_snakemake_to_judge(asked, monkeypatch):
    monkeypatch.setattr("time.time", lambda: 1e9)
    assert not asked().is_known()


@pytest.mark.parametrize("seen", [[], ["one", "another"]])
def test_nothing_is_noted_of_a_source_that_was_edited_meanwhile(asked, seen):
    now = asked()
    (STATE / "cluster" / up_to_date.NOTE).unlink()
    sources = now.sources() | {"cluster": seen}
    up_to_date.keep(now.plan, now.digest(), now.images(), sources)
    assert not asked().is_known()
