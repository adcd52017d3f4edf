"""``dtst … -n``: what a run would do and what that takes. No Snakemake is started."""

import os
from contextlib import chdir
from typing import Any

import click

from dtst_flow.cli.diagnose import why_not_writable
from dtst_flow.cli.run import Request, check_exists, overrides
from dtst_flow.forecast.predict import Setup, forecast
from dtst_flow.models.errors import ModelError
from dtst_flow.planning import devices
from dtst_flow.planning.config import complete_config
from dtst_flow.planning.plan import Plan, PlanError, make_plan
from dtst_flow.planning.schema import BadSettings
from dtst_flow.planning.staleness import source_fingerprint, stage_version
from dtst_flow.utils.text import printable, printable_lines


def dry_run(request: Request) -> None:
    """Say what a run would do; writes nothing into the dataset's folder.

    Raises:
        click.ClickException: It could not be carried out.
    """
    check_exists(request.dataset)
    if request.passed_on:
        said = "what stands after -- is for Snakemake, which -n does not start"
        click.echo(f"{said}; its own dry run is: -- -n", err=True)
    try:
        config = complete_config(overrides(request))
        plan = make_plan(config)
        with chdir(plan.dataset):
            _check_sources(plan)
            for sentence in forecast(plan, _setup(request, config, plan)):
                click.echo(printable(sentence))
        if unused := devices.unused_gpu(plan, config["gpu"]):
            click.echo(unused, err=True)
    except (BadSettings, PlanError, ModelError) as error:
        raise click.ClickException(printable_lines(error)) from error
    except OSError as error:
        what = error.filename or request.dataset
        raise click.ClickException(printable(f"{what}: {error.strerror}")) from error
    if fault := why_not_writable(request.dataset):
        click.echo(printable(fault))


def _check_sources(plan: Plan) -> None:
    """Refuse a plan without its sources or models, as Snakemake does. Raises PlanError."""
    for stage in plan.stages:
        source_fingerprint(plan, stage.name)
        stage_version(plan, stage.name)


def _setup(request: Request, config: dict[str, Any], plan: Plan) -> Setup:
    """Where and how the run would take place; of a profile nothing is known."""
    cores = None if request.profile else _cores(request.cores or "all")
    on_gpu = devices.rules_on_gpu(plan, config["gpu"])
    return Setup(cores, on_gpu, config["shard_size"])


def _cores(wanted: str) -> int:
    """How many cores Snakemake would use: so many, or all that this process may."""
    if wanted.isdecimal():
        return max(1, int(wanted))
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
