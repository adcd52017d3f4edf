"""Points for faces that come without, by the engines at hand."""

from contextlib import closing, nullcontext
from types import SimpleNamespace

import numpy as np
import pytest

from dtst_flow.faces import locate
from dtst_flow.faces.base import Face
from dtst_flow.faces.locate import Finder, Locator
from dtst_flow.models import store
from dtst_flow.models.errors import WrongContent
from dtst_flow.models.registry import MODELS

IMAGE = np.zeros((8, 8, 3), np.uint8)
POINTS = ((1.0, 2.0), (3.0, 2.0), (2.0, 3.0), (1.0, 4.0), (3.0, 4.0))


@pytest.mark.parametrize(
    ("here", "asked"),
    [
        ((), ["dlib"]),
        (("yunet",), ["dlib", "yunet"]),
        (("face_landmarker",), ["mediapipe", "dlib"]),
        (("face_landmarker", "yunet"), ["mediapipe", "yunet"]),
    ],
    ids=["nothing", "yunet", "mediapipe", "both"],
)
def test_what_is_asked_depends_on_the_models_at_hand(
    here, asked, tmp_path, monkeypatch
):
    monkeypatch.setenv("DTST_MODELS", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for name in here:
        (tmp_path / MODELS[name].file).write_bytes(b"another")
    assert locate.engines_at_hand() == asked
    with pytest.raises(WrongContent) if here else nullcontext():
        assert [one.engine for one in locate.at_hand()] == asked


def test_a_model_that_comes_to_hand_gives_points_of_another_name(tmp_path):
    dlib, other = (
        Finder(engine, store.Weights(tmp_path, digest))
        for engine, digest in (("dlib", "0"), ("mediapipe", "1"))
    )
    names = [locate.identity(one) for one in ([dlib], [other, dlib], [other], [])]
    assert all(name not in names[:at] for at, name in enumerate(names))


class Engine:
    """Finds faces of some sizes, and tells when it was loaded and closed."""

    def __init__(self, sizes, log):
        self.sizes, self.log = sizes, log
        log.append(f"loaded {sizes}")

    def find(self, image):
        return [
            Face((0, 0, size, size), 1.0, tuple((size * x, y) for x, y in POINTS))
            for size in self.sizes
        ]

    def close(self):
        self.log.append(f"closed {self.sizes}")


def locator(*engines, log=None):
    """Returns one that asks engines which find faces of some sizes."""
    log = [] if log is None else log
    return Locator(
        [
            SimpleNamespace(engine=str(at), open=lambda sizes=sizes: Engine(sizes, log))
            for at, sizes in enumerate(engines)
        ]
    )


@pytest.mark.parametrize(
    ("engines", "loaded"), [(([1], [1]), 1), (([], [1]), 2), (([], []), 2), ((), 0)]
)
def test_the_next_engine_is_asked_where_one_finds_none(engines, loaded):
    log = []
    with closing(locator(*engines, log=log)) as asked:
        for _ in range(2):
            found = asked.points(IMAGE)
            assert (found is not None) == any(engines)
            assert found is None or found.tolist() == [list(p) for p in POINTS]
    assert sum(line.startswith("loaded") for line in log) == loaded
    assert sum(line.startswith("closed") for line in log) == loaded


def test_the_largest_face_counts():
    found = locator([1, 9, 3]).points(IMAGE)
    assert found.shape == (5, 2) and found.dtype == np.float32
    assert found.tolist() == [[9 * x, y] for x, y in POINTS]
