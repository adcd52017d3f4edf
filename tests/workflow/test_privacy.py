"""Nobody is told what runs here: libraries do not report, and leave nothing in the home."""

import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from dtst_flow.models.graph import Graph
from helpers.dataset import DLIB, Dataset, copy_photos, environment

KEPT = {"PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "LANG", "TMPDIR"}
"""What programs need to start. What else is set here may silence a library, as the
variables do by which it knows a machine that runs tests.
"""

OURS = {
    ".cache/dtst-flow",
    ".cache/snakemake",
    ".cache/matplotlib",
    ".config/matplotlib",
}
"""What a run may leave in a home: costs and digests of code of ours, the sources that
Snakemake keeps of the workflow, and the list of fonts that a library has matplotlib make."""


def at(home: Path, **more: str) -> dict[str, str]:
    """The environment of one who just moved in, and has set nothing."""
    given = {k: v for k, v in environment().items() if k in KEPT}
    return given | {"HOME": str(home), **more}


def run(code: str, home: Path, *words: str, **more: str) -> None:
    subprocess.run(
        [sys.executable, "-c", code, *words],
        env=at(home, **more),
        check=True,
        capture_output=True,
    )


def left(home: Path) -> set[str]:
    """What is in a home, two levels deep: that is where programs have their folders."""
    return {path.relative_to(home).as_posix() for path in home.glob("*/*")}


@pytest.fixture
def home(tmp_path) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


@pytest.fixture
def model(tmp_path) -> Path:
    """A model that means the pixels of each colour."""
    graph = Graph()
    mean = graph.add("GlobalAveragePool", graph.input)
    path = tmp_path / "model.onnx"
    path.write_bytes(graph.model(graph.add("Flatten", mean), side=8, dimensions=3))
    return path


RUN_MODEL = """
import sys
import numpy
from onnxruntime import InferenceSession

session = InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
session.run(None, {"x": numpy.zeros((1, 3, 8, 8), numpy.float32)})
"""


def test_onnx_runtime_leaves_nothing_where_this_package_was_loaded_first(model, home):
    run(f"import dtst_flow\n{RUN_MODEL}", home, str(model))
    assert left(home) == set()


def test_else_it_does(model, home):
    """If this fails, ONNX Runtime no longer reports: the test above says nothing then."""
    run(RUN_MODEL, home, str(model))
    assert left(home) == {".cache/Microsoft"}


def test_what_the_user_says_stays(home):
    code = "import os, dtst_flow; assert os.environ['ORT_DISABLE_TELEMETRY'] == '0'"
    run(code, home, ORT_DISABLE_TELEMETRY="0")


@pytest.fixture
def proxy():
    """A proxy to the world, and how often somebody came to it."""
    visits = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    visitor, _ = server.accept()
                except OSError:
                    return
                visits.append(visitor.recv(100))
                visitor.close()

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}", visits
        server.shutdown(socket.SHUT_RDWR)


FIND = """
import sys
from pathlib import Path
import numpy
from dtst_flow.faces import mediapipe, tflite

tflite.RUNNER = sys.argv[2]
if "plainly" in sys.argv:
    tflite._keep_from_reporting = lambda: None
engine = mediapipe.MediapipeEngine(Path(sys.argv[1]))
engine.find(numpy.zeros((64, 64, 3), numpy.uint8))
engine.close()
"""


@pytest.mark.parametrize(
    ("runner", "plainly"),
    [("ai_edge_litert", False), ("mediapipe", False), ("mediapipe", True)],
)
def test_what_runs_mediapipes_models_reports_to_nobody(
    shared, home, proxy, runner, plainly
):
    """MediaPipe does of itself, which shows that the test would see it."""
    address, visits = proxy
    words = [str(shared / "models/face_landmarker.task"), runner]
    words += ["plainly"] if plainly else []
    run(FIND, home, *words, https_proxy=address, HTTPS_PROXY=address, NO_PROXY="*.org")
    assert bool(visits) is plainly
    assert all(b"googleapis.com" in visit for visit in visits)


def settings(shared: Path) -> dict:
    models = shared / "models"
    return {
        "extract_faces": {"weights": str(models / "face_landmarker.task")},
        "cluster": {"weights": str(models / "w600k_mbf_int8.onnx")},
    }


@pytest.mark.parametrize("engine", ["mediapipe", "dlib"])
def test_a_run_leaves_only_what_is_its_own(
    shots, home, tmp_path, monkeypatch, request, engine
):
    """Plain Snakemake, whose jobs nobody but this package tells to be silent."""
    copy_photos(shots, "hopper_[01]", tmp_path / "crowd")
    dataset = Dataset(tmp_path / "crowd")
    chosen = DLIB if engine == "dlib" else settings(request.getfixturevalue("shared"))
    for name in set(os.environ) - set(at(home)):
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    if engine == "mediapipe":
        models = request.getfixturevalue("shared") / "models"
        monkeypatch.setenv("DTST_MODELS", str(models))
    dataset.run("--cores", "1", settings=chosen)
    assert (dataset.folder / "cluster/clusters.json").exists()
    assert left(home) <= OURS, left(home)
    assert ".cache/dtst-flow" in left(home)
