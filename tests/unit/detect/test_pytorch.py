"""Ultralytics' published weights cannot be had everywhere: models here have random ones."""

import os
from importlib.util import find_spec

import numpy as np
import pytest

from dtst_flow.detect import pytorch
from dtst_flow.detect.base import NotADetector, Prompt
from dtst_flow.detect.detectors import open_detector
from dtst_flow.models.errors import ModelError
from dtst_flow.models.store import Weights, sha256
from dtst_flow.utils.arrays import planes

KINDS = {
    "closed": "yolo26n.yaml",
    "world": "yolov8s-worldv2.yaml",
    "yoloe11": "yoloe-11s-seg.yaml",
    "yoloe26": "yoloe-26s-seg.yaml",
}
OPEN = [kind for kind in KINDS if kind != "closed"]


@pytest.mark.skipif(find_spec("ultralytics") is not None, reason="ultralytics is there")
def test_what_needs_ultralytics_says_so(tmp_path):
    with pytest.raises(ModelError, match="pip install ultralytics open_clip_torch"):
        open_detector(Weights(tmp_path / "yolo26n.pt", "digest"), 0.1)


@pytest.fixture(scope="module")
def ultralytics(tmp_path_factory):
    reason = "needs ultralytics (pip install '.[detect]')"
    os.environ["YOLO_CONFIG_DIR"] = str(tmp_path_factory.mktemp("settings"))
    os.environ |= {"YOLO_OFFLINE": "true", "YOLO_AUTOINSTALL": "false"}
    return pytest.importorskip("ultralytics", reason=reason)


@pytest.fixture(scope="module")
def checkpoints(ultralytics, tmp_path_factory, group_photo):
    """A checkpoint of each kind, its weights random but for their scale."""
    import torch

    from dtst_flow.imaging import decode

    folder = tmp_path_factory.mktemp("checkpoints")
    photo = decode.read(group_photo)[:640, :640]
    pixels = torch.from_numpy(photo.transpose(2, 0, 1)[None] / np.float32(255))
    made = {}
    for kind, config in KINDS.items():
        torch.manual_seed(0)
        model = ultralytics.YOLO(config)
        _calibrate(model.model, torch.cat([pixels, pixels.flip(3)]))
        path = folder / f"{kind}.pt"
        model.save(path)
        made[kind] = Weights(path, sha256(path))
    return made


def _calibrate(net, pixels) -> None:
    """Let the layers see numbers of the scale they would after training."""
    import torch

    norms = [m for m in net.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 1.0
    if hasattr(net, "txt_feats"):
        net.txt_feats = torch.nn.functional.normalize(torch.randn(1, 80, 512), dim=-1)
    net.train()
    with torch.no_grad():
        net(pixels)
    net.eval()
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    for contrast in getattr(net.model[-1], "cv4", None) or ():
        if hasattr(contrast, "logit_scale"):
            contrast.bias.data.fill_(-2.0)
            contrast.logit_scale.data.fill_(0.5)


def prompts(*names: str) -> list[Prompt]:
    chance = np.random.default_rng(0)
    vectors = {n: chance.normal(size=512).astype(np.float32) for n in "abcd"}
    return [Prompt(n, vectors[n] / np.linalg.norm(vectors[n])) for n in names]


@pytest.fixture(scope="module")
def image(group_photo):
    from dtst_flow.imaging import decode

    return decode.read(group_photo)


def boxes(found, name: str) -> np.ndarray:
    return np.array([(f.score, *f.box) for f in found if f.name == name][:50])


@pytest.mark.torch
@pytest.mark.parametrize("kind", OPEN)
def test_any_class_is_looked_for(checkpoints, image, kind):
    detector = open_detector(checkpoints[kind], 0.001, prompts("a", "b"))
    found = detector.find(image)
    assert detector.names == ["a", "b"] and {f.name for f in found} <= {"a", "b"}
    height, width = image.shape[:2]
    assert found
    for one in found:
        x0, y0, x1, y1 = one.box
        assert 0 <= x0 <= x1 <= width and 0 <= y0 <= y1 <= height
    again = open_detector(checkpoints[kind], 0.001, prompts("a", "b")).find(image)
    assert again == found


@pytest.mark.torch
@pytest.mark.parametrize("kind", ["yoloe11", "yoloe26"])
def test_what_else_is_looked_for_does_not_matter_to_yoloe(checkpoints, image, kind):
    alone = open_detector(checkpoints[kind], 0.001, prompts("a")).find(image)
    among = open_detector(checkpoints[kind], 0.001, prompts("b", "a")).find(image)
    ours, theirs = boxes(alone, "a"), boxes(among, "a")
    shared = min(len(ours), len(theirs))
    assert shared > 10
    assert ours[:shared, 0] == pytest.approx(theirs[:shared, 0], abs=1e-5)


@pytest.mark.torch
def test_boxes_are_those_that_ultralytics_decodes(ultralytics, checkpoints, image):
    """By its own letterbox, suppression and scaling, each class looked for by itself."""
    import torch
    from ultralytics.data.augment import LetterBox
    from ultralytics.utils.nms import non_max_suppression
    from ultralytics.utils.ops import scale_boxes

    detector = open_detector(checkpoints["closed"], 0.001)
    assert len(detector.names) == 80
    field = LetterBox((640, 640), auto=False)(image=image)
    pixels = planes(field) / np.float32(255)  # torch goes by their order in memory
    raw = torch.from_numpy(detector.run(pixels))[None]
    raw[:, 4:] *= (raw[:, 2:4] > 0).all(dim=1, keepdim=True)  # trained ones have area
    expected = non_max_suppression(raw, 0.001, 0.7, multi_label=True, max_det=9999)[0]
    scale_boxes((640, 640), expected[:, :4], image.shape[:2])
    expected = expected[(expected[:, 2:4] > expected[:, :2]).all(dim=1)][:300]
    found = detector.find(image)
    assert len(found) == len(expected) == 300
    for one, row in zip(found, expected.tolist(), strict=True):
        assert one.score == pytest.approx(row[4], abs=1e-6)
    boxes = {(f.name, round(v, 1)) for f in found for v in f.box}
    theirs = {(str(int(r[5])), round(v, 1)) for r in expected.tolist() for v in r[:4]}
    assert len(boxes & theirs) > 0.99 * len(theirs)


@pytest.mark.torch
def test_texts_are_read_once_and_by_the_right_model(checkpoints, tmp_path, monkeypatch):
    """The published encoders' own code, on random weights: tokens in, unit vectors out."""
    import torch

    class Reader(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.table = torch.nn.Embedding(49408, 512)

        def forward(self, tokens):
            return torch.nn.functional.normalize(self.table(tokens).mean(1), dim=-1)

    torch.manual_seed(0)
    traced = torch.jit.trace(Reader().eval(), torch.zeros(2, 77, dtype=torch.long))
    asked = []

    def resolve(name):
        asked.append(name)
        traced.save(str(tmp_path / "reader.ts"))
        return Weights(tmp_path / "reader.ts", "digest")

    monkeypatch.setattr(pytorch, "resolve", resolve)
    for kind, reader in (("yoloe11", "mobileclip_blt"), ("yoloe26", "mobileclip2_b")):
        model = pytorch.load(checkpoints[kind])
        assert pytorch.is_open(model)
        vectors = pytorch.read_texts(model, ["leaf", "a red flower"])
        assert vectors.shape == (2, 512) and vectors.dtype == np.float32
        assert np.linalg.norm(vectors, axis=1) == pytest.approx([1, 1], abs=1e-4)
        assert model.get_text_pe is not None and asked[-1] == reader
        assert not np.allclose(*vectors)
    assert not pytorch.is_open(pytorch.load(checkpoints["closed"]))


@pytest.mark.torch
def test_yolo_world_has_its_texts_read_by_clip(checkpoints, tmp_path, monkeypatch):
    import open_clip
    import torch
    from open_clip.tokenizer import SimpleTokenizer

    torch.manual_seed(0)
    # OpenAI published its weights in half precision.
    clip = open_clip.create_model("ViT-B-32-quickgelu").eval().half().float()
    kept = {k: v for k, v in clip.state_dict().items() if k != "attn_mask"}
    torch.save(kept, tmp_path / "clip.pt")
    weights = {"clip_vit_b32_openai": Weights(tmp_path / "clip.pt", "digest")}
    monkeypatch.setattr(pytorch, "resolve", weights.get)
    model = pytorch.load(checkpoints["world"])
    texts = ["leaf", "a red flower"]
    with torch.no_grad():
        expected = clip.encode_text(SimpleTokenizer()(texts), normalize=True).numpy()
    assert pytorch.is_open(model)
    assert pytorch.read_texts(model, texts) == pytest.approx(expected, abs=1e-5)


@pytest.mark.torch
def test_a_checkpoint_that_runs_code_is_refused(ultralytics, tmp_path):
    import torch

    class Hostile:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "hacked"),)

    torch.save({"model": Hostile()}, tmp_path / "hostile.pt")
    with pytest.raises(NotADetector, match=r"hostile\.pt cannot be loaded"):
        open_detector(Weights(tmp_path / "hostile.pt", "unknown"), 0.1)
    assert not (tmp_path / "hacked").exists()


@pytest.mark.torch
def test_a_model_of_another_task_is_refused(ultralytics, tmp_path):
    ultralytics.YOLO("yolo26n-cls.yaml").save(tmp_path / "x.pt")
    with pytest.raises(NotADetector, match="no detector but for: classify"):
        open_detector(Weights(tmp_path / "x.pt", "unknown"), 0.1)


@pytest.mark.torch
def test_without_restricted_loading_no_unknown_file_is_loaded(
    ultralytics, checkpoints, monkeypatch
):
    from ultralytics.nn import tasks

    monkeypatch.delattr(tasks, "SAFE_LOAD")
    with pytest.raises(ModelError, match="might run code"):
        open_detector(checkpoints["closed"], 0.1)
