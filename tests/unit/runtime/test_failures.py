import os
from pathlib import Path

import pytest

from dtst_flow.dataset import sidecars
from dtst_flow.dataset.part import ForeignFile
from dtst_flow.imaging import decode
from dtst_flow.runtime.failures import failure, healed_parts
from dtst_flow.utils.tables import write_table


def fail(state: Path, error: Exception, part: str = "s") -> None:
    write_table(state / f"failed/{part}.jsonl", [failure("images/a.jpg", error)])


@pytest.mark.parametrize(
    "mend",
    [
        Path.unlink,
        lambda path: path.write_text("longer"),
        lambda path: path.chmod(0o600),
    ],
    ids=["deleted", "edited", "permitted"],
)
@pytest.mark.parametrize("kind", [ForeignFile, sidecars.BrokenSidecar])
def test_what_stood_in_the_way_may_be_gone(tmp_path, kind, mend):
    cause = tmp_path / "x.jpg"
    cause.write_text("mine")
    fail(tmp_path, kind("broken", cause) if kind is not ForeignFile else kind(cause))
    assert healed_parts(tmp_path) == []
    mend(cause)
    assert healed_parts(tmp_path) == ["s"]


def test_a_link_to_nowhere_may_be_gone(tmp_path):
    (tmp_path / "x.jpg").symlink_to("nowhere")
    fail(tmp_path, ForeignFile(tmp_path / "x.jpg"))
    assert healed_parts(tmp_path) == []
    (tmp_path / "x.jpg").unlink()
    assert healed_parts(tmp_path) == ["s"]


def test_what_the_system_could_not_read_is_tried_again(tmp_path):
    with pytest.raises(decode.UnreadableImage) as raised:
        decode.read("/proc/self/mem")
    fail(tmp_path, raised.value, "s1")
    assert healed_parts(tmp_path) == ["s1"]


def test_what_is_no_image_stays_a_failure(tmp_path):
    for content in (b"", b"no image"):
        (tmp_path / "x.jpg").write_bytes(content)
        with pytest.raises(decode.UnreadableImage) as raised:
            decode.read(tmp_path / "x.jpg")
        fail(tmp_path, raised.value)
        os.utime(tmp_path / "x.jpg")
        assert healed_parts(tmp_path) == []


def test_nothing_there_yet(tmp_path):
    assert healed_parts(tmp_path) == []
