"""Snakemake and dtst, imported once for all plain runs of a test process: forks of it.

Imports are most of what a run costs that has nothing to do. A fork has arguments, a
folder, variables and an output of its own, as what a shell starts. Jobs are forks of it,
too, as they are of any dtst; a Snakemake that is not ours starts them anew.
"""

import atexit
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

SCRIPTS = Path(__file__).parents[2] / "scripts"

PACKAGES = ("jsonschema", "numpy", "PIL.Image", "smart_open")
"""What every run imports besides Snakemake."""

OURS = tuple(
    f"dtst_flow.{name}"
    for name in ("planning.devices", "forecast.verdict", "report.summary", "cli.main")
)

AT_START = ("PYTHONPATH", "LD_LIBRARY_PATH")
"""Variables that count when Python starts: each value has a process of its own."""

ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1"}
"""NumPy's threads would not outlive a fork."""


def run(
    words: Sequence[str], folder: Path, variables: dict[str, str]
) -> tuple[int, str]:
    """Run a program to its end.

    Args:
        words: "snakemake" or "dtst", and its arguments.
        folder: Where it runs.
        variables: Its environment.

    Returns:
        Its exit code, and what it printed: to stdout, then to stderr.
    """
    server = _server(*(variables.get(name, "") for name in AT_START))
    assert server.stdin and server.stdout
    with TemporaryDirectory() as place:
        request = [list(words), str(folder), variables, place]
        server.stdin.write(json.dumps(request) + "\n")
        server.stdin.flush()
        code = int(server.stdout.readline())
        printed = [Path(place, name).read_text() for name in ("stdout", "stderr")]
    return code, "".join(printed)


@cache
def _server(*values: str) -> subprocess.Popen[str]:
    """The process that has it imported, started with values of AT_START."""
    process = subprocess.Popen(
        [sys.executable, __file__],
        env=os.environ | ONE_THREAD | dict(zip(AT_START, values, strict=True)),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    atexit.register(process.communicate)  # it ends with its input
    return process


def _serve() -> None:
    import gc
    import importlib

    for name in (*PACKAGES, *_modules_of_ours()):
        importlib.import_module(name)
    import snakemake.cli

    snakemake.cli.get_argument_parser()  # it looks for plugins and imports them
    gc.freeze()
    for line in sys.stdin:
        if child := os.fork():
            code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            print(code, flush=True)
        else:
            words, folder, variables, place = json.loads(line)
            _become(folder, variables, Path(place))
            sys.argv = words
            _start(words[0], Path(place))


def _modules_of_ours() -> list[str]:
    """The package, if it is the first that would be found."""
    first = os.environ.get("PYTHONPATH", "").split(os.pathsep)[0]
    return list(OURS) if first == str(SCRIPTS) else []


def _start(program: str, place: Path) -> None:
    from snakemake.cli import main

    if program == "dtst":
        from dtst_flow.cli.start import start

        start()
    elif _modules_of_ours():
        from dtst_flow.cli import forkserver

        with forkserver.beside(place / "jobs.sock", ()):
            main()
    else:
        main()


def _become(folder: str, variables: dict[str, str], place: Path) -> None:
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(variables)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for number, name in ((1, "stdout"), (2, "stderr")):
        os.dup2(os.open(place / name, os.O_WRONLY | os.O_CREAT), number)


if __name__ == "__main__":
    _serve()
