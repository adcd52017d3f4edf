"""Snakemake logger plugin `dtst`: a progress bar of images for every running rule.

Jobs write into small files how many of their images are done (`dtst_flow.runtime.job`);
this handler reads them twice a second. Of Snakemake's own messages it shows warnings,
errors, and the one that nothing had to be done.
"""

import json
import logging
import threading
from collections import Counter
from pathlib import Path

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.common import LogEvent


def read_progress(folder: Path) -> dict[str, Counter[str]]:
    """Add up the progress of all jobs.

    Args:
        folder: Where jobs write it, a JSON file of counts for each.

    Returns:
        Rule -> counts of its images: total, done, computed, failed.
    """
    rules: dict[str, Counter[str]] = {}
    for path in sorted(folder.glob("*.json")):
        try:
            counts = json.loads(path.read_bytes())
        except (OSError, ValueError):
            continue  # removed between listing and reading
        rules.setdefault(path.name.partition(".")[0], Counter()).update(counts)
    return rules


class LogHandler(LogHandlerBase):
    """Draws the bars while jobs run.

    Attributes:
        console: Where all goes, stderr.
        bars: The bars.
        tasks: Rule -> its bar.
        stopped: Set when the bars are no longer drawn.
        poller: The thread that draws them; None before and after.
    """

    def __post_init__(self) -> None:
        """Prepare the bars; Snakemake's base class calls this."""
        self.console = Console(stderr=True)
        self.bars = Progress(
            TextColumn("{task.description:14}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("images"),
            TimeRemainingColumn(),
            console=self.console,
        )
        self.tasks: dict[str, TaskID] = {}
        self.stopped = threading.Event()
        self.poller: threading.Thread | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """Show one of Snakemake's messages, or start the bars by it."""
        event = getattr(record, "event", None)
        if event == LogEvent.RUN_INFO and self.poller is None:
            self.bars.start()
            self.poller = threading.Thread(target=self._poll, daemon=True)
            self.poller.start()
        elif event == LogEvent.JOB_ERROR:
            log = ", ".join(getattr(record, "log", None) or [])
            rule = getattr(record, "rule_name", None) or "a job"
            self.console.print("[red]failed:[/]", end=" ")
            self._tell(f"{rule}; see {log}")
        elif event is None:
            message = record.getMessage()
            if record.levelno >= logging.WARNING or message.startswith("Nothing to be"):
                self._tell(message)

    def _tell(self, text: str) -> None:
        """Print a message above the bars."""
        # Snakemake imports every plugin, also where another checkout's workflow runs.
        from dtst_flow.utils.text import printable_lines

        self.console.print(printable_lines(text), markup=False, highlight=False)

    def close(self) -> None:
        """Draw the bars a last time and stop."""
        if self.poller:
            self.stopped.set()
            self.poller.join()
            self._draw()
            self.bars.stop()
            self.poller = None
        super().close()

    def _poll(self) -> None:
        """Draw the bars twice a second until they are stopped."""
        while not self.stopped.wait(0.5):
            self._draw()

    def _draw(self) -> None:
        """Bring the bars up to date with the files of the jobs."""
        # The workflow changes into the dataset's folder before any job runs.
        for rule, counts in read_progress(Path(".dtst/progress")).items():
            if rule not in self.tasks:
                self.tasks[rule] = self.bars.add_task(rule.replace("_", "-"))
            self.bars.update(
                self.tasks[rule], completed=counts["done"], total=counts["total"]
            )

    @property
    def writes_to_stream(self) -> bool:
        """Whether it writes to stderr."""
        return True

    @property
    def writes_to_file(self) -> bool:
        """Whether it writes to a file."""
        return False

    @property
    def has_filter(self) -> bool:
        """Whether it chooses messages itself."""
        return True

    @property
    def has_formatter(self) -> bool:
        """Whether it formats messages itself."""
        return True

    @property
    def needs_rulegraph(self) -> bool:
        """Whether it needs the graph of rules."""
        return False
