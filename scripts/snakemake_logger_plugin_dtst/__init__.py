"""Snakemake logger plugin `dtst`: a bar of images for every rule at work.

Jobs tell how many of their images are done in small files (`dtst_flow.runtime.job`);
this handler reads them twice a second. Of Snakemake's own messages it lets through
warnings, errors and that there was nothing to do.
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
    TextColumn,
    TimeRemainingColumn,
)
from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.common import LogEvent


def read_progress(folder: Path) -> dict[str, Counter]:
    """Rule -> its images' counts (total, done, computed, failed), over all its jobs."""
    rules: dict[str, Counter] = {}
    for path in sorted(folder.glob("*.json")):
        try:
            counts = json.loads(path.read_bytes())
        except (OSError, ValueError):
            continue  # withdrawn between listing and reading
        rules.setdefault(path.name.partition(".")[0], Counter()).update(counts)
    return rules


class LogHandler(LogHandlerBase):
    """Draws the bars while jobs run."""

    def __post_init__(self) -> None:
        self.console = Console(stderr=True)
        self.bars = Progress(
            TextColumn("{task.description:14}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("images"),
            TimeRemainingColumn(),
            console=self.console,
        )
        self.tasks: dict[str, int] = {}
        self.stopped = threading.Event()
        self.poller: threading.Thread | None = None

    def emit(self, record) -> None:
        """Take one message of Snakemake's."""
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
        # Snakemake imports every plugin, also where another checkout's workflow runs.
        from dtst_flow.utils.text import printable_lines

        self.console.print(printable_lines(text), markup=False, highlight=False)

    def close(self) -> None:
        """Draw the bars' last state."""
        if self.poller:
            self.stopped.set()
            self.poller.join()
            self._draw()
            self.bars.stop()
            self.poller = None
        super().close()

    def _poll(self) -> None:
        while not self.stopped.wait(0.5):
            self._draw()

    def _draw(self) -> None:
        # The workflow changes into the dataset's folder before any job runs.
        for rule, counts in read_progress(Path(".dtst/progress")).items():
            if rule not in self.tasks:
                self.tasks[rule] = self.bars.add_task(rule.replace("_", "-"))
            self.bars.update(
                self.tasks[rule], completed=counts["done"], total=counts["total"]
            )

    @property
    def writes_to_stream(self) -> bool:
        return True

    @property
    def writes_to_file(self) -> bool:
        return False

    @property
    def has_filter(self) -> bool:
        return True

    @property
    def has_formatter(self) -> bool:
        return True

    @property
    def needs_rulegraph(self) -> bool:
        return False
