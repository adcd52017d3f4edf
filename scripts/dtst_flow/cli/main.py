"""The commands of ``dtst``."""

import functools
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from dtst_flow import __version__
from dtst_flow.cli import settings
from dtst_flow.cli.check import check
from dtst_flow.cli.console import Interrupted, Voice, tell
from dtst_flow.cli.diff import diff
from dtst_flow.cli.models import models
from dtst_flow.cli.report import report
from dtst_flow.cli.request import Request
from dtst_flow.planning.pipelines import PIPELINES

WHOLE = ("faces", "images", "classes")
"""The paths of ``dtst run``."""

ASKED = ("from", "classes")
"""Settings of its first stage that a path of several has flags for."""


class Commands(click.Group):
    """Lists commands in the order of use."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order in which the commands were added."""
        return list(self.commands)

    def main(self, *args: Any, standalone_mode: bool = True, **more: Any) -> Any:
        """Run a command; an error is one message, last on screen."""
        call: Callable[[], Any] = functools.partial(
            super().main, *args, standalone_mode=False, **more
        )
        if not standalone_mode:
            return call()
        try:
            code: Any = call()
        except click.ClickException as error:
            code = tell(error)
        except click.Abort:
            code = tell(Interrupted("interrupted; nothing was begun"))
        sys.exit(code if isinstance(code, int) else 0)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def main() -> None:
    """Turn folders of photos into structured image datasets.

    Everything of a dataset lies in its folder, such as scratch/crowd; photos go into
    folders in it, called buckets. A rerun does work only for images that changed.
    """


class Cores(click.ParamType[str]):
    """A number of cores from 1 on, or ``all``."""

    name = "integer|all"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> str:
        """Return the word that Snakemake takes."""
        word = str(value).lower()
        if word != "all" and not (word.isascii() and word.isdecimal() and int(word)):
            self.fail(f"{value!r} is neither a number from 1 on nor 'all'", param, ctx)
        return word


COMMON = [
    click.Argument(["config_file"], required=False, metavar="[CONFIG.yaml]"),
    click.Argument(["passed_on"], nargs=-1, metavar="[-- SNAKEMAKE OPTIONS]"),
    click.Option(["-d", "--working-dir"], help=settings.DATASET_HELP),
    click.Option(
        ["-n", "--dry-run"],
        is_flag=True,
        help="Say what would be done, how many images computed, and what time, disk and "
        "memory that takes; do nothing.",
    ),
    click.Option(
        ["--strict/--no-strict"],
        default=None,
        help="Exit with 1 when any image failed.  [default: only when all did]",
    ),
    click.Option(
        ["--gpu/--no-gpu"],
        default=None,
        help="Ask for a GPU.  [default: where this machine has one]",
    ),
    click.Option(
        ["--cores"],
        type=Cores(),
        help="Processor cores to use, or all.  [default: all]",
    ),
    click.Option(
        ["--profile"], help="Snakemake profile, such as slurm or a folder of your own."
    ),
    click.Option(
        ["--unlock"],
        is_flag=True,
        help="First remove a lock of which dtst cannot tell whether its run was killed.",
    ),
    click.Option(
        ["-y", "--yes"],
        is_flag=True,
        help="Do not ask before more than half of the target's files are removed.",
    ),
    click.Option(
        ["-v", "--verbose"], is_flag=True, help="Show all that Snakemake says."
    ),
    click.Option(["-q", "--quiet"], is_flag=True, help="Show errors only."),
    click.Option(
        ["--json", "as_json"],
        is_flag=True,
        help="Write one JSON object to stdout at the end, and nothing else.",
    ),
]


def stage_command(section: str) -> click.Command:
    """The command that runs one stage alone."""

    def call(**values: object) -> None:
        request = _request(section.replace("_", "-"), (section,), values)
        _run(request)

    return _command(
        section.replace("_", "-"),
        call,
        [*COMMON, *settings.options(section)],
        settings.schema()[section]["description"],
    )


def path_command(path: str) -> click.Command:
    """The command that runs all stages of a path.

    It has flags for all settings of a single stage; of several stages for what is asked
    of the first, as more would be ambiguous.
    """
    stages = PIPELINES[path]

    def call(**values: object) -> None:
        _run(_request(path, stages, values))

    steps = ", then ".join(stage.replace("_", "-") for stage in stages)
    text = f"Run {steps}. Settings come from CONFIG.yaml, one block per command."
    flags = settings.options(stages[0])
    if len(stages) > 1:
        flags = [flag for flag in flags if flag.name in ASKED]
    return _command(path, call, [*COMMON, *flags], text)


def _command(
    name: str, call: Callable[..., None], params: list[click.Parameter], text: str
) -> click.Command:
    return click.Command(name, callback=call, params=params, help=text)


def _request(path: str, stages: tuple[str, ...], values: dict[str, Any]) -> Request:
    """Settings of the config file, overridden by those of the command line."""
    working_dir: str | None = None
    blocks: settings.Blocks = {stage: {} for stage in stages}
    config_file, passed_on = _positional(values)
    if config_file:
        working_dir, blocks = settings.read_yaml(config_file, list(stages))
    blocks[stages[0]] |= {
        name: values[name]
        for name in settings.schema()[stages[0]]["properties"]
        if values.get(name) is not None
    }
    for block in blocks.values():
        if block.get("weights") is not None:
            block["weights"] = os.path.realpath(os.path.expanduser(block["weights"]))
    cluster = blocks.get("cluster", {})
    force = []
    if cluster.get("cache") is False:
        force.append("embed")
    if cluster.get("clean"):
        force.append("cluster")
    return Request(
        dataset=Path(values["working_dir"] or working_dir or "."),
        path=path,
        settings=blocks,
        strict=values["strict"],
        gpu=values["gpu"],
        dry_run=values["dry_run"],
        unlock=values["unlock"],
        cores=values["cores"],
        profile=values["profile"],
        force=tuple(force),
        passed_on=passed_on,
        voice=Voice(values["verbose"], values["quiet"], values["as_json"]),
        yes=values["yes"],
    )


def _positional(values: dict[str, Any]) -> tuple[Path | None, tuple[str, ...]]:
    """Tell a config file from words for Snakemake, which stand after ``--``."""
    words = [w for w in (values["config_file"], *values["passed_on"]) if w is not None]
    if words and not words[0].startswith("-"):
        path = Path(words[0])
        if not path.is_file():
            raise click.UsageError(
                f"there is no config file '{words[0]}' (sources are given with --from, "
                "quoted: --from 'images/*'; -n means --dry-run)"
            )
        return path, tuple(words[1:])
    return None, tuple(words)


def _run(request: Request) -> None:
    # Not before: they load what takes a moment, such as NumPy.
    if request.dry_run:
        from dtst_flow.cli.dry_run import dry_run as call
    else:
        from dtst_flow.cli.run import run as call
    call(request)


main.add_command(stage_command("extract_faces"))
main.add_command(stage_command("detect"))
main.add_command(stage_command("extract_classes"))
main.add_command(stage_command("cluster"))


@main.group("run", cls=Commands)
def run_group() -> None:
    """Run a whole path: every stage it takes, in order."""


for _path in WHOLE:
    run_group.add_command(path_command(_path))
main.add_command(diff)
main.add_command(report)
main.add_command(models)
main.add_command(check)
