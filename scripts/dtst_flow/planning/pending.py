"""What a stage has left to do, counted without writing anything."""

from dataclasses import dataclass, field, replace

from dtst_flow.dataset import digests
from dtst_flow.dataset.containment import BadBucket
from dtst_flow.dataset.scan import Listing, scan
from dtst_flow.planning.plan import Plan
from dtst_flow.stages.contract import Pending, Settings, Stage, WouldFail
from dtst_flow.stages.crops import CropStats


@dataclass(frozen=True)
class StageWork:
    """What a stage would do.

    Attributes:
        stage: The stage.
        settings: All of its settings.
        said: What it would do, in words.
        files: The files of its source, sidecars too: path -> bytes.
        todo: The images to compute.
    """

    stage: Stage
    settings: Settings
    said: str
    files: dict[str, float] = field(default_factory=dict)
    todo: list[str] = field(default_factory=list)

    @property
    def images(self) -> list[str]:
        """Paths of all images in its source."""
        return [path for path in self.files if not path.endswith(".json")]

    def after(self, before: "StageWork", crops: CropStats) -> "StageWork":
        """Return what it would do once the stage before has made crops as it does."""
        if before.stage.makes_bucket:
            bucket = before.settings["to"]
            gone = {
                f"{bucket}/{c}" for i in before.todo for c in crops.crops.get(i, ())
            }
            count = round(len(before.todo) * crops.per_image)
            new = {f"{bucket}/to come {number}": crops.size for number in range(count)}
        else:
            new = {image: before.files[image] for image in before.todo}
            gone = set(new)
        if not new:
            return self
        what = "new or changed" if self.files else "to come"
        return replace(
            self,
            said=f"{self.said}; about {len(new)} {what}",
            files={p: size for p, size in self.files.items() if p not in gone} | new,
            todo=[*(path for path in self.todo if path not in gone), *new],
        )


def count(plan: Plan, stage: Stage, listing: Listing | None = None) -> StageWork:
    """Count what a stage of a plan would do.

    Args:
        plan: What is to be run.
        stage: A stage of it.
        listing: The stage's source, if it was listed already.

    Raises:
        ModelError: A model is missing.
        WouldFail: The stage would fail for what its source is now.
    """
    settings = plan.settings[stage.name]
    try:
        listing = listing or scan(
            ".", plan.specs(stage.name), settings["max_file_size"], kind=stage.reads
        )
    except BadBucket:
        return StageWork(stage, settings, f"{settings['from']} is not there yet")
    images = {path: listing.files[path] for path in listing.images}
    known = plan.state(stage.name) / digests.FILE
    content = digests.digests(".", images, known, keep=False)
    try:
        pending = stage.pending(settings, content)
    except WouldFail as error:
        if stage is plan.stages[0]:
            raise
        pending = Pending([], str(error))  # a stage before may mend it
    todo, rest = pending.images, len(content) - len(pending.images)
    said = pending.said or f"{len(todo)} to compute, {rest} known from records"
    files = {path: float(file.size) for path, file in listing.files.items()}
    return StageWork(
        stage, settings, f"{len(images)} {stage.reads.plural}, {said}", files, todo
    )
