"""What a run needs of this machine, and whether it is there. Nothing here is changed."""

import importlib
import os
import platform
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from dtst_flow.cli.diagnose import LITTLE
from dtst_flow.faces import tflite
from dtst_flow.imaging import video
from dtst_flow.models import store
from dtst_flow.models.errors import ModelError, ModelMissing
from dtst_flow.planning.config import complete_config
from dtst_flow.planning.pipelines import PIPELINES, WHOLE, resolve_defaults
from dtst_flow.runtime import run_lock
from dtst_flow.stages.registry import STAGES
from dtst_flow.utils import gpu, locks
from dtst_flow.utils.folders import nearest, user_cache
from dtst_flow.utils.quantities import volume

OK, NOTE, BROKEN = "ok", "note", "broken"
"""Of a finding: as it should be, of no account for a default run, or in its way."""

PACKAGES = {
    "snakemake": ("snakemake",),
    "numpy": ("numpy",),
    "onnxruntime": ("onnxruntime", "onnxruntime-gpu"),
    "litert": ("ai-edge-litert", "mediapipe"),
    "dlib": ("dlib-bin", "dlib"),
    "torch": ("torch",),
    "ultralytics": ("ultralytics",),
    "open_clip": ("open_clip_torch",),
    "PyAV": ("av",),
    "slurm plugin": ("snakemake-executor-plugin-slurm",),
}
"""What we call a library -> the packages that bring it."""

OPENCV = tuple(
    f"opencv-{kind}"
    for kind in (
        "python",
        "python-headless",
        "contrib-python",
        "contrib-python-headless",
    )
)
"""The packages that all write one module, cv2."""

HEADLESS = "pip install --force-reinstall --no-deps opencv-python-headless"
"""What helps where OpenCV wants a desktop's libraries."""

NEEDED = ("cv2", "onnxruntime", "dlib", tflite.RUNNER)
"""Modules that the default path imports, and that load libraries of the system."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        topic: What it is about.
        state: OK, NOTE or BROKEN.
        said: What was found.
        fix: What to do about it, where anything is to be done.
    """

    topic: str
    state: str
    said: str
    fix: str = ""


def examine(dataset: Path | None) -> Iterator[Finding]:
    """Look at all that a run needs.

    Args:
        dataset: A dataset folder to look at as well.
    """
    system = f"{platform.system()} {platform.release()} {platform.machine()}"
    yield Finding("system", OK, f"{system}, {os.cpu_count()} cores")
    yield _libraries()
    yield _opencv()
    yield graphics()
    yield from _weights()
    if find_spec("ultralytics") is None:
        said = "detect: its default model needs PyTorch and ultralytics"
        yield Finding("packages", NOTE, said, "pip install ultralytics open_clip_torch")
    if not video.is_available():
        said, _, fix = video.MISSING.partition(": ")
        yield Finding("packages", NOTE, f"extract-frames: {said}", fix)
    if dataset is not None:
        yield _lock(dataset)
    for topic, folder in (("disk", dataset or Path()), ("cache", user_cache())):
        yield _disk(topic, folder)
    yield _cache()
    yield _slurm()


def versions() -> dict[str, str]:
    """The versions of the libraries that are installed, by our names for them."""
    found = {}
    for name, packages in PACKAGES.items():
        for package in packages:
            with suppress(PackageNotFoundError):
                called = name if package == packages[0] else package
                found[called] = version(package)
    return found


def _libraries() -> Finding:
    """Whether the libraries of the default path can be loaded."""
    faults = []
    for name in NEEDED:
        try:
            importlib.import_module(name)
        except (ImportError, OSError) as error:
            faults.append(f"{name}: {error}")
    if faults:
        return Finding("libraries", BROKEN, "; ".join(faults), HEADLESS)
    return Finding("libraries", OK, f"{', '.join(NEEDED)} can be loaded")


def _opencv() -> Finding:
    """Which build of OpenCV is in place, where several write the same files."""
    builds = []
    for package in OPENCV:
        with suppress(PackageNotFoundError):
            builds.append(f"{package} {version(package)}")
    headless = _is_headless()
    kind = "headless" if headless else "desktop"
    if len(builds) < 2:
        return Finding(
            "OpenCV", OK, f"{', '.join(builds) or 'no package of it'} ({kind})"
        )
    said = f"{len(builds)} builds overwrite each other, {kind} files are in place: "
    return Finding(
        "OpenCV",
        OK if headless else NOTE,
        said + ", ".join(builds),
        "" if headless else HEADLESS,
    )


def _is_headless() -> bool:
    """Whether the cv2 in place is a build without a desktop's libraries."""
    spec = find_spec("cv2")
    for folder in (spec and spec.submodule_search_locations) or ():
        with suppress(OSError):
            return "headless = True" in Path(folder, "version.py").read_text()
    return False


def graphics() -> Finding:
    """What a GPU can be used by, and why not."""
    count = gpu.count()
    if not count:
        return Finding("GPU", OK, "none that the CUDA driver shows; CPUs do all work")
    faults = {runtime: gpu.fault(runtime) for runtime in ("onnxruntime", "torch")}
    usable = [runtime for runtime, fault in faults.items() if not fault]
    if usable:
        return Finding("GPU", OK, f"{count}, used by {' and '.join(usable)}")
    why = "; ".join(faults.values())
    return Finding("GPU", NOTE, f"{count}, not used: {why}")


def _weights() -> Iterator[Finding]:
    """The models of each path's default: there, missing, or not the registered file."""
    missing = []
    for names, who, needed in _wanted():
        faults = []
        for name in names:
            try:
                store.resolve(name)
            except ModelMissing:
                faults.append(f"{name} is missing")
                missing.append(name)
            except ModelError as error:
                faults.append(str(error).partition("\n")[0])
        state = (BROKEN if needed else NOTE) if faults else OK
        said = "; ".join(faults) or f"{', '.join(names)} there"
        yield Finding("weights", state, f"{who}: {said}")
    if missing:
        fetch = f"dtst models fetch {' '.join(dict.fromkeys(missing))}"
        yield Finding("weights", NOTE, f"{len(missing)} not here yet", fetch)


def _wanted() -> Iterator[tuple[list[str], str, bool]]:
    """Yield models, what runs them by default, and whether a default run does."""
    config: dict[str, Any] = complete_config({})
    for path in WHOLE:
        for name, settings in resolve_defaults(path, config).items():
            models = list(STAGES[name].models(settings))
            if not models or (path == "classes" and name == "cluster"):
                continue  # as of whole images
            shared = sum(name in PIPELINES[other] for other in WHOLE) > 1
            who = STAGES[name].command + (f" ({path})" if shared else "")
            yield models, who, path == WHOLE[0]


def _lock(dataset: Path) -> Finding:
    """Whether a run is at work in a dataset, and whether its file system has locks."""
    try:
        has_locks = locks.are_known(dataset)
    except OSError as error:
        fix = "give yourself the right to write there, or copy the dataset"
        return Finding("locks", BROKEN, f"{dataset}: {error.strerror}", fix)
    if _is_held(dataset):
        run = run_lock.current(dataset) or "another run"
        return Finding("locks", BROKEN, f"{dataset} is in use by {run}", "let it end")
    if run_lock.is_locked(dataset):
        run = run_lock.current(dataset) or "an unknown run, perhaps still at work"
        fix = "run the same again; if it refuses and none is at work, with --unlock"
        return Finding("locks", NOTE, f"Snakemake's is left of {run}", fix)
    if not has_locks:
        said = "the file system has none: two runs at once would not see each other"
        return Finding("locks", NOTE, said)
    return Finding("locks", OK, f"{dataset} is free, its file system has locks")


def _is_held(dataset: Path) -> bool:
    if not (dataset / run_lock.LOCK).is_file():
        return False
    try:
        held = run_lock.acquire(dataset)
    except BlockingIOError:
        return True
    if held is not None:
        os.close(held)
    return False


def _disk(topic: str, folder: Path) -> Finding:
    there = nearest(folder)
    free = shutil.disk_usage(there).free
    state = OK if free > LITTLE else BROKEN
    fix = "" if free > LITTLE else "make room"
    return Finding(topic, state, f"{volume(free)} free at {there.resolve()}", fix)


def _cache() -> Finding:
    """Whether what can be had again may be kept in the user's cache."""
    try:
        with tempfile.TemporaryFile(dir=nearest(user_cache())):
            return Finding("home", OK, f"{user_cache()} can be written to")
    except OSError as error:
        said = f"{user_cache()} cannot be written to: {error.strerror}"
        fix = "set XDG_CACHE_HOME; without it dtst keeps caches in the dataset"
        return Finding("home", NOTE, said, fix)


def _slurm() -> Finding:
    sbatch = shutil.which("sbatch")
    plugin = find_spec("snakemake_executor_plugin_slurm") is not None
    if sbatch and not plugin:
        fix = "pip install snakemake-executor-plugin-slurm"
        return Finding(
            "SLURM", NOTE, f"{sbatch}, but Snakemake's plugin is missing", fix
        )
    if not sbatch:
        return Finding("SLURM", OK, "no sbatch here; runs stay on this machine")
    return Finding("SLURM", OK, f"{sbatch}, with Snakemake's plugin: --profile slurm")
