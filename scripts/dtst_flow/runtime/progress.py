"""How far one job is, kept in a file for whoever watches."""

from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from time import monotonic

from dtst_flow.dataset.state import PROGRESS
from dtst_flow.runtime.meter import Meter
from dtst_flow.utils.files import read_json, to_json, write_atomic

SLOW = ".slow"
"""The suffix of lists of images that are taking long, beside the progress."""


class Progress:
    """How far one job is.

    Attributes:
        path: Of the file.
        meter: What the job costs.
        counts: Of its images: total, done, computed, failed.
    """

    def __init__(self, rule: str, part: str, total: int, at_once: int = 1):
        """Begin to count.

        Args:
            rule: The job's rule.
            part: Its shard.
            total: Its number of images.
            at_once: Images that are worked on at once, as the `Meter` has it.
        """
        self.path = PROGRESS / f"{rule}.{part}.json"
        self.meter = Meter(at_once)
        # By an attempt in the same run that was cut off; a run begins without such files.
        before = read_json(self.path)["computed"] if self.path.exists() else 0
        self.counts = {"total": total, "done": 0, "computed": before, "failed": 0}
        self._told = 0.0
        self._slow: list[str] = []
        self.tell()

    def tick(self, computed: bool = False, failed: bool = False) -> None:
        """Count one image as done."""
        self.counts["done"] += 1
        self.counts["computed"] += computed
        self.counts["failed"] += failed
        self.meter.tick(computed)
        if monotonic() - self._told > 0.5:
            self.tell()

    def slow(self, images: Iterable[str]) -> None:
        """Name the images that are taking long now."""
        now = sorted(images)
        if now != self._slow:
            self._slow = now
            write_atomic(self.path.with_suffix(SLOW), to_json(now))

    def tell(self) -> None:
        """Write the file, and beside it what the job has cost."""
        self._told = monotonic()
        write_atomic(self.path, to_json(self.counts))
        self.meter.note(self.path)


def slow_of(folder: Path) -> list[tuple[str, str]]:
    """List the rules that have been at an image for long, each with the image."""
    found = []
    for path in sorted(folder.glob(f"*{SLOW}")):
        with suppress(OSError, ValueError):  # removed between listing and reading
            found += [(path.name.partition(".")[0], name) for name in read_json(path)]
    return found


def counts_of(folder: Path) -> dict[str, Counter[str]]:
    """Add up the progress of all jobs.

    Args:
        folder: Where jobs write it, a JSON file of counts for each.

    Returns:
        Rule -> counts of its images: total, done, computed, failed.
    """
    rules: dict[str, Counter[str]] = {}
    for path in sorted(folder.glob("*.json")):
        try:
            counts = read_json(path)
        except (OSError, ValueError):
            continue  # removed between listing and reading
        rules.setdefault(path.name.partition(".")[0], Counter()).update(counts)
    return rules
