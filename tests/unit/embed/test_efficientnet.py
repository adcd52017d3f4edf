from contextlib import closing
from importlib.metadata import files
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dtst_flow.embed.base import Sample
from dtst_flow.embed.efficientnet import DIMENSIONS, PREPROCESSING, EfficientnetEmbedder
from dtst_flow.imaging import decode
from dtst_flow.models import store
from dtst_flow.models.tensors import read_pth

CLASSES = {
    ("scikit-image", "chelsea.png"): {281, 282, 285},  # tabby, tiger cat, Egyptian cat
    ("scikit-image", "coffee.png"): {504, 967, 968},  # coffee mug, espresso, cup
    ("scikit-learn", "flower.jpg"): {
        308,
        723,
        985,
        986,
    },  # what ImageNet has of flowers
    ("scikit-image", "rocket.jpg"): {657, 744, 812},  # missile, projectile, shuttle
    ("matplotlib", "grace_hopper.jpg"): {400, 652},  # academic gown, military uniform
}
"""Photos that pip brings -> the classes of ImageNet that fit them."""


def photo(package: str, name: str) -> np.ndarray:
    return decode.read(next(Path(f.locate()) for f in files(package) if f.name == name))


@pytest.fixture(scope="module")
def weights():
    return store.resolve("efficientnet_lite0").path


@pytest.fixture(scope="module")
def embedder(weights):
    with closing(EfficientnetEmbedder(weights)) as embedder:
        yield embedder


@pytest.fixture(scope="module")
def samples():
    return [Sample(photo(*source)) for source in CLASSES]


@pytest.fixture(scope="module")
def rows(embedder, samples):
    return embedder.embed(samples)


def test_rows_are_float32_of_length_one(rows, embedder):
    assert rows.shape == (len(CLASSES), DIMENSIONS)
    assert embedder.dimensions == DIMENSIONS
    assert rows.dtype == np.float32
    assert np.linalg.norm(rows, axis=1) == pytest.approx(1, abs=1e-6)


def test_the_models_own_classifier_tells_from_the_rows_what_photos_show(weights, rows):
    layer = read_pth(weights)
    # Rows lost their length, which the bias is made for; it is small beside the rest.
    best = (rows @ layer["_fc.weight"].T).argmax(axis=1)
    for found, fitting in zip(best, CLASSES.values(), strict=True):
        assert found in fitting


@pytest.mark.torch
def test_the_network_is_that_of_its_package(weights, embedder):
    torch = pytest.importorskip("torch", reason="needs torch, to compare with")
    package = pytest.importorskip(
        "efficientnet_lite_pytorch", reason="needs the network in PyTorch"
    )
    model = package.EfficientNet.from_name("efficientnet-lite0").eval()
    model.load_state_dict(torch.load(weights, weights_only=True))
    squares = np.random.default_rng(0).integers(0, 256, (3, 224, 224, 3), np.uint8)
    pixels = np.stack([PREPROCESSING.normalise(square) for square in squares])
    with torch.no_grad():
        theirs = model.extract_features(torch.from_numpy(pixels)).mean((2, 3)).numpy()
    theirs /= np.linalg.norm(theirs, axis=1, keepdims=True)
    assert embedder.compute(list(squares))[0] == pytest.approx(theirs, abs=1e-5)


def test_a_changed_photo_is_nearer_than_another(embedder, samples, rows):
    def changed(sample: Sample) -> Sample:
        height, width = sample.image.shape[:2]
        part = sample.image[height // 10 :, : -(width // 10)]
        small = Image.fromarray(part).resize((width // 2, height // 2))
        return Sample((np.asarray(small)[:, ::-1] * 0.8).astype(np.uint8))

    alike = embedder.embed(list(map(changed, samples))) @ rows.T
    others = (rows @ rows.T)[~np.eye(len(rows), dtype=bool)]
    assert np.diag(alike).min() > others.max()


def test_a_row_does_not_depend_on_its_companions(embedder, samples, rows):
    for i, sample in enumerate(samples):
        assert embedder.embed([sample]).tobytes() == rows[i : i + 1].tobytes()
    assert embedder.embed(samples[::-1])[::-1].tobytes() == rows.tobytes()


def test_no_samples_give_no_rows(embedder):
    assert embedder.embed([]).shape == (0, DIMENSIONS)


@pytest.mark.parametrize("shape", [(1, 1), (1, 3000), (3000, 1)])
def test_any_image_gives_a_row(embedder, shape):
    row = embedder.embed([Sample(np.zeros((*shape, 3), np.uint8))])
    assert np.isfinite(row).all()
