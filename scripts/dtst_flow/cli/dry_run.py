"""``dtst … -n``: what a run would do and what that takes. No Snakemake is started."""

import os
from contextlib import chdir

from dtst_flow.cli.console import Ending
from dtst_flow.cli.diagnose import why_not_writable
from dtst_flow.cli.labels import adopt_first
from dtst_flow.cli.preflight import Checked, check, check_exists, look, refusing
from dtst_flow.cli.request import Request
from dtst_flow.forecast.predict import Setup, forecast
from dtst_flow.planning import devices


def dry_run(request: Request) -> Ending:
    """Say what a run would do; writes nothing into the dataset's folder.

    Raises:
        click.ClickException: It could not be carried out.
    """
    check_exists(request.dataset)
    voice = request.voice
    if request.passed_on:
        said = "what stands after -- is for Snakemake, which -n does not start"
        voice.say(f"{said}; its own dry run is: -- -n")
    told = []
    with refusing(request.dataset):
        checked = check(request)
        seen = look(request, checked)
        with chdir(checked.plan.dataset):
            for sentence in forecast(
                checked.plan, _setup(request, checked), checked.listing
            ):
                told.append(sentence)
                voice.result([sentence])
    if unused := devices.unused_gpu(checked.plan, checked.config["gpu"]):
        voice.say(unused)
    more = [
        *(seen.removal("would"), seen.without_boxes(), seen.read_only),
        why_not_writable(request.dataset),
    ]
    voice.result(filter(None, more))
    if request.adopt and "cluster" in checked.plan.buckets:
        bucket = checked.plan.bucket("cluster")
        voice.result(adopt_first(checked.plan.dataset, bucket, dry_run=True))
    content = {
        "command": request.path,
        "dataset": str(checked.plan.dataset),
        "forecast": [*told, *filter(None, more)],
    }
    return Ending(content=content)


def _setup(request: Request, checked: Checked) -> Setup:
    """Where and how the run would take place; of a profile nothing is known."""
    cores = None if request.profile else _cores(request.cores or "all")
    on_gpu = devices.rules_on_gpu(checked.plan, checked.config["gpu"])
    return Setup(cores, on_gpu, checked.config["shard_size"])


def _cores(wanted: str) -> int:
    """How many cores Snakemake would use: so many, or all that this process may."""
    if wanted.isdecimal():
        return max(1, int(wanted))
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
