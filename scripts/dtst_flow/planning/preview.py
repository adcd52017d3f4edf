"""What can be told of a run before it starts: its images, and what it would remove."""

from collections.abc import Iterator
from dataclasses import dataclass

from dtst_flow.annotations import beside
from dtst_flow.annotations.detections import known_sidecars
from dtst_flow.dataset import digests
from dtst_flow.dataset.scan import Listing
from dtst_flow.planning.plan import Plan
from dtst_flow.stages.contract import Row, Settings, Stage
from dtst_flow.utils.tables import read_table


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


def preview(plan: Plan, listing: Listing, known: digests.Known) -> Preview:
    """Look at what a run would start from, in the dataset's folder.

    Args:
        plan: What is to be run.
        listing: The source of its first stage.
        known: What `source_scan.known_files` tells of it.
    """
    stage = plan.stages[0]
    settings = plan.settings[stage.name]
    images = listing.images
    new = sum(path not in known.digests or path in known.edited for path in images)
    if not stage.makes_bucket:
        if settings["clear"]:
            return Preview(len(images), new)
        unusable = beside.unusable(images, known_sidecars(plan.bucket(stage.name)))
        why_not = beside.why_read_only(images)
        return Preview(len(images), new, unusable=tuple(unusable), read_only=why_not)
    if stage.going:
        going = stage.going(settings, listing.files)
        return Preview(len(images), new, going.there, going.going, going.why)
    there = gone = left_out = 0
    for path, made in _rows(plan, stage):
        there += len(made)
        if path not in listing.files:
            gone += len(made)
        else:
            left_out += sum(_is_left_out(stage, crop, settings) for crop in made)
    why = []
    if gone:
        why.append("their images are not in the source")
    if left_out:
        why.append("the settings leave them out")
    return Preview(len(images), new, there, gone + left_out, " or ".join(why))


def _rows(plan: Plan, stage: Stage) -> Iterator[tuple[str, list[Row]]]:
    """Yield the files that the last run made of each image, with what is noted of them.

    Tables nobody can read are skipped. Where .dtst is lost, the files themselves tell.
    """
    tables = sorted((plan.state(stage.name) / stage.table).glob("*.jsonl"))
    for table in tables:
        try:
            for row in filter(_is_row, read_table(table)):
                yield row["path"], [*row.get("crops", [row])]
        except (OSError, ValueError, LookupError, TypeError, RecursionError):
            continue
    if stage.evidence and not tables:
        for one in stage.ledgers(plan.bucket(stage.name)).found():
            yield one.image, [one.row.to_row()]


def _is_row(value: object) -> bool:
    return isinstance(value, dict)


def _is_left_out(stage: Stage, crop: Row, settings: Settings) -> bool:
    """Whether the settings leave a crop out, as far as is noted."""
    try:
        return stage.leaves_out(crop, settings)
    except (LookupError, TypeError, AttributeError):
        return False
