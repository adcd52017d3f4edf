"""MediaPipe's models by LiteRT, against MediaPipe itself."""

import zipfile
from contextlib import closing

import numpy as np
import pytest

from dtst_flow.faces import mediapipe, tflite

MODELS = {
    "BlazeFace": (mediapipe.DETECTOR, 128, 127.5, 127.5),
    "mesh": (mediapipe.MESH, 256, 0, 255),
}


@pytest.mark.parametrize("name", MODELS)
def test_litert_gives_what_mediapipe_gives(shared, name):
    member, side, zero, scale = MODELS[name]
    with zipfile.ZipFile(shared / "models/face_landmarker.task") as bundle:
        content = bundle.read(member)
    pixels = np.random.default_rng(1).integers(0, 256, (side, side, 3), np.uint8)
    with (
        closing(tflite.LiteRT(content, zero, scale)) as ours,
        closing(tflite.Mediapipe(content)) as theirs,
    ):
        outputs = zip(ours(pixels), theirs(pixels), strict=True)
        for mine, other in outputs:
            np.testing.assert_allclose(mine, other, atol=2e-3, rtol=1e-4)


def test_mediapipe_serves_where_litert_is_missing(monkeypatch):
    monkeypatch.setattr(tflite, "RUNNER", "mediapipe")
    monkeypatch.setattr(tflite, "Mediapipe", lambda content: ("by MediaPipe", content))
    assert tflite.open_model(b"model", 0, 1) == ("by MediaPipe", b"model")
