"""CPU time of the steps of extract-faces in one process, an image.

Each step is timed without those that it calls. Used by `pace.py`.
"""

import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack, chdir, closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

from dtst_flow.cache.records import Records
from dtst_flow.dataset.manifest import ManifestRow
from dtst_flow.dataset.part import Part
from dtst_flow.faces import crop, engines, mediapipe, record, sharpness, tflite, turning
from dtst_flow.imaging import decode, encode
from dtst_flow.models import store
from dtst_flow.runtime import verified_read
from dtst_flow.stages.extract_faces import Extractor
from dtst_flow.stages.face_options import Options
from dtst_flow.utils import memory
from dtst_flow.utils.files import digest_file

STEPS = {
    "read and digest": (verified_read, "content"),
    "decode": (decode, "read"),
    "find": (turning, "find"),
    "run of an ONNX model": None,
    "view of the mesh": (mediapipe, "_view"),
    "run of the mesh": (tflite.LiteRT, "__call__"),
    "sharpness": (record, "make"),
    "note the record": (Records, "put"),
    "cut": (crop, "cut"),
    "encode": (encode, "encode"),
    "blur": (sharpness, "blur"),
    "write crop and notes": (Part, "write"),
    "all else": (Extractor, "__call__"),
}
"""Step -> the function that does it."""


class Stopwatch:
    """Collects the CPU seconds of steps, each without those within it."""

    def __init__(self) -> None:
        self.seconds: Counter[str] = Counter()
        self.calls: Counter[str] = Counter()
        self._within = [0.0]

    def wrapped(self, step: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function, timed."""

        def timed(*arguments: Any, **more: Any) -> Any:
            self._within.append(0.0)
            start = time.process_time()
            try:
                return function(*arguments, **more)
            finally:
                took = time.process_time() - start
                self.seconds[step] += took - self._within.pop()
                self._within[-1] += took
                self.calls[step] += 1

        return timed


class Session:
    """An ONNX session, timed."""

    def __init__(self, session: Any, watch: Stopwatch):
        self._session = session
        self.run = watch.wrapped("run of an ONNX model", session.run)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)


def table(engine: str, photos: list[Path]) -> None:
    """Print the steps of an engine; those of the first photo do not count."""
    memory.keep_freed()  # as workers do
    watch = Stopwatch()
    weights = store.resolve_all(dict.fromkeys(engines.models_of(engine)))
    with TemporaryDirectory() as folder, chdir(folder), ExitStack() as patches:
        for module in ("yunet", "scrfd"):
            opener = engines.module_of(module).open_session
            patches.enter_context(
                patch.object(
                    engines.module_of(module),
                    "open_session",
                    lambda path, opener=opener: Session(opener(path), watch),
                )
            )
        for step, place in STEPS.items():
            if place:
                timed = watch.wrapped(step, getattr(*place))
                # A plain function becomes a method of a class.
                patches.enter_context(patch.object(*place, timed))
        worker = Extractor("one", "faces", Options(engine), weights)
        with closing(worker):
            for number, path in enumerate(photos):
                worker(ManifestRow(str(path), digest_file(path), path.stem))
                if not number:
                    watch.seconds.clear()
                    watch.calls.clear()
    _print(engine, watch, len(photos) - 1)


def _print(engine: str, watch: Stopwatch, images: int) -> None:
    total = sum(watch.seconds.values())
    print(f"{engine + ': steps':24} {'ms an image':>11} {'share':>6} {'calls':>6}")
    for step in STEPS:
        if seconds := watch.seconds[step]:
            calls = watch.calls[step] / images
            each = 1000 * seconds / images
            print(f"{step:24} {each:11.2f} {seconds / total:6.0%} {calls:6.2f}")
    print(f"{'together':24} {1000 * total / images:11.2f}")
