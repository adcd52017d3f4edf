"""OpenCLIP's published weights cannot be had everywhere: towers here have random ones."""

from importlib.util import find_spec

import numpy as np
import pytest
from PIL import Image

from dtst_flow.embed import clip, vit
from dtst_flow.embed.base import Sample
from dtst_flow.embed.clip import MEAN, SPREAD, open_tower
from dtst_flow.embed.embedders import MODELS, open_embedder, registered
from dtst_flow.embed.whole import Preprocessing, SessionEmbedder
from dtst_flow.models.errors import ModelError
from helpers.safetensors import safetensors

NAME = "ViT-B-32/laion2b_s34b_b79k"
PATCH, GRID, WIDTH, LAYERS, DIMENSIONS = 16, 3, 128, 2, 24
SIDE = PATCH * GRID


def tower() -> dict[str, np.ndarray]:
    """Random weights of a small tower, by open_clip's names."""
    chance = np.random.default_rng(0)

    def tensor(*shape: int) -> np.ndarray:
        return (chance.normal(size=shape) * shape[-1] ** -0.5).astype(np.float32)

    weights = {
        "class_embedding": tensor(WIDTH),
        "positional_embedding": tensor(1 + GRID**2, WIDTH),
        "conv1.weight": tensor(WIDTH, 3, PATCH, PATCH),
        "proj": tensor(WIDTH, DIMENSIONS),
    }
    norms = ["ln_pre", "ln_post"]
    for i in range(LAYERS):
        block = f"transformer.resblocks.{i}"
        norms += [f"{block}.ln_1", f"{block}.ln_2"]
        weights[f"{block}.attn.in_proj_weight"] = tensor(3 * WIDTH, WIDTH)
        weights[f"{block}.attn.in_proj_bias"] = tensor(3 * WIDTH)
        for name, out, into in (
            ("attn.out_proj", WIDTH, WIDTH),
            ("mlp.c_fc", 4 * WIDTH, WIDTH),
            ("mlp.c_proj", WIDTH, 4 * WIDTH),
        ):
            weights[f"{block}.{name}.weight"] = tensor(out, into)
            weights[f"{block}.{name}.bias"] = tensor(out)
    for name in norms:
        weights[f"{name}.weight"] = 1 + tensor(WIDTH)
        weights[f"{name}.bias"] = tensor(WIDTH)
    return weights


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    path = tmp_path_factory.mktemp("clip") / "tower.safetensors"
    named = {f"visual.{name}": tensor for name, tensor in tower().items()}
    path.write_bytes(safetensors(named | {"logit_scale": np.array(1, np.float32)}))
    return path


@pytest.fixture(scope="module")
def samples():
    chance = np.random.default_rng(1)
    sizes = [(50, 90), (300, 200), (48, 48), (40, 500)]
    return [Sample(chance.integers(0, 256, (*size, 3), np.uint8)) for size in sizes]


@pytest.fixture
def without_gpu(monkeypatch):
    monkeypatch.setattr(clip, "torch_has_gpu", lambda: False)


def plainly(weights: dict[str, np.ndarray], pixels: np.ndarray, quick: bool):
    """The tower in NumPy, for one image (3, SIDE, SIDE)."""
    from scipy.special import erf

    def linear(x, name):
        return x @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]

    def normalise(x, name):
        x = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5)
        return x * weights[f"{name}.weight"] + weights[f"{name}.bias"]

    def gelu(x):
        return x / (1 + np.exp(-1.702 * x)) if quick else x * (1 + erf(x / 2**0.5)) / 2

    def attend(x, name):
        kernel = weights[f"{name}.in_proj_weight"]
        parts = np.split(x @ kernel.T + weights[f"{name}.in_proj_bias"], 3, axis=-1)
        heads = []
        for q, k, v in zip(*(np.split(p, WIDTH // 64, -1) for p in parts), strict=True):
            fit = np.exp(q @ k.T / 8)
            heads.append(fit / fit.sum(-1, keepdims=True) @ v)
        return linear(np.concatenate(heads, -1), f"{name}.out_proj")

    patches = pixels.reshape(3, GRID, PATCH, GRID, PATCH).transpose(1, 3, 0, 2, 4)
    seen = patches.reshape(GRID**2, -1) @ weights["conv1.weight"].reshape(WIDTH, -1).T
    x = np.vstack([weights["class_embedding"], seen]) + weights["positional_embedding"]
    x = normalise(x, "ln_pre")
    for i in range(LAYERS):
        block = f"transformer.resblocks.{i}"
        x = x + attend(normalise(x, f"{block}.ln_1"), f"{block}.attn")
        seen = gelu(linear(normalise(x, f"{block}.ln_2"), f"{block}.mlp.c_fc"))
        x = x + linear(seen, f"{block}.mlp.c_proj")
    row = normalise(x[0], "ln_post") @ weights["proj"]
    return row / np.linalg.norm(row)


@pytest.mark.parametrize(
    ("name", "quick"),
    [(NAME, False), ("ViT-B-32-quickgelu/dfn2b", True), ("ViT-B-32/openai", True)],
)
def test_the_network_is_the_vision_transformer(
    checkpoint, samples, without_gpu, name, quick
):
    embedder = open_tower(name, checkpoint, 32)
    preprocessing = Preprocessing(SIDE, SIDE, MEAN, SPREAD)
    expected = [
        plainly(tower(), preprocessing.normalise(preprocessing.square(s.image)), quick)
        for s in samples
    ]
    rows = embedder.embed(samples)
    assert rows == pytest.approx(np.array(expected), abs=1e-5)
    assert rows.dtype == np.float32
    assert rows.shape == (len(samples), embedder.dimensions)


def test_a_row_does_not_depend_on_its_companions(checkpoint, samples, without_gpu):
    embedder = open_tower(NAME, checkpoint, 32)
    rows = embedder.embed(samples)
    for i, sample in enumerate(samples):
        assert embedder.embed([sample]).tobytes() == rows[i : i + 1].tobytes()
    assert embedder.embed(samples[::-1])[::-1].tobytes() == rows.tobytes()


def test_a_tower_as_an_onnx_file_gives_the_same(
    checkpoint, samples, without_gpu, tmp_path
):
    path = tmp_path / "tower.onnx"
    path.write_bytes(vit.network(tower()))
    theirs = open_tower("any/tag", path, 32).embed(samples)
    ours = open_tower(NAME, checkpoint, 32).embed(samples)
    assert theirs.tobytes() == ours.tobytes()


@pytest.mark.parametrize("size", [(640, 427), (427, 640), (224, 224), (100, 1500)])
def test_the_square_is_what_resizing_and_cropping_gives(size):
    chance = np.random.default_rng(2)
    image = Image.fromarray(chance.integers(0, 256, (*size, 3), np.uint8))
    width, height = image.size
    scale = 224 / min(image.size)
    whole = int(width * scale + 1e-9), int(height * scale + 1e-9)
    corner = [round((side - 224) / 2) for side in whole]
    expected = image.resize(whole, Image.Resampling.BICUBIC).crop(
        (*corner, corner[0] + 224, corner[1] + 224)
    )
    square = Preprocessing(224, 224, MEAN, SPREAD).square(np.asarray(image))
    assert np.array_equal(square, expected)


def test_of_a_very_long_image_the_middle_counts():
    image = np.random.default_rng(3).integers(0, 256, (10, 9001, 3), np.uint8)
    preprocessing = Preprocessing(224, 224, MEAN, SPREAD)
    assert np.array_equal(
        preprocessing.square(image), preprocessing.square(image[:, 4400:4601])
    )


def test_models_without_registered_weights_want_theirs():
    settings = {"model": "clip", "clip_model": NAME, "weights": None}
    assert registered(settings) == MODELS["clip"].weights
    settings["clip_model"] = "ViT-L-14/laion2b_s32b_b82k"
    with pytest.raises(ModelError, match="--weights"):
        registered(settings)
    assert registered(settings | {"weights": "x.safetensors"})


@pytest.mark.skipif(find_spec("open_clip") is not None, reason="open_clip is there")
@pytest.mark.parametrize("name", ["ViT-H-14/laion2b_s32b_b79k", NAME])
def test_what_needs_open_clip_says_so(name, tmp_path):
    with pytest.raises(ModelError, match="pip install open_clip_torch"):
        open_tower(name, tmp_path / "model.bin", 32)


# Against open_clip itself


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """A random ViT-B-32 of open_clip, its checkpoint, and the transform for it."""
    reason = "needs open_clip_torch (pip install '.[clip]')"
    open_clip = pytest.importorskip("open_clip", reason=reason)
    import torch
    from safetensors.torch import save_file

    torch.manual_seed(0)
    model, _, transform = open_clip.create_model_and_transforms("ViT-B-32")
    with torch.no_grad():
        for (
            tensor
        ) in model.parameters():  # biases and gains are not random of themselves
            tensor.add_(0.05 * torch.randn_like(tensor) * (tensor.ndim == 1))
    path = tmp_path_factory.mktemp("open_clip") / "model.safetensors"
    save_file({k: v.contiguous() for k, v in model.state_dict().items()}, path)
    return model.eval(), path, transform


def theirs(published, samples) -> np.ndarray:
    import torch

    model, _, transform = published
    pixels = torch.stack([transform(Image.fromarray(s.image)) for s in samples])
    with torch.no_grad():
        return model.encode_image(pixels, normalize=True).numpy()


@pytest.mark.torch
def test_images_are_prepared_as_open_clip_does(published, samples):
    preprocessing = Preprocessing(224, 224, MEAN, SPREAD)
    for sample in samples:
        ours = preprocessing.normalise(preprocessing.square(sample.image))
        expected = published[2](Image.fromarray(sample.image)).numpy()
        assert np.abs(ours - expected).max() * min(SPREAD) <= 1.001


@pytest.mark.torch
def test_onnx_runtime_gives_what_open_clip_gives(published, samples, without_gpu):
    embedder = open_tower(NAME, published[1], 32)
    assert isinstance(embedder, SessionEmbedder)
    assert embedder.embed(samples) == pytest.approx(
        theirs(published, samples), abs=1e-3
    )


@pytest.mark.torch
@pytest.mark.parametrize("suffix", [".safetensors", ".bin"])
def test_torch_gives_what_open_clip_gives(published, samples, tmp_path, suffix):
    import torch

    _, path, _ = published
    if suffix == ".bin":
        path = tmp_path / "model.bin"
        torch.save(published[0].state_dict(), path)
    embedder = clip.TorchEmbedder("ViT-B-32", "laion2b_s34b_b79k", path, 4)
    rows = embedder.embed(samples)
    tolerance = 2e-2 if torch.cuda.is_available() else 1e-5
    assert rows == pytest.approx(theirs(published, samples), abs=tolerance)
    for i, sample in enumerate(samples):
        assert embedder.embed([sample]).tobytes() == rows[i : i + 1].tobytes()
    embedder.close()


@pytest.mark.torch
def test_the_exported_tower_gives_what_torch_gives(published, samples, tmp_path):
    import torch

    if find_spec("onnxscript") is None:
        pytest.skip("needs onnxscript, with which PyTorch exports")
    path = tmp_path / "visual.onnx"
    torch.onnx.export(
        published[0].visual,
        (torch.zeros(1, 3, 224, 224),),
        path,
        input_names=["x"],
        output_names=["row"],
        dynamic_axes={"x": {0: "n"}, "row": {0: "n"}},
        dynamo=False,
    )
    rows = open_embedder("clip", path, 32).embed(samples)
    assert rows == pytest.approx(theirs(published, samples), abs=1e-3)
