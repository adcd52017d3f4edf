import hashlib
import os

import pytest

from dtst_flow.models import digests
from dtst_flow.utils.folders import user_cache


@pytest.fixture
def weights(tmp_path, monkeypatch):
    """Weights that were not seen before."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(digests, "SETTLED", -1)
    digests._sha256.cache_clear()
    path = tmp_path / "weights.bin"
    path.write_bytes(b"weights")
    return path


@pytest.fixture
def read(monkeypatch):
    """The files that were read."""
    paths = []
    real = digests.open_regular
    monkeypatch.setattr(
        digests, "open_regular", lambda path: paths.append(path) or real(path)
    )
    return paths


def asked_anew(path):
    """The digest, as another process is given it."""
    digests._sha256.cache_clear()
    return digests.sha256(path)


def test_weights_are_read_once(weights, read):
    assert digests.sha256(weights) == hashlib.sha256(b"weights").hexdigest()
    assert asked_anew(weights) == hashlib.sha256(b"weights").hexdigest()
    assert read == [weights]


def test_weights_that_changed_are_read_again(weights, read):
    digests.sha256(weights)
    before = os.stat(weights)
    weights.write_bytes(b"another")
    os.utime(weights, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert asked_anew(weights) == hashlib.sha256(b"another").hexdigest()
    other = weights.with_name("other.bin")
    other.write_bytes(b"replace")
    os.replace(other, weights)
    assert asked_anew(weights) == hashlib.sha256(b"replace").hexdigest()
    assert len(read) == 3


def test_weights_that_have_just_changed_are_read_again(weights, read, monkeypatch):
    monkeypatch.setattr(digests, "SETTLED", 60)
    digests.sha256(weights)
    asked_anew(weights)
    assert len(read) == 2
    assert not (user_cache() / "weights").exists()


@pytest.mark.parametrize("note", ["", "[]", "[1, 2]", '{"a": 1}', "[[], 5]"])
def test_notes_that_are_not_ours_are_passed_over(weights, read, note):
    digests.sha256(weights)
    for path in (user_cache() / "weights").iterdir():
        path.write_text(note)
    assert asked_anew(weights) == hashlib.sha256(b"weights").hexdigest()
    assert len(read) == 2


def test_without_a_cache_they_are_read(weights, read, monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert asked_anew(weights) == asked_anew(weights)
    assert len(read) == 2
