from pathlib import Path

import pytest
from PIL import Image

from dtst_flow.dataset import sidecars
from dtst_flow.planning.config import complete_config
from dtst_flow.stages import extract_classes
from dtst_flow.stages.contract import WouldFail
from dtst_flow.stages.extract_classes import missing, tally
from dtst_flow.stages.shards import Shard
from dtst_flow.utils.tables import write_table


def row(*classes: str, missing: tuple[str, ...] = (), found: int = 0) -> dict:
    there = {"found": found, "classes": list(classes), "missing": list(missing)}
    return there | {"crops": [], "unusable": []}


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ([row(missing=("rose",)), row(missing=("rose",))], "no image has a sidecar"),
        ([row("leaf", missing=("rose",)), row(missing=("rose",))], "there are: leaf"),
        ([row("leaf", missing=("rose",), found=1)], ""),
        ([row("rose"), row(missing=("rose",))], ""),
        ([row(), row()], ""),
    ],
    ids=["no sidecar", "others", "found besides", "in one", "all classes"],
)
def test_a_class_in_no_sidecar_is_not_to_be_summed_up(rows, sentence, tmp_path):
    write_table(tmp_path / "table.jsonl", rows)
    shard = Shard(str(tmp_path / "table.jsonl"), "")
    shard.sum_up(tally)
    told = missing(shard.tally)
    assert bool(told) is bool(sentence) and sentence in told


def test_before_a_run_for_a_class_that_nobody_has_it_is_told(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    box = {"box": [1, 1, 30, 30], "score": 0.9}
    Path("images").mkdir()
    for name in "ab":
        Image.new("RGB", (64, 64)).save(f"images/{name}.png")
        sidecars.write(Path(f"images/{name}.png"), {"classes": {"cat": [box]}})
    images = {f"images/{name}.png": name for name in "ab"}
    settings = complete_config({})["extract_classes"] | {"to": "crops"}
    said = extract_classes.pending(settings | {"classes": "cat"}, images).said
    assert said.startswith("at most 2 crops to write")
    with pytest.raises(WouldFail, match="no image has the class 'dog'; there are: cat"):
        extract_classes.pending(settings | {"classes": "dog"}, images)
