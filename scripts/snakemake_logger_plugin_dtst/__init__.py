"""Snakemake logger plugin `dtst`: tells the ``dtst`` that started a run what happens.

All of Snakemake's own messages are in its log, .snakemake/log; ``dtst -v`` shows them.
"""

import logging
import os

from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.common import LogEvent


class LogHandler(LogHandlerBase):
    """Turns Snakemake's messages into events."""

    def __post_init__(self) -> None:
        """Prepare nothing; Snakemake's base class calls this."""

    def emit(self, record: logging.LogRecord) -> None:
        """Tell of one of Snakemake's messages, if it matters."""
        # Snakemake imports every plugin, also where another checkout's workflow runs.
        from dtst_flow.runtime.events import tell

        event = getattr(record, "event", None)
        values = vars(record)
        if event == LogEvent.JOB_INFO:
            tell("began", job=values["jobid"], rule=values["rule_name"])
        elif event == LogEvent.JOB_FINISHED:
            tell("ended", job=values["job_id"])
        elif event in (LogEvent.JOB_ERROR, LogEvent.GROUP_ERROR):
            logs = [str(path) for path in values.get("log") or ()]
            tell("failed", rule=values.get("rule_name") or "", logs=logs)
        elif event == LogEvent.ERROR:
            tell("error", text=record.getMessage())

    @property
    def writes_to_stream(self) -> bool:
        """Whether it takes the place of Snakemake's own output."""
        from dtst_flow.runtime.events import VERBOSE

        return VERBOSE not in os.environ

    @property
    def writes_to_file(self) -> bool:
        """Whether it writes to a file of its own."""
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
