import pickle

import numpy as np
import pytest

from dtst_flow.models import store
from dtst_flow.models.tensors import BadWeights, read_pth, read_safetensors
from helpers.safetensors import safetensors


@pytest.mark.parametrize(("name", "dtype"), [("F32", "<f4"), ("F16", "<f2")])
def test_safetensors_are_read_by_prefix(tmp_path, name, dtype):
    tensors = {
        "visual.a": np.arange(6, dtype=dtype).reshape(2, 3),
        "visual.b": np.array(7, dtype),
        "text.c": np.ones(4, dtype),
    }
    path = tmp_path / "x.safetensors"
    path.write_bytes(safetensors(tensors, name))
    found = read_safetensors(path, "visual.")
    assert found.keys() == {"a", "b"}
    assert found["a"].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert found["b"].shape == () and found["b"] == 7
    assert all(tensor.dtype == np.float32 for tensor in found.values())
    assert read_safetensors(path).keys() == tensors.keys()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"nonsense that is no safetensors file",
        safetensors({"a": np.ones(4, np.float32)})[:-4],
        safetensors({"a": np.ones(4, np.float32)}, "F4"),
    ],
    ids=["empty", "nonsense", "cut off", "unknown type"],
)
def test_broken_safetensors_are_refused(tmp_path, content):
    path = tmp_path / "x.safetensors"
    path.write_bytes(content)
    with pytest.raises(BadWeights, match="can be read"):
        read_safetensors(path)


def test_a_state_dict_of_pytorch_is_read_without_it():
    weights = read_pth(store.resolve("efficientnet_lite0").path)
    assert len(weights) == 296
    assert weights["_fc.weight"].shape == (1000, 1280)
    assert weights["_bn0.num_batches_tracked"].shape == ()
    assert all(w.dtype == np.float32 and w.flags.c_contiguous for w in weights.values())
    assert all(np.isfinite(w).all() for w in weights.values())


@pytest.mark.torch
def test_a_state_dict_is_read_as_pytorch_reads_it():
    torch = pytest.importorskip("torch", reason="needs torch, to compare with")
    path = store.resolve("efficientnet_lite0").path
    theirs = torch.load(path, weights_only=True)
    ours = read_pth(path)
    assert ours.keys() == theirs.keys()
    assert all(np.array_equal(ours[name], theirs[name].numpy()) for name in ours)


class Harm:
    def __reduce__(self):
        return print, ("called",)


@pytest.mark.parametrize("content", [b"", b"nonsense", pickle.dumps(Harm())])
def test_a_file_of_anything_else_is_refused_and_nothing_in_it_is_called(
    tmp_path, capsys, content
):
    path = tmp_path / "x.pth"
    path.write_bytes(content)
    with pytest.raises(BadWeights, match="can be read"):
        read_pth(path)
    assert capsys.readouterr().out == ""


def test_a_tensor_that_reaches_out_of_its_storage_is_refused(tmp_path):
    content = store.resolve("efficientnet_lite0").path.read_bytes()
    path = tmp_path / "x.pth"
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(BadWeights):
        read_pth(path)
