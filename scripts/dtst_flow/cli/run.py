"""One Snakemake run: its overrides, its command line, its end."""

import os
import shlex
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import yaml

from dtst_flow.cli.diagnose import diagnose, why_not_writable
from dtst_flow.dataset.state import STATE, StateGone, make_state
from dtst_flow.planning.home import home
from dtst_flow.runtime import run_lock
from dtst_flow.utils.files import write_atomic
from dtst_flow.utils.text import printable


@dataclass(frozen=True)
class Request:
    """What the user asked for.

    dataset    the dataset folder
    path       what to run, as the config's `path`
    settings   what the user set, and only that: section -> settings, or one value
    unlock     first remove a lock that another run left
    force      rules to run whatever Snakemake thinks
    passed_on  words for Snakemake itself
    """

    dataset: Path
    path: str
    settings: dict[str, Any]
    strict: bool | None = None
    gpu: bool | None = None
    dry_run: bool = False
    unlock: bool = False
    cores: str | None = None
    profile: str | None = None
    force: tuple[str, ...] = ()
    passed_on: tuple[str, ...] = ()


def overrides(request: Request) -> dict[str, Any]:
    """The config that makes the workflow do what was asked for."""
    folder = request.dataset.resolve()
    config: dict[str, Any] = {
        "root": str(folder.parent),
        "dataset": folder.name,
        "path": request.path,
    }
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
    if request.cores:
        words += ["--cores", request.cores]
    if request.profile:
        words += ["--profile", _profile(request.profile)]
    if request.force:
        words += ["--forcerun", *request.force]
    if sys.stderr.isatty():
        words += ["--logger", "dtst"]
    return [*words, *request.passed_on]


def _profile(name: str) -> str:
    """A profile shipped with the workflow, a folder of the user's, or one known to Snakemake."""
    for folder in (home() / "profiles" / name, Path(name).expanduser().resolve()):
        if folder.is_dir():
            return str(folder)
    return name


def check_exists(dataset: Path) -> None:
    """Raise click.UsageError where there is no dataset folder."""
    if not dataset.is_dir():
        raise click.UsageError(
            f"there is no dataset folder {dataset}; make it and put a folder of "
            "images into it, or name another one with -d"
        )


def run(request: Request) -> int:
    """Run Snakemake; returns its exit code. Raises click.ClickException."""
    check_exists(request.dataset)
    try:
        return _run(request)
    except OSError as error:
        raise click.ClickException(
            diagnose(request.dataset)
            or f"{error.filename or request.dataset}: {error.strerror}"
        ) from error
    except (StateGone, run_lock.DatasetBusy) as error:
        raise click.ClickException(str(error)) from error


def _run(request: Request) -> int:
    make_state(request.dataset.resolve())
    if fault := why_not_writable(request.dataset):
        raise click.ClickException(fault)
    unlock = request.unlock or "--unlock" in request.passed_on
    with run_lock.held(request.dataset, unlock, _tell) as files:
        # Snakemake holds the folder as well, should this process be killed.
        process = _start(request, files)
        with suppress(OSError):  # a full disk; the note is but for the user to read
            run_lock.begin(request.dataset, "dtst", process.pid)
        code = _wait(process)
        if not run_lock.is_locked(request.dataset):  # else Snakemake was killed
            run_lock.end(request.dataset, process.pid)
    if code and (why := diagnose(request.dataset)):
        raise click.ClickException(why)
    return code


def _tell(sentence: str) -> None:
    click.echo(sentence, err=True)


def _start(request: Request, files: tuple[int, ...]) -> subprocess.Popen[bytes]:
    """Start Snakemake and pass open files to it."""
    config = request.dataset.resolve() / STATE / "config" / f"{request.path}.yaml"
    text = yaml.safe_dump(overrides(request), sort_keys=False, allow_unicode=True)
    write_atomic(config, text.encode("utf-8", "surrogateescape"))
    words = command(request, config)
    told = shlex.join(["snakemake", *words[3:]])
    click.echo(f"$ {printable(told)}", err=True)
    # What is in the folder is data: Python would import modules from there.
    environment = os.environ | {"PYTHONSAFEPATH": "1"}
    return subprocess.Popen(words, cwd=request.dataset, env=environment, pass_fds=files)


def _wait(process: subprocess.Popen[bytes]) -> int:
    """Wait for the end of a process; returns its exit code.

    Ctrl-C reaches it directly; it winds up, we wait.
    """
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: process.terminate())
    try:
        return process.wait()
    finally:
        signal.signal(signal.SIGINT, before)
