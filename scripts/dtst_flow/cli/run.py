"""One run: what is checked before, Snakemake's command line, and how it ends."""

import os
import shlex
from collections.abc import Iterator
from contextlib import chdir
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic

import click
import yaml

from dtst_flow.cli import signals
from dtst_flow.cli.console import FAILED, Ending
from dtst_flow.cli.diagnose import diagnose, why_not_writable
from dtst_flow.cli.labels import adopt_first
from dtst_flow.cli.preflight import (
    Checked,
    announce,
    check,
    check_exists,
    look,
    refusing,
)
from dtst_flow.cli.request import Request, overrides
from dtst_flow.cli.watch import Start, Watched, watch
from dtst_flow.dataset.state import STATE, make_state
from dtst_flow.planning import source_scan, up_to_date
from dtst_flow.planning.home import home
from dtst_flow.planning.plan import Plan
from dtst_flow.report.summary import Outcome, outcome, sentences, written_at
from dtst_flow.runtime import run_lock
from dtst_flow.utils.files import write_atomic
from dtst_flow.utils.folders import can_be_made, user_cache
from dtst_flow.utils.quantities import duration
from dtst_flow.utils.text import printable


def command(request: Request, config: Path) -> list[str]:
    """The arguments of Snakemake."""
    words = []
    if not request.profile:
        words += ["--resources", "gpu=1"]  # jobs on this machine share the first GPU
    words += ["--snakefile", str(home() / "Snakefile"), "--configfile", str(config)]
    # Snakemake would take one that lies where it runs, in the dataset's folder.
    words += ["--workflow-profile", str(home() / "profiles" / "default")]
    if request.cores:
        words += ["--cores", request.cores]
    if request.profile:
        words += ["--profile", _profile(request.profile)]
    if request.force:
        words += ["--forcerun", *request.force]
    return [*words, "--logger", "dtst", *request.passed_on]


def _profile(name: str) -> str:
    """A profile shipped with the workflow, a folder of the user's, or one known to Snakemake."""
    for folder in (home() / "profiles" / name, Path(name).expanduser().resolve()):
        if folder.is_dir():
            return str(folder)
    return name


def run(request: Request) -> Ending:
    """Run Snakemake, and show how it goes.

    Raises:
        click.ClickException: It could not be begun.
    """
    check_exists(request.dataset)
    began, voice = monotonic(), request.voice
    with refusing(request.dataset):
        checked = check(request)
        plan = checked.plan
        known = _is_known(request, checked)
        announce(request, plan, look(request, checked, settled=known))
        make_state(plan.dataset)
        if fault := why_not_writable(request.dataset):
            raise click.ClickException(fault)
        if request.adopt and "cluster" in plan.buckets:
            bucket = plan.bucket("cluster")
            voice.result(adopt_first(plan.dataset, bucket, dry_run=False))
        with chdir(plan.dataset):
            before = written_at(plan.buckets)
        watched = Watched() if known else _run(request, checked)
        with chdir(plan.dataset):
            told_before = before if watched.code else None
            done = outcome(plan.buckets, told_before, watched.began > 0)
    seconds = monotonic() - began
    voice.result(_lines(watched, done, seconds))
    content = {
        "command": request.path,
        "dataset": str(plan.dataset),
        "seconds": round(seconds, 1),
        "stages": done,
    }
    return Ending(_code(watched), _errors(request, watched), content)


def _lines(watched: Watched, done: Outcome, seconds: float) -> Iterator[str]:
    if watched.code == 0 and not watched.began:
        yield "nothing to do: all is up to date"
    yield from sentences(done)
    if watched.began:
        # What Snakemake's end says, if it gets there, tells the time, too.
        yield "; ".join(watched.said) or f"took {duration(seconds)}"


def _code(watched: Watched) -> int:
    if watched.ended_by:
        return signals.exit_code(signals.Ended(watched.ended_by))
    return FAILED if watched.code else 0


def _errors(request: Request, watched: Watched) -> list[str]:
    if watched.ended_by:
        return [f"interrupted{watched.how_far()}; {signals.AGAIN}"]
    if not watched.code:
        return []
    if why := diagnose(request.dataset):
        return [why]
    return watched.errors(request.dataset)


def _is_known(request: Request, checked: Checked) -> bool:
    """Whether there is nothing to do, so that Snakemake need not be asked.

    Where somebody is at work already, or much is to be told, it is.
    """
    plan = checked.plan
    if request.adopt or request.voice.verbose or run_lock.is_locked(request.dataset):
        return False
    asked = asked_for(request, checked, command(request, _config(request, plan)))
    with chdir(plan.dataset):
        return bool(asked) and up_to_date.is_known(plan, asked, checked.listing)


def _config(request: Request, plan: Plan) -> Path:
    """Where the settings of a run are written for Snakemake."""
    return plan.dataset / STATE / "config" / f"{request.path}.yaml"


def _run(request: Request, checked: Checked) -> Watched:
    """Hold the dataset's folder while Snakemake runs, if it has to."""
    voice, plan = request.voice, checked.plan
    unlock = request.unlock or "--unlock" in request.passed_on
    with (
        run_lock.held(request.dataset, unlock, voice.say) as files,
        TemporaryDirectory(prefix="dtst-run-") as folder,
    ):
        config = _config(request, plan)
        words = command(request, config)
        asked = asked_for(request, checked, words)
        text = yaml.safe_dump(overrides(request), sort_keys=False, allow_unicode=True)
        write_atomic(config, text.encode("utf-8", "surrogateescape"))
        if voice.verbose:
            voice.say(f"$ {printable(shlex.join(['snakemake', *words]))}")

        def begun(pid: int) -> None:
            run_lock.begin(request.dataset, "dtst", pid)

        variables = cache_variables(request)
        if asked:  # Snakemake need not look at the source again
            stage = plan.stages[0].name
            variables[source_scan.SEEN] = f"{stage} {checked.fingerprint()}"
        images = len(checked.listing.images)
        checked.forget_files()  # forks would carry it along
        start = Start(words, plan.dataset, variables, files, begun)
        watched = watch(start, voice, Path(folder))
        if not run_lock.is_locked(request.dataset):  # else Snakemake was killed
            run_lock.end(request.dataset, watched.pid)
        if asked and not watched.code and asked == asked_for(request, checked, words):
            with chdir(plan.dataset):
                up_to_date.keep(plan, asked, images, watched.sources)
    return watched


def asked_for(request: Request, checked: Checked, words: list[str]) -> str:
    """Digest what is asked for; nothing where more goes into it, which Snakemake judges."""
    more = request.profile or request.force or request.passed_on or request.unlock
    if more or any(name.startswith("SNAKEMAKE_") for name in os.environ):
        return ""
    with chdir(checked.plan.dataset):
        return up_to_date.asked_for(checked.plan, checked.config, words)


def cache_variables(request: Request) -> dict[str, str]:
    """The variables by which a run keeps its caches in the dataset, if not in the home.

    Snakemake does not start without a cache. Models still lie where they did.
    """
    cache = user_cache()
    if all(can_be_made(path) for path in (cache, cache.with_name("snakemake"))):
        return {}
    request.voice.say(
        f"{cache.parent} cannot be written to; caches are kept in the dataset"
    )
    folder = request.dataset.resolve() / STATE / "cache"
    models = os.environ.get("DTST_MODELS") or str(cache.resolve() / "models")
    return {"XDG_CACHE_HOME": str(folder), "DTST_MODELS": models}
