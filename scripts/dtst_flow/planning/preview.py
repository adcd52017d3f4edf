"""What can be told of a run before it starts: its images, and what it would remove."""

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import unquote

from dtst_flow.annotations import boxes
from dtst_flow.annotations.crop_names import class_of
from dtst_flow.dataset import inventory
from dtst_flow.planning.plan import Plan
from dtst_flow.planning.staleness import source_listing
from dtst_flow.stages.contract import Settings, Stage
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
    """

    images: int
    new: int
    there: int = 0
    going: int = 0
    why: str = ""

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
        return Preview(len(images), new)
    rows = list(_rows(plan, stage))
    there = sum(len(names) for _, names in rows)
    gone = sum(len(names) for path, names in rows if path not in listing.files)
    here = [names for path, names in rows if path in listing.files]
    left_out = sum(_left_out(stage.name, settings, names) for names in here)
    why = []
    if gone:
        why.append("their images are not in the source")
    if left_out:
        why.append("the settings leave them out")
    return Preview(len(images), new, there, gone + left_out, " or ".join(why))


def _rows(plan: Plan, stage: Stage) -> Iterator[tuple[str, list[str]]]:
    """Yield what the last run made of each image; tables nobody can read are skipped."""
    for table in sorted((plan.state(stage.name) / stage.table).glob("*.jsonl")):
        try:
            for row in read_table(table):
                crops = row.get("crops")
                names = [row["path"]] if crops is None else [c["path"] for c in crops]
                yield row["path"], names
        except (OSError, ValueError, LookupError, TypeError, RecursionError):
            continue


def _left_out(stage: str, settings: Settings, names: list[str]) -> int:
    """How many crops of an image the settings ask for no more."""
    if stage == "extract_faces" and settings["max_faces"] is not None:
        return max(0, len(names) - int(settings["max_faces"]))
    asked = boxes.parse_classes(settings.get("classes"))
    if stage == "extract_classes" and asked is not None:
        classes = (unquote(class_of(name)) for name in names)
        return sum(not any(boxes.match(a, [c]) for a in asked) for c in classes)
    return 0
