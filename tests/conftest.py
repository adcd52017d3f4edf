from importlib.metadata import files
from pathlib import Path

import colour_detector
import pytest
from hypothesis import settings

# The machines that run tests may be slow and shared: no example is late.
settings.register_profile("default", deadline=None)
settings.load_profile("default")

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of models and labelled photos that lies beside the project in development."""
    if not SHARED.is_dir():
        pytest.skip("needs ../shared (development models and labelled photos)")
    return SHARED


@pytest.fixture(scope="session")
def group_photo() -> Path:
    """A photo of six people, 1280 x 886, that the insightface package brings."""
    return next(
        Path(f.locate())
        for f in files("insightface")
        if f.name == "t1.jpg" and "images" in f.parts
    )


@pytest.fixture(scope="session")
def colours(tmp_path_factory) -> Path:
    """A detector that finds red, green and blue things."""
    return colour_detector.write(tmp_path_factory.mktemp("detector") / "colours.onnx")
