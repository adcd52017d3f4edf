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
from helpers import colour_detector, sights
from helpers.dataset import ROOT, Dataset, copy_photos
from helpers.once import once

# The machines that run tests may be slow and shared: no example is late.
settings.register_profile("default", deadline=None)
settings.load_profile("default")

SHARED = ROOT.parent / "shared"

FEW = ("collins_[0-5]", "hanks_[0-5]", "hopper_[0-5]", "cast1_[01]", "cast5_3")
"""The shots of the finished dataset: of three people who fill a cluster, of one who does
not, and one in which no face is found.
"""

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


def pytest_collection_modifyitems(items):
    """The longest come first, so that no process waits for them at the end."""
    longest = ("test_kills.py", "test_histories.py")
    items.sort(key=lambda item: item.path.name not in longest)


def pytest_sessionfinish(session):
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["survived"] = dict(session.config.stash[SURVIVED])


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node, error):
    """Add up what the processes of pytest-xdist counted."""
    node.config.stash[SURVIVED].update(
        getattr(node, "workeroutput", {}).get("survived", {})
    )


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
def shots(tmp_path_factory) -> Path:
    """A folder with the demonstration photos and people.csv, 81 shots of nine people."""
    import photos

    return once(tmp_path_factory, "shots", photos.write)


@pytest.fixture(scope="session")
def demo(tmp_path_factory, shots) -> Dataset:
    """The demonstration photos with path faces run on them; nobody may change it."""

    def make(folder: Path) -> None:
        shutil.copytree(shots, folder / "crowd")
        Dataset(folder / "crowd").run()

    return Dataset(once(tmp_path_factory, "demo", make) / "crowd")


@pytest.fixture(scope="session")
def finished(tmp_path_factory, shots) -> Dataset:
    """The FEW photos with path faces run on them; nobody may change it."""

    def make(folder: Path) -> None:
        for pattern in FEW:
            copy_photos(shots, pattern, folder / "crowd")
        Dataset(folder / "crowd").run()

    return Dataset(once(tmp_path_factory, "finished", make) / "crowd")


@pytest.fixture(scope="session")
def grouped(tmp_path_factory) -> Dataset:
    """Shots of a few photos with path images run on them; nobody may change it."""

    def make(folder: Path) -> None:
        sights.write(folder / "sights")
        Dataset(folder / "sights").run(settings=sights.MODEL)

    return Dataset(once(tmp_path_factory, "grouped", make) / "sights")


@pytest.fixture(autouse=True)
def pillows_limit(monkeypatch):
    """Of an image's pixels, which `images.read` sets for the process, left as it was."""
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", Image.MAX_IMAGE_PIXELS)


@pytest.fixture
def dataset(finished, tmp_path) -> Dataset:
    """A copy of the finished dataset to change at will."""
    return finished.copy(tmp_path)
