"""Any history of edits, reruns and changed settings, against a run from nothing.

After it, one run leaves below the dataset what a run from nothing gives on the user's
files, byte for byte; nothing of the user's is lost on the way; and nothing is left to do.

From nothing means: a new folder with all files and keys that the user has, wherever they
lie, so also those in the way of results; with the names that photos were given, and for
whom lines of labels.csv were written. Theirs are photos, sidecars and keys of them, and
what they put into made buckets under a name that no run had used. A made file that they
edit, replace or delete stays the workflow's. What is not promised: where the user says in a
sidecar just what the workflow says, it counts as said by the workflow; and when .dtst is
lost, a crop without its provenance is the user's.
"""

import io
import shutil
import sys
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule, run_state_machine_as_test
from PIL import Image

from dtst_flow.cluster import labels
from dtst_flow.dataset import given_names
from dtst_flow.dataset.state import state_of
from dtst_flow.imaging import decode
from dtst_flow.planning.pipelines import PIPELINES
from dtst_flow.stages.registry import STAGES
from helpers import colour_detector
from helpers.dataset import DLIB, Dataset
from helpers.edits import FOLDERS, NAMES, Edits, numbers, pick
from helpers.foreseen import foreseen, is_known
from helpers.user import alike

NOTHING = "Nothing to be done"

PIECES = ("records", "logs", "progress", "inventory", "digests.jsonl", given_names.FILE)
"""What of .dtst can be deleted at any time."""

TABLES = {stage.name: stage.table for stage in STAGES.values()}

SOURCES = ("images/a,images/b", "images", "images/*")

CLUSTER = {
    ("", "shard_size"): (1, 4),
    ("cluster", "to"): ("groups", "cluster"),
    ("cluster", "min_cluster_size"): (3, 2),
    ("cluster", "top"): (1, None),
    ("cluster", "folders"): ("name", "both", "rank"),
    ("cluster", "link"): ("symbolic", "hard", "copy"),
    ("cluster", "clean"): (True, False),
}
"""Settings that all paths share."""


class Histories(Edits):
    """A user who also changes settings, and runs the workflow now and then."""

    SETTINGS: ClassVar[dict]
    FEW: ClassVar = 4
    """Histories that are tried each time."""

    def __init__(self, *words):
        super().__init__(*words)
        self.chosen: dict[tuple[str, str], object] = {}
        self.count["edit sequences run"] += 1

    def teardown(self):
        if sys.exception() is None:
            self.check()
            self.count["edit sequences right"] += 1

    def settings(self, path: str | None = None) -> dict:
        """The settings of now, of the whole path or of one command alone."""
        values = {**self.SETTINGS, **({"path": path} if path else {})}
        for (stage, name), value in self.chosen.items():
            if stage:
                values[stage] = values[stage] | {name: value}
            else:
                values[name] = value
        return values

    def buckets(self) -> dict[str, str]:
        values = self.settings()
        return {s: values[s].get("to", to) for s, to in self.MADE.items()}

    # What the workflow remembers

    @rule(what=st.sampled_from(PIECES))
    def lose_piece(self, what):
        for path in (self.dataset.folder / ".dtst").rglob(what):
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    @rule()
    def lose_snakemakes_memory(self):
        shutil.rmtree(self.dataset.folder / ".snakemake", ignore_errors=True)

    @rule(what=st.sampled_from([".dtst", "ledger"]))
    def lose_all_memory(self, what):
        """Amid edits of photos and sidecars, but for those that only a ledger can tell of."""
        if not self.is_intact():
            self.run()
        if not self.is_intact():
            return
        self.forget()
        state = self.dataset.folder / ".dtst"
        if what == "ledger":
            for folder in list(state.rglob("ledger")):
                shutil.rmtree(folder)
            return
        # Who wrote the boxes in the photos' sidecars is noted nowhere else.
        for path in (*state.iterdir(), *(state / "buckets").glob("*")):
            if path.name not in ("buckets", ".detect", "detected"):
                shutil.rmtree(path) if path.is_dir() else path.unlink()

    # Settings and runs

    @rule(which=numbers, value=numbers)
    def choose(self, which, value):
        name = pick(sorted(self.CHOICES), which)
        self.chosen[name] = pick(self.CHOICES[name], value)

    @precondition(lambda self: self.chosen)
    @rule()
    def choose_as_before(self):
        self.chosen.clear()

    @rule()
    def run(self):
        self.work()

    @rule(which=numbers)
    def run_one_command(self, which):
        stage = pick(PIPELINES[self.SETTINGS["path"]], which)
        values = self.settings(stage.replace("_", "-"))
        if stage == "cluster":
            made = [to for stage, to in self.buckets().items() if stage != "cluster"]
            source = made[0] if made else "images/*"
            values["cluster"] = {"from": source} | values["cluster"]
        self.work(settings=values)

    @rule(which=numbers)
    def cluster_into_another_target(self, which):
        """Of another stage, while it is known whose it is; that is refused."""
        state = self.dataset.folder / state_of(".")
        taken = [
            to
            for stage, to in self.buckets().items()
            if stage != "cluster" and any((state / to).glob(f"{TABLES[stage]}/s*"))
        ]
        if not taken:
            return
        values, to = self.settings("cluster"), pick(taken, which)
        values["cluster"] = values.get("cluster", {}) | {"from": "images/*", "to": to}
        before = self.dataset.results()
        printed = self.dataset.run(settings=values, ok=False)
        assert f"'{to}' has the results of" in printed
        assert self.dataset.results() == before

    @rule()
    def dry_run(self):
        before = self.dataset.results()
        self.dataset.run("-n", settings=self.settings(), ok=None)
        assert self.dataset.results() == before

    def work(self, **how) -> None:
        """One run, which may fail when there is nothing to work on."""
        with foreseen(self.dataset, how.get("settings", self.settings())) as told:
            printed = self.go(**how)
            told.append(printed)
        assert "Traceback (most recent call" not in printed, printed
        lost = self.user.lost()
        self.count["files of the user lost"] += len(lost)
        assert not lost, lost
        for path in self.own_results():
            if self.is_noted(path):
                # The user had put there just what belongs there.
                del self.user.files[path]

    def check(self) -> None:
        """Compare with a run from nothing."""
        self.work()
        anew = Dataset(self.folder / "anew/crowd")
        anew.folder.mkdir(parents=True)
        self.user.copy_to(anew.folder)
        for name in (given_names.FILE, labels.BOUND):
            for file in self.dataset.folder.glob(f".dtst/buckets/*/{name}"):
                place = anew.folder / file.relative_to(self.dataset.folder)
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(file, place)
        printed = anew.run(settings=self.settings(), ok=None)
        left = [
            dataset.run("-n", settings=self.settings(), ok=None)
            for dataset in (self.dataset, anew)
        ]
        done = [NOTHING in printed for printed in left]
        assert done[0] is done[1], left[0] + printed
        known = is_known(self.dataset, self.settings())
        assert done[0] or not known
        self.count["ends that dtst knows by itself"] += known
        if not done[1]:
            return  # no photo could be used, so there is no result
        ours, theirs = self.shown(self.dataset), self.shown(anew)
        other = {
            path: [len(each.get(path, "")) for each in (ours, theirs)]
            for path in sorted(ours.keys() | theirs.keys())
            if path not in ours
            or path not in theirs
            or not alike(path, ours[path], theirs[path])
        }
        assert not other, f"path -> size here and from nothing: {other}"

    def shown(self, dataset: Dataset) -> dict[str, bytes]:
        """The results but for buckets that were made under other settings."""
        now = {"images", *self.buckets().values()}
        every = dataset.results()
        return {path: every[path] for path in every if path.partition("/")[0] in now}


class Faces(Histories):
    """On photos of people, with sidecars that only the user writes."""

    SETTINGS: ClassVar = {
        "path": "faces",
        "extract_faces": DLIB["extract_faces"],
        "cluster": DLIB["cluster"] | {"min_cluster_size": 2},
    }
    MADE: ClassVar = {"extract_faces": "faces", "cluster": "cluster"}
    SUFFIXES: ClassVar = ("_00", "_01")
    CHOICES: ClassVar = CLUSTER | {
        ("extract_faces", "max_size"): (48, None),
        ("extract_faces", "max_faces"): (1, None),
        ("extract_faces", "padding"): (False, True),
        ("extract_faces", "skip_partial"): (True, False),
        ("extract_faces", "min_quality"): (0.5, None),
        ("extract_faces", "from"): SOURCES,
        ("extract_faces", "to"): ("people", "faces"),
        ("extract_faces", "workers"): (2, 1),
    }


class Images(Histories):
    """On photos of things, which are clustered as they are."""

    SETTINGS: ClassVar = {
        "path": "images",
        "cluster": {"model": "efficientnet", "min_cluster_size": 2},
    }
    MADE: ClassVar = {"cluster": "cluster"}
    SUFFIXES: ClassVar = ("",)
    CHOICES: ClassVar = CLUSTER | {("cluster", "from"): SOURCES}


class Classes(Histories):
    """On photos of things, with sidecars that detect writes as well."""

    SETTINGS: ClassVar = {
        "path": "classes",
        "detect": {"classes": "red,green"},
        "extract_classes": {"classes": "red,green,mine"},
        "cluster": {"model": "efficientnet", "min_cluster_size": 2},
    }
    MADE: ClassVar = {"extract_classes": "crops", "cluster": "cluster"}
    SUFFIXES: ClassVar = ("_red", "_mine", "_green_00")
    CHOICES: ClassVar = CLUSTER | {
        ("detect", "threshold"): (0.7, 0.2),
        ("detect", "max_instances"): (1, 100),
        ("detect", "workers"): (2, 1),
        ("extract_classes", "margin"): (0.2, 0),
        ("extract_classes", "square"): (True, False),
        ("extract_classes", "min_score"): (0.8, None),
        ("extract_classes", "classes"): ("red", "red,green,mine"),
        ("extract_classes", "workers"): (2, 1),
    }

    @rule(classes=st.sampled_from(["red", None]))
    def clear(self, classes):
        values = self.settings("detect")
        values["detect"] = values["detect"] | {"clear": True, "classes": classes}
        self.work(settings=values)


class Chosen(Histories):
    """On photos of things, some of which are chosen."""

    SETTINGS: ClassVar = {
        "path": "select",
        "select": {"from": "images/*", "to": "curated", "workers": 1},
    }
    FEW: ClassVar = 2
    MADE: ClassVar = {"select": "curated"}
    SUFFIXES: ClassVar = ("",)
    CHOICES: ClassVar = {
        ("", "shard_size"): (1, 4),
        ("select", "to"): ("picked", "curated"),
        ("select", "from"): SOURCES,
        ("select", "best"): (3, 1, None),
        ("select", "max_detect"): ({"red": 0.5}, None),
        ("select", "link"): ("symbolic", "hard", "copy"),
    }


def people() -> list[bytes]:
    """Shots of three people, small enough to be worked on in no time."""
    import photos

    chance = np.random.default_rng(1)
    taken = []
    for name in ("hanks", "hopper", "collins"):
        package, file_name, _ = photos.SOURCES[name]
        photo = decode.read(photos.locate(package, file_name))
        (person,) = photos.find_people(name, photo, 1)
        taken += [encoded(photos.take(photo, person, chance)[0]) for _ in range(5)]
    return taken


def things() -> list[bytes]:
    """Photos of coloured things, one here, two there."""
    chance = np.random.default_rng(1)
    taken = []
    for i in range(15):
        x, y, size = (int(n) for n in chance.integers(2, 28, 3))
        found = {(x, y, x + size, y + size): ("red", "green")[i % 2]}
        found |= {(64 + x, y, 96, 60): "red"} if i % 3 else {}
        taken.append(encoded(Image.fromarray(colour_detector.photo(128, 64, found))))
    return taken


def encoded(picture: Image.Image) -> bytes:
    file = io.BytesIO()
    picture.save(file, "PNG" if picture.width == 128 else "JPEG")
    return file.getvalue()


KINDS = {Faces: people, Images: things, Classes: things, Chosen: things}


@pytest.fixture(scope="module", params=KINDS, ids=lambda kind: kind.__name__.lower())
def kind(request, colours) -> type[Histories]:
    kind = request.param
    if kind is Classes:
        Classes.SETTINGS["detect"]["weights"] = str(colours)
    return kind


@pytest.fixture(scope="module")
def start(kind, tmp_path_factory) -> tuple[Dataset, list[bytes]]:
    """A dataset with a run behind it, and contents for more photos."""
    pool = KINDS[kind]()
    dataset = Dataset(tmp_path_factory.mktemp("start") / "crowd")
    places = [f"{folder}/{name}" for name in NAMES for folder in FOLDERS]
    for i, place in enumerate(places[::2]):
        path = dataset.folder / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(pool[i])
    dataset.run(settings=kind.SETTINGS)
    return dataset, pool


def test_any_history_ends_where_a_run_from_nothing_does(
    kind, start, tmp_path, survived, long
):
    """Always the same few histories; with --long many others, which differ each time."""
    run_state_machine_as_test(
        lambda: kind(*start, tmp_path / "history", survived),
        settings=settings(
            max_examples=100 if long else kind.FEW,
            stateful_step_count=14,
            derandomize=not long,
            phases=[Phase.explicit, Phase.reuse, Phase.generate],
            suppress_health_check=list(HealthCheck),
            deadline=None,
            print_blob=True,
        ),
    )


@pytest.mark.parametrize("what", [".dtst", "ledger"])
def test_a_state_that_is_lost_amid_edits(kind, start, tmp_path, survived, what):
    """A history of which every step matters for whose a file is."""
    history = kind(*start, tmp_path / "history", survived)
    first, second, third, fourth, *_ = range(len(history.photos()))
    history.edit_sidecar(first, "license")
    history.edit_sidecar(second, "license")
    history.run()
    history.edit_sidecar(len(history.photos()) * 2, "rating")  # of what was made
    history.lose_all_memory(what)
    history.edit_sidecar(first, "license")
    history.delete_sidecar(second)
    history.overwrite_photo(third, 7)
    history.delete_photo(fourth)
    for where in range(4):
        history.put_own_file_with_a_provenance("s.jpg", where, where)
    history.delete_sidecar_of_what_was_made(2)
    history.teardown()
