"""What can be told of a run before it starts: its images, and what it would remove."""

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import unquote

from dtst_flow.annotations import beside, boxes
from dtst_flow.annotations.crop_names import class_of
from dtst_flow.annotations.detections import known_sidecars
from dtst_flow.dataset import inventory
from dtst_flow.faces.quality import missed_limit
from dtst_flow.planning.plan import Plan
from dtst_flow.planning.staleness import source_listing
from dtst_flow.stages.contract import Row, Settings, Stage
from dtst_flow.utils.files import read_table


@dataclass(frozen=True)
class Preview:
    """What a run is about, told by its first stage.

    Attributes:
        images: How many are in its source.
        new: How many of them are new or changed since they were last listed.
        there: Files of the last run in its bucket.
        going: How many of these a run would remove, as no image or setting asks for them.
        why: Why they would go, in words.
        unusable: Why detect cannot write into sidecars, a sentence for each.
        read_only: Why it can write into none of a folder, if there is one.
    """

    images: int
    new: int
    there: int = 0
    going: int = 0
    why: str = ""
    unusable: tuple[str, ...] = ()
    read_only: str | None = None

    def without_boxes(self) -> str:
        """Say that detect leaves photos as they are; nothing where it leaves none."""
        if not self.unusable:
            return ""
        first, *more = self.unusable
        rest = f"; and {len(more)} more" if more else ""
        return f"detect writes no boxes there: {first}{rest}"

    def removal(self, verb: str) -> str:
        """Say what a run will or would remove; nothing where it removes nothing."""
        if not self.going:
            return ""
        files = f"{self.going} of the {self.there} files of the run before"
        return f"{files} {verb} be removed: {self.why}"


def preview(plan: Plan) -> Preview:
    """Look at what a run would start from, in the dataset's folder.

    Raises:
        PlanError: The source does not exist, or has no image.
    """
    stage = plan.stages[0]
    settings = plan.settings[stage.name]
    listing = source_listing(plan, stage.name)
    images, digests = listing.images, plan.state(stage.name) / inventory.DIGESTS
    known, _ = inventory.known_digests(listing.files, digests)
    new = sum(path not in known for path in images)
    if not stage.makes_bucket:
        if settings["clear"]:
            return Preview(len(images), new)
        unusable = beside.unusable(images, known_sidecars(plan.bucket(stage.name)))
        why_not = beside.why_read_only(images)
        return Preview(len(images), new, unusable=tuple(unusable), read_only=why_not)
    there = gone = left_out = 0
    for path, made in _rows(plan, stage):
        there += len(made)
        if path not in listing.files:
            gone += len(made)
        else:
            left_out += _left_out(stage.name, settings, made)
    why = []
    if gone:
        why.append("their images are not in the source")
    if left_out:
        why.append("the settings leave them out")
    return Preview(len(images), new, there, gone + left_out, " or ".join(why))


def _rows(plan: Plan, stage: Stage) -> Iterator[tuple[str, list[Row]]]:
    """Yield the files that the last run made of each image, with what is noted of them.

    Tables nobody can read are skipped.
    """
    for table in sorted((plan.state(stage.name) / stage.table).glob("*.jsonl")):
        try:
            for row in read_table(table):
                made = row.get("crops", [row])
                yield row["path"], [crop | {"path": str(crop["path"])} for crop in made]
        except (OSError, ValueError, LookupError, TypeError, RecursionError):
            continue


def _left_out(stage: str, settings: Settings, crops: list[Row]) -> int:
    """How many crops of an image the settings ask for no more."""
    if stage == "extract_faces":
        return sum(_is_left_out(crop, settings) for crop in crops)
    asked = boxes.parse_classes(settings.get("classes"))
    if stage == "extract_classes" and asked is not None:
        classes = (unquote(class_of(crop["path"])) for crop in crops)
        return sum(not any(boxes.match(a, [c]) for a in asked) for c in classes)
    return 0


def _is_left_out(crop: Row, settings: Settings) -> bool:
    """Whether the settings ask for the crop of a face no more, as far as is noted."""
    try:
        rank = int(crop["path"].removesuffix(".jpg").rpartition("_")[2])
        beyond = settings["max_faces"] is not None and rank >= settings["max_faces"]
        return beyond or bool(missed_limit(crop.get("metrics", {}), settings))
    except (ValueError, LookupError, TypeError, AttributeError):
        return False
