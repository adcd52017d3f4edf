import shutil
import signal
from collections import Counter
from collections.abc import Iterator
from importlib.metadata import files
from pathlib import Path

import pytest
from hypothesis import settings
from PIL import Image

from dtst_flow.models.store import cache_folder
from helpers import colour_detector
from helpers.dataset import ROOT, Dataset

# The machines that run tests may be slow and shared: no example is late.
settings.register_profile("default", deadline=None)
settings.load_profile("default")

SHARED = ROOT.parent / "shared"

SURVIVED = pytest.StashKey[Counter]()
ROWS = {
    "kills survived": "kills tried",
    "nasty files right": "nasty files",
    "edit sequences right": "edit sequences run",
    "faults survived": "faults injected",
    "files of the user lost": None,
}
"""What the run tells of robustness at its end, and of how many."""


def pytest_addoption(parser):
    parser.addoption(
        "--long",
        action="store_true",
        help="try robustness at length: more kills, edits and examples, for hours",
    )


def pytest_configure(config):
    config.stash[SURVIVED] = Counter()
    # A shell tells what it runs in the background to ignore Ctrl-C, and so all runs here.
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_terminal_summary(terminalreporter, config):
    survived = config.stash[SURVIVED]
    if not survived:
        return
    terminalreporter.section("robustness")
    for row, tried in ROWS.items():
        if tried and not survived[tried]:
            continue
        of = f" of {survived[tried]}" if tried else ""
        terminalreporter.line(f"{row:24}{survived[row]:6}{of}")


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory) -> Iterator[Path]:
    """A cache of the tests' own: that of the user keeps only what real runs have cost."""
    folder = tmp_path_factory.mktemp("cache")
    models = cache_folder()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder))
        cache_folder().parent.mkdir()
        cache_folder().symlink_to(models)
        yield folder


@pytest.fixture(scope="session")
def survived(pytestconfig) -> Counter:
    """Counts of what was tried and survived, by the names in ROWS; printed at the end."""
    return pytestconfig.stash[SURVIVED]


@pytest.fixture(scope="session")
def long(pytestconfig) -> bool:
    """Whether robustness is to be tried at length."""
    return pytestconfig.getoption("--long")


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


@pytest.fixture(scope="session")
def finished(tmp_path_factory) -> Dataset:
    """The demonstration photos with path faces run on them."""
    import photos

    dataset = Dataset(tmp_path_factory.mktemp("finished") / "crowd")
    photos.write(dataset.folder)
    dataset.run()
    return dataset


@pytest.fixture(autouse=True)
def pillows_limit(monkeypatch):
    """Of an image's pixels, which `images.read` sets for the process, left as it was."""
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", Image.MAX_IMAGE_PIXELS)


@pytest.fixture
def dataset(finished, tmp_path) -> Dataset:
    """A copy of the finished dataset to change at will."""
    folder = tmp_path / "crowd"
    shutil.copytree(finished.folder, folder)
    return Dataset(folder)
