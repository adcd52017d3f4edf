"""What the rest of the workflow asks of a stage, and the files of one of its jobs."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol, TypeVar

from dtst_flow.dataset.evidence import Evidence
from dtst_flow.dataset.image_names import IMAGES, Kind
from dtst_flow.dataset.ledger import Ledgers
from dtst_flow.dataset.state import state_of
from dtst_flow.stages.shards import Shard, Tally

Settings = Mapping[str, Any]
"""All settings of a stage, by their names in the config."""

Row = dict[str, Any]
"""A row of a stage's table."""

Chosen = TypeVar("Chosen")

HERE = Path()
"""The dataset's folder, in which jobs run."""

TABLES = {
    "extract_frames": "frames",
    "extract_faces": "faces",
    "detect": "detections",
    "extract_classes": "classes",
    "cluster": "embeddings",
    "select": "measures",
}
"""Stage, in the order of use -> the folder of its tables, in the state of its bucket."""


class _Snakemake(Protocol):
    """The object that Snakemake gives a script."""

    input: Any
    output: Any
    threads: int


@dataclass(frozen=True)
class ShardJob:
    """The files of one job, relative to the dataset folder in which it runs.

    Attributes:
        manifest: The table of the shard's images.
        table: Written: a row for every image that was processed.
        failed: Written: a row for every image that could not be processed.
        array: Written by embed: the vectors, in the order of `table`.
        vocabulary: Read by detect: what the classes mean to its model; without it the job
            itself asks the model.
        workers: Processes that work on the images.
    """

    manifest: str
    table: str
    failed: str
    array: str = ""
    vocabulary: str = ""
    workers: int = 1

    @classmethod
    def of(cls, snakemake: _Snakemake) -> "ShardJob":
        """Return the job that a rule's script runs for."""
        return cls(
            manifest=snakemake.input.manifest,
            table=snakemake.output.table,
            failed=snakemake.output.failed,
            array=snakemake.output.get("array", ""),
            vocabulary=snakemake.input.get("vocabulary", ""),
            workers=snakemake.threads,
        )

    @property
    def shard(self) -> str:
        """The shard's name."""
        return Path(self.manifest).stem


@dataclass(frozen=True)
class Committed:
    """What a stage leaves when all its shards are done.

    Attributes:
        contents: What names the results of each shard, or of all under one name, by
            `shards.content_of`; numbers that add up.
        removed: Paths of results of earlier runs that are gone now, in the bucket.
        restored: Paths of those that the user had edited or deleted and that are back.
    """

    contents: Mapping[str, int]
    removed: list[str]
    restored: list[str]


@dataclass(frozen=True)
class Pending:
    """What a stage has left to do.

    Attributes:
        images: Paths of the images to compute.
        said: The same in words, where that is more than a number of images; more about
            it in further lines.
    """

    images: list[str]
    said: str = ""


class WouldFail(Exception):
    """A run would fail, and change nothing; the message says why."""


@dataclass(frozen=True)
class Going:
    """What a run would remove.

    Attributes:
        there: Files of the last run.
        going: How many of these would go.
        why: Why, in words.
    """

    there: int = 0
    going: int = 0
    why: str = ""


@dataclass(frozen=True)
class Stage:
    """What there is to know of a stage. `stages.registry` holds all of them.

    Attributes:
        name: Its section of the config, such as "extract_faces".
        rule: The rule that works image by image.
        collector: The rule that sums up.
        options: A frozen dataclass of the settings that its results depend on.
        models: Settings -> the models that it runs, by their names in the registry, each
            with the file to use instead. Raises ModelError.
        code: Settings -> the modules that its results depend on, besides its own and what
            that imports.
        cost_keys: Its rules that work on images -> the settings that decide how fast. A
            rule besides `rule` works on all images of the bucket at once.
        run: Does the work of one job.
        pending: Settings and images (path -> digest of the content) -> what is left to
            do. Only reads. Raises WouldFail.
        damaged_shards: The bucket -> the shards of which the user edited or deleted
            results since, or whose failures have lost their cause.
        tally: A row of its tables -> what is counted of it, by names.
        describe: What was counted in all rows -> the same in plain words, a sentence an
            item. None where a rule of its own sums up.
        commit: The shards, the rows of the images that failed, and the bucket -> removes
            what is no longer wanted. None as for `describe`.
        missing: What was counted -> why that is not to be summed up, as what was asked for
            is in no image; nothing is removed then.
        leaves_out: A crop as a row of its tables has it, and settings -> whether they leave
            that crop out.
        unfit: Settings and the images and sidecars of its source -> why it has nothing to
            do there, as what was asked for can be in none; "" if it has.
        sources: The dataset's folder and the buckets that are named as a source -> those
            that hold its images.
        going: Settings and the images and sidecars of its source -> what a run would
            remove. None where each file is of one image, and `leaves_out` tells.
        evidence: The bucket -> what the files in it say of whose they are. None where it
            makes none.
        runtimes: Settings -> its rules that may run on a GPU, each with the libraries that
            `gpu.fault` knows and any of which does that.
        follows_sidecars: Whether a change of an image's sidecar counts.
        reads: What its source has, which is called image here and elsewhere.
        lacks: What is not installed that it cannot do without, and how to have it; "" where
            nothing is.
    """

    name: str
    rule: str
    collector: str
    options: type
    models: Callable[[Settings], dict[str, str | None]]
    code: Callable[[Settings], tuple[ModuleType, ...]]
    cost_keys: dict[str, tuple[str, ...]]
    run: Callable[[ShardJob, Settings], None]
    pending: Callable[[Settings, dict[str, str]], Pending]
    damaged_shards: Callable[[str], list[str]]
    tally: Callable[[Row], Mapping[str, int]] = lambda row: {}
    describe: Callable[[Tally], list[str]] | None = None
    commit: Callable[[Mapping[str, Shard], list[Row], str], Committed] | None = None
    missing: Callable[[Tally], str] | None = None
    leaves_out: Callable[[Row, Settings], bool] = lambda crop, settings: False
    unfit: Callable[[Settings, Collection[str]], str] = lambda settings, files: ""
    sources: Callable[[Path, list[str]], list[str]] = lambda dataset, specs: specs
    going: Callable[[Settings, Collection[str]], Going] | None = None
    evidence: Callable[[str | Path], Evidence] | None = None
    runtimes: Callable[[Settings], dict[str, tuple[str, ...]]] = lambda settings: {}
    follows_sidecars: bool = True
    reads: Kind = IMAGES
    lacks: Callable[[], str] = lambda: ""

    @property
    def table(self) -> str:
        """The folder of its tables, in the state of its bucket."""
        return TABLES[self.name]

    @property
    def rules(self) -> tuple[str, str]:
        """The rules whose jobs are known when its images are listed."""
        return self.rule, self.collector

    @property
    def command(self) -> str:
        """What the user calls it."""
        return self.name.replace("_", "-")

    @property
    def makes_bucket(self) -> bool:
        """Whether it writes a folder of images, instead of sidecars."""
        return self.name != "detect"

    @property
    def makes_crops(self) -> bool:
        """Whether its tables hold crops of each image."""
        return self.makes_bucket and self.commit is not None

    def ledgers(self, bucket: str, dataset: Path = HERE) -> Ledgers:
        """Return the ledgers of a bucket that it makes.

        Args:
            bucket: The bucket.
            dataset: The dataset's folder.
        """
        folder = dataset / bucket
        evidence = self.evidence(folder) if self.evidence else None
        return Ledgers(folder, dataset / state_of(bucket), evidence)


def options_of(kind: type[Chosen], settings: Settings) -> Chosen:
    """Return the options of a stage among its settings."""
    names: Iterable[str] = (field.name for field in fields(kind))  # type: ignore[arg-type]
    return kind(**{name: settings[name] for name in names})
