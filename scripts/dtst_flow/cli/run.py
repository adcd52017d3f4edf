"""One Snakemake run: its overrides, its command line, its end."""

import os
import shlex
import signal
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import click
import yaml

from dtst_flow.cli.home import home
from dtst_flow.files import write_atomic
from dtst_flow.stages.job import STATE, StateGone, make_state
from dtst_flow.text import printable


@dataclass(frozen=True)
class Request:
    """What the user asked for.

    dataset    the dataset folder
    path       what to run, as the config's `path`
    settings   section -> settings given by the user, and only those
    force      rules to run whatever Snakemake thinks
    passed_on  words for Snakemake itself
    """

    dataset: Path
    path: str
    settings: dict[str, dict]
    strict: bool | None = None
    gpu: bool | None = None
    dry_run: bool = False
    cores: str | None = None
    profile: str | None = None
    force: tuple[str, ...] = ()
    passed_on: tuple[str, ...] = ()


def overrides(request: Request) -> dict:
    """The config that makes the workflow do what was asked for."""
    folder = request.dataset.resolve()
    config = {"root": str(folder.parent), "dataset": folder.name, "path": request.path}
    for name in ("strict", "gpu"):
        if (value := getattr(request, name)) is not None:
            config[name] = value
    return config | request.settings


def command(request: Request, config: Path) -> list[str]:
    """The command line of Snakemake."""
    words = [sys.executable, "-m", "snakemake"]
    if not request.profile:
        words += ["--resources", "gpu=1"]  # jobs on this machine share the first GPU
    words += ["--snakefile", str(home() / "Snakefile"), "--configfile", str(config)]
    # Snakemake would take one that lies where it runs, in the dataset's folder.
    words += ["--workflow-profile", str(home() / "profiles" / "default")]
    if request.dry_run:
        words += ["--dry-run", "--quiet", "rules"]
    if request.cores:
        words += ["--cores", request.cores]
    if request.profile:
        words += ["--profile", _profile(request.profile)]
    if request.force:
        words += ["--forcerun", *request.force]
    if sys.stderr.isatty() and not request.dry_run:
        words += ["--logger", "dtst"]
    return [*words, *request.passed_on]


def _profile(name: str) -> str:
    """A profile shipped with the workflow, a folder of the user's, or one known to Snakemake."""
    for folder in (home() / "profiles" / name, Path(name).expanduser().resolve()):
        if folder.is_dir():
            return str(folder)
    return name


def run(request: Request) -> int:
    """Run Snakemake; returns its exit code. Raises click.ClickException."""
    if not request.dataset.is_dir():
        raise click.UsageError(
            f"there is no dataset folder {request.dataset}; make it and put a folder of "
            "images into it, or name another one with -d"
        )
    folder = request.dataset.resolve()
    try:
        make_state(folder)
    except StateGone as error:
        raise click.ClickException(str(error)) from error
    config = folder / STATE / "config" / f"{request.path}.yaml"
    text = yaml.safe_dump(overrides(request), sort_keys=False, allow_unicode=True)
    write_atomic(config, text.encode("utf-8", "surrogateescape"))
    unlock = "--unlock" in request.passed_on
    locks = request.dataset / ".snakemake" / "locks"
    if not (request.dry_run or unlock) and locks.is_dir() and any(locks.iterdir()):
        raise click.ClickException(
            f"{request.dataset} is locked: another run is at work there, or one was "
            "killed. If none is, run this again with --unlock."
        )
    words = command(request, config)
    told = shlex.join(["snakemake", *words[3:]])
    click.echo(f"$ {printable(told)}", err=True)
    return _wait(words, request.dataset)


def unlock(request: Request) -> None:
    """Remove the lock that a killed run left behind."""
    code = run(replace(request, dry_run=False, force=(), passed_on=("--unlock",)))
    if code:
        raise click.ClickException(f"unlocking failed with exit code {code}")


def _wait(words: list[str], folder: Path) -> int:
    """Run a command in a folder to its end.

    Ctrl-C reaches it directly; it winds up, we wait.
    """
    # What lies in the folder is data: Python would import modules from there.
    environment = os.environ | {"PYTHONSAFEPATH": "1"}
    process = subprocess.Popen(words, cwd=folder, env=environment)
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: process.terminate())
    try:
        return process.wait()
    finally:
        signal.signal(signal.SIGINT, before)
