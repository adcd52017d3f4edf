"""The commands of ``dtst``."""

import os
from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import Any

import click

from dtst_flow import __version__
from dtst_flow.cli import settings, workflows
from dtst_flow.cli.check import check
from dtst_flow.cli.console import Ending, Voice
from dtst_flow.cli.diff import diff
from dtst_flow.cli.environment import read_environment
from dtst_flow.cli.help import (
    EXAMPLES,
    PASSED_ON,
    PathsAndWorkflows,
    Program,
    RunCommand,
    help_command,
)
from dtst_flow.cli.labels import ADOPT, labels
from dtst_flow.cli.models import models
from dtst_flow.cli.report import report
from dtst_flow.cli.request import Request
from dtst_flow.cli.review import review
from dtst_flow.cli.yaml_config import ConfigFile, read_config
from dtst_flow.planning.pipelines import PIPELINES, WHOLE
from dtst_flow.planning.schema import near


@click.group(cls=Program, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def main() -> None:
    """Turn folders of photos into structured image datasets.

    Everything of a dataset lies in its folder, such as scratch/crowd; photos go into
    folders in it, called buckets. A rerun does work only for images that changed.
    """
    read_environment()


DATASET = settings.Option(
    ["-d", "--working-dir"], type=settings.Folder(), help=settings.DATASET_HELP
)

COMMON = [
    click.Argument(["words"], nargs=-1, metavar="[CONFIG.yaml]", type=click.Path()),
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
        type=settings.Cores(),
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
    name = section.replace("_", "-")
    flags = settings.flags((section,))

    def call(**values: Any) -> None:
        config = _config(values)
        blocks = _merged(config, (section,), settings.given(flags, values))
        _run(_request(name, values, config, blocks))

    text = settings.schema()[section]["description"]
    return _command(name, call, flags, text)


def path_command(path: str) -> click.Command:
    """The command that runs all stages of a path; a workflow of the same name wins."""
    stages = PIPELINES[path]
    flags = settings.flags(stages)

    def call(**values: Any) -> None:
        config = _config(values)
        blocks = settings.given(flags, values)
        if config and path in workflows.names(config):
            if any(blocks.values()):
                config.refuse(
                    f"it has a workflow '{path}', which takes all settings from the "
                    f"file; leave the flags out, or rename it to run dtst's own {path}"
                )
            _run_workflow(path, config, values)
        else:
            blocks = _merged(config, stages, blocks)
            _run(_request(path, values, config, blocks))

    steps = ", then ".join(stage.replace("_", "-") for stage in stages)
    text = f"Run {steps}. CONFIG.yaml has one block per command."
    return _command(f"run {path}", call, flags, text)


def workflow_command(name: str) -> click.Command:
    """The command that runs a workflow of a config file."""

    def call(**values: Any) -> None:
        config = _config(values)
        if not config:
            raise click.UsageError(
                f"a workflow is run with the file that has it, dtst run {name} "
                f"CONFIG.yaml; dtst itself has no path '{name}'{near(name, WHOLE)}"
            )
        _run_workflow(name, config, values)

    text = f"Run the workflow '{name}' of CONFIG.yaml, step by step."
    return _command(f"run {name}", call, [], text)


def _command(
    name: str, call: Callable[..., None], flags: list[settings.Flag], text: str
) -> click.Command:
    clusters = any("cluster" in flag.stages for flag in flags)
    options = [flag.option for flag in flags] + [ADOPT] * clusters
    return RunCommand(
        name.rpartition(" ")[2],
        callback=call,
        params=[DATASET, *options, *COMMON],
        help=text,
        examples=EXAMPLES.get(name, ()),
    )


def _config(values: dict[str, Any]) -> ConfigFile | None:
    """The config file that is named, if one is. Raises click.UsageError."""
    words = values["words"]
    if not words:
        return None
    number = next(filter(str.isdecimal, words), None)
    if values["dry_run"] and number:
        raise click.UsageError(
            f"-n means --dry-run and takes no number; as in --top {number}, --top is the "
            "most clusters to lay out"
        )
    hint = "sources are given with --from, quoted: --from 'images/*'"
    path = Path(words[0])
    if not path.is_file():
        raise click.UsageError(f"there is no config file '{path}' ({hint})")
    if len(words) > 1:
        raise click.UsageError(
            f"'{words[1]}' is one word too many after the config file; {hint}, and words "
            "for Snakemake after --"
        )
    return read_config(path)


def _request(
    path: str,
    values: dict[str, Any],
    config: ConfigFile | None,
    blocks: settings.Blocks,
) -> Request:
    """What is asked for: the settings of a path's stages, and all else."""
    for block in blocks.values():
        if block.get("weights") is not None:
            block["weights"] = os.path.realpath(os.path.expanduser(block["weights"]))
    cluster = blocks.get("cluster", {})
    force = ["embed"] if cluster.get("cache") is False else []
    force += ["cluster"] if cluster.get("clean") else []
    top = dict(config.top) if config else {}
    strict, gpu = top.pop("strict", None), top.pop("gpu", None)
    in_file = (config and config.working_dir) or "."
    return Request(
        dataset=Path(values["working_dir"] or in_file),
        path=path,
        settings=top | blocks,
        strict=strict if values["strict"] is None else values["strict"],
        gpu=gpu if values["gpu"] is None else values["gpu"],
        dry_run=values["dry_run"],
        unlock=values["unlock"],
        cores=values["cores"],
        profile=values["profile"],
        force=tuple(force),
        passed_on=click.get_current_context().meta.get(PASSED_ON, ()),
        voice=Voice(values["verbose"], values["quiet"], values["as_json"]),
        yes=values["yes"],
        adopt=values.get("adopt", False),
    )


def _merged(
    config: ConfigFile | None, stages: tuple[str, ...], given: settings.Blocks
) -> settings.Blocks:
    """The settings of a config file, overridden by those given."""
    known = config.blocks(stages) if config else {}
    return {stage: known.get(stage, {}) | given.get(stage, {}) for stage in stages}


def _run_workflow(name: str, config: ConfigFile, values: dict[str, Any]) -> None:
    """Run the steps of a workflow, as long as they succeed."""
    began = monotonic()
    steps = workflows.read_steps(config, name)
    requests = [
        _request(step.command, values, config, {step.section: step.settings})
        for step in steps
    ]
    voice = requests[0].voice
    endings = []
    made: list[str] = []
    for number, (step, request) in enumerate(zip(steps, requests, strict=True), 1):
        voice.say(f"step {number} of {len(steps)}: {step.command}")
        waits_for = [b for b in made if not (request.dataset / b).is_dir()]
        if request.dry_run and (missing := list(filter(step.reads, waits_for))):
            told = f"  reads {missing[0]}, which a step before it has yet to make"
            voice.result([told])
            waits = {"command": step.command, "forecast": [told.strip()]}
            endings.append(Ending(content=waits))
        else:
            endings.append(_carry_out(request))
        if endings[-1].code:
            break
        if step.target:
            made.append(step.target)
    content = {
        "command": name,
        "seconds": round(monotonic() - began, 1),
        "steps": [ending.to_value() for ending in endings],
    }
    voice.end(Ending(endings[-1].code, endings[-1].errors, content))


def _run(request: Request) -> None:
    request.voice.end(_carry_out(request))


def _carry_out(request: Request) -> Ending:
    """Run what is asked for, or say what that would do."""
    # Not before: they load what takes a moment, such as NumPy.
    if request.dry_run:
        from dtst_flow.cli.dry_run import dry_run as call
    else:
        from dtst_flow.cli.run import run as call
    try:
        return call(request)
    except click.ClickException as error:
        return Ending.of(error)


for _path, _sections in PIPELINES.items():
    if _path not in WHOLE:
        main.add_command(stage_command(*_sections))


run_group = PathsAndWorkflows(
    "run",
    workflow=workflow_command,
    help="Run a whole path, or a workflow of a config file: every stage, in order.",
)
for _path in WHOLE:
    run_group.add_command(path_command(_path))
for _other in (run_group, diff, labels, report, review, models, check, help_command):
    main.add_command(_other)
