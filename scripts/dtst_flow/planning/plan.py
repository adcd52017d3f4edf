"""The plan: what a config asks for. Everything that the rules compute names from."""

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from dtst_flow.annotations.boxes import parse_classes
from dtst_flow.cluster import label_file
from dtst_flow.dataset import bucket_specs, cluster_list, digests
from dtst_flow.dataset.containment import (
    BadBucket,
    check_is_folder,
    check_no_escape,
    check_target,
    is_relative,
)
from dtst_flow.dataset.state import (
    STATE,
    StateGone,
    check_no_links,
    check_state,
    log_of,
    state_of,
)
from dtst_flow.embed import embedders
from dtst_flow.planning.pipelines import PIPELINES, resolve_defaults
from dtst_flow.planning.targets import check_folders, check_free
from dtst_flow.stages.contract import TABLES, Settings, Stage, options_of
from dtst_flow.stages.registry import STAGES
from dtst_flow.utils.files import digest_file


class PlanError(Exception):
    """A config that cannot be carried out; the message says why and what would do."""


class NothingToCluster(PlanError):
    """There is no image to cluster, perhaps as the commands before found nothing."""


@dataclass(frozen=True)
class Plan:
    """What a config asks for. Paths are relative to the dataset folder.

    Attributes:
        dataset: The dataset folder, absolute.
        path: What to run, a key of PIPELINES.
        settings: Stage -> its settings, complete, of all stages there are.
        strict: Whether one failed image fails the run.
    """

    dataset: Path
    path: str
    settings: dict[str, dict[str, Any]]
    strict: bool

    @property
    def stages(self) -> list[Stage]:
        """The stages to run, in order."""
        return [STAGES[name] for name in PIPELINES[self.path]]

    @property
    def buckets(self) -> dict[str, str]:
        """Stage -> its bucket, of the stages to run."""
        return {stage.name: self.bucket(stage.name) for stage in self.stages}

    def bucket(self, stage: str) -> str:
        """Return the bucket that a stage makes.

        detect makes none, it writes sidecars; and of a stage that does not take part
        nothing is made: no folder can bear the names that these get.
        """
        if stage not in PIPELINES[self.path]:
            return f"no-{stage}"
        return str(self.settings[stage].get("to", f".{stage}"))

    def state(self, stage: str) -> Path:
        """Return the folder with the state of a stage's bucket."""
        return state_of(self.bucket(stage))

    def inventory(self, stage: str) -> str:
        """Return the folder with the manifests of a stage's source."""
        return str(self.state(stage) / "inventory")

    def summary(self, stage: str) -> str:
        """Return the file by which a stage tells that its bucket is complete."""
        return str(self.state(stage) / "summary.json")

    def failures(self, stage: str) -> str:
        """Return the list of what a stage could not process."""
        return str(self.state(stage) / "failed.jsonl")

    def table(self, stage: str, shard: str = "{shard}", suffix: str = "jsonl") -> str:
        """Return the table of a stage's shard; that of each, by default, as a pattern."""
        return str(self.state(stage) / TABLES[stage] / f"{shard}.{suffix}")

    def failed(self, stage: str, shard: str = "{shard}") -> str:
        """Return the list of what of a shard could not be processed, as `table` does."""
        return str(self.state(stage) / "failed" / f"{shard}.jsonl")

    def log(self, rule: str, stage: str, *shard: str) -> str:
        """Return the log of a rule's job, for a stage or one shard of it."""
        return log_of(rule, self.bucket(stage), *shard)

    def before(self, stage: str) -> list[str]:
        """Return the stages that run before one, in order; of the last, its source is made."""
        names = [other.name for other in self.stages]
        return names[: names.index(stage)] if stage in names else []

    def summary_before(self, stage: str) -> list[str]:
        """Return the summary of the stage whose results are a stage's source, if any."""
        return [self.summary(other) for other in self.before(stage)[-1:]]

    def specs(self, stage: str) -> list[str]:
        """Return the source of a stage, as bucket specs. Raises PlanError."""
        settings = self.settings[stage]
        if settings["from"] is None:
            raise PlanError(f"{stage} needs a source: --from, or {stage}: from")
        try:
            specs = bucket_specs.parse_specs(settings["from"])
            if settings.get("people") is not None:
                specs = _with_people(specs, PurePosixPath(settings["people"]))
            named = specs
            specs = STAGES[stage].sources(self.dataset, specs)
            if "to" in settings:
                bucket_specs.check_apart([*named, *specs], self.bucket(stage))
        except BadBucket as error:
            raise PlanError(str(error)) from error
        return specs

    def listing(self, stage: str, shard_size: int) -> dict[str, Any]:
        """Return what `inventory.write` has to know to list a stage's images."""
        return {
            "specs": self.specs(stage),
            "cache": str(self.state(stage) / digests.FILE),
            "shard_size": shard_size,
            "with_sidecars": STAGES[stage].follows_sidecars,
            "max_file_size": self.settings[stage]["max_file_size"],
            "kind": STAGES[stage].reads.plural,
        }

    def labels(self) -> str | None:
        """Return the digest of what the user says of the clusters, None where nothing is.

        The file is no input of a rule: it may be dated ahead of the clock.
        """
        return digests.digest_of(Path(self.bucket("cluster")) / label_file.FILE)

    def clusters(self) -> str | None:
        """Return the digest of the clusters to choose from, None where there are none.

        The file is no input of a rule: it may be dated ahead of the clock.
        """
        source, *_ = bucket_specs.parse_specs(self.settings["select"]["from"])
        with suppress(OSError):
            return digest_file(Path(source) / cluster_list.FILE)
        return None

    def summaries_with_clusters(self) -> list[str]:
        """Return the summaries of all stages. Raises PlanError if none clusters."""
        if "cluster" not in self.buckets:
            raise PlanError(f"path {self.path} makes no clusters to report on")
        return [self.summary(stage) for stage in self.buckets]

    def stages_up_to(self, rule: str) -> list[str]:
        """Return the stage that a rule belongs to, after those before it; or none."""
        for stage in self.stages:
            if rule in (stage.rule, stage.collector, f"inventory_{stage.name}"):
                return [*self.before(stage.name), stage.name]
        return []

    def options(self, stage: str, kind: type | None = None) -> dict[str, Any]:
        """Return the settings that the results of a stage, or of one kind, depend on."""
        return asdict(options_of(kind or STAGES[stage].options, self.settings[stage]))

    def cluster_model(self) -> dict[str, Any]:
        """Return what clustering has to know of the model that images are compared by."""
        return asdict(embedders.MODELS[self.settings["cluster"]["model"]])


def make_plan(config: Mapping[str, Any]) -> Plan:
    """Make a plan of a complete config.

    Args:
        config: As the schema has it, with all defaults.

    Raises:
        PlanError: It cannot be carried out.
    """
    if not is_relative(config["dataset"]):
        raise PlanError(f"dataset {config['dataset']!r} is no folder below root")
    root = os.path.realpath(os.path.expanduser(config["root"]))
    settings = {name: dict(config[name]) for name in TABLES}
    settings |= resolve_defaults(config["path"], settings)
    for values in settings.values():
        if values.get("weights") is not None:
            values["weights"] = os.path.realpath(values["weights"])
    plan = Plan(
        Path(root, config["dataset"]), config["path"], settings, bool(config["strict"])
    )
    _check(plan)
    return plan


def check_installed(plan: Plan) -> None:
    """Refuse what the libraries installed here cannot do. Raises PlanError.

    Not where jobs run in environments of their own.
    """
    for stage in plan.stages:
        if fault := stage.lacks():
            raise PlanError(f"{stage.command}: {fault}")


def check_state_links(plan: Plan) -> None:
    """Refuse links in a dataset's state. Raises PlanError."""
    try:
        check_no_links(plan.dataset)
    except StateGone as error:
        raise PlanError(str(error)) from error


def _check(plan: Plan) -> None:
    """Refuse what cannot be carried out, whatever images there are. Raises PlanError."""
    detect: Settings = plan.settings["detect"]
    looks = "detect" in plan.buckets and not detect["clear"]
    if looks and not parse_classes(detect["classes"]):
        raise PlanError(
            "detect needs classes: --classes flower,leaf, or detect: classes"
        )
    if "cluster" in plan.buckets and plan.settings["cluster"]["people"] is not None:
        _check_people(plan)
    try:
        check_state(plan.dataset)
        for stage, bucket in plan.buckets.items():
            if STAGES[stage].makes_bucket:
                check_target(bucket)
                check_no_escape(plan.dataset, bucket)
                check_is_folder(plan.dataset, bucket)
                check_free(plan.dataset, bucket, STAGES[stage])
            # The state itself may be a link of the user's, to another disk.
            below = plan.state(stage).relative_to(STATE)
            check_no_escape(plan.dataset / STATE, str(below))
            check_folders(plan.dataset, bucket)
    except (BadBucket, StateGone) as error:
        raise PlanError(str(error)) from error


def _check_people(plan: Plan) -> None:
    """Refuse known people that cannot be compared or found. Raises PlanError."""
    cluster = plan.settings["cluster"]
    folder = cluster["people"]
    if not embedders.MODELS[cluster["model"]].points:
        raise PlanError(
            f"--people needs a model that compares faces, arcface or dlib; "
            f"{cluster['model']} compares whole images"
        )
    if not is_relative(folder) or not (plan.dataset / folder).is_dir():
        raise PlanError(
            f"--people {folder!r} is no folder in {plan.dataset}: it holds a folder of "
            "photos for each person you know, such as people/Ann/1.jpg"
        )


def _with_people(specs: list[str], folder: PurePosixPath) -> list[str]:
    """Add the photos of known people to a source. Raises PlanError if it has them."""
    for spec in specs:
        if PurePosixPath(spec).is_relative_to(folder):
            raise PlanError(
                f"--from '{spec}' is in --people '{folder}', whose photos are compared "
                "with those of the source and not grouped; choose another source"
            )
    return [*specs, f"{folder}/*"]
