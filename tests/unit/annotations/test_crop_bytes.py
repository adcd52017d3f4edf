"""How many boxes an image may have, and how much the sidecars of its crops may hold."""

import pytest

from dtst_flow.annotations import boxes, crop_bytes, crop_plan
from dtst_flow.dataset.manifest import ManifestRow
from dtst_flow.dataset.sidecars import BrokenSidecar
from dtst_flow.utils.files import to_json

ROW = ManifestRow("a.jpg", "", "a")
OPTIONS = crop_plan.Options()


def planned(sidecar: dict) -> list[crop_plan.Crop]:
    choice = crop_plan.choose(sidecar, OPTIONS)
    return list(crop_plan.plan(ROW, choice, (4000, 4000), OPTIONS))


def boxes_side_by_side(count: int) -> list[dict]:
    corners = ((x * 40, y * 40) for y in range(100) for x in range(100))
    chosen = [next(corners) for _ in range(count)]
    return [{"box": [x, y, x + 39, y + 39]} for x, y in chosen]


def test_boxes_that_all_overlap_are_refused_before_anything_is_made():
    sidecar = {"classes": {"x": [{"box": [0, 0, 64, 64]}] * 1000}}
    with pytest.raises(BrokenSidecar, match=r"1000 crops would have 1.. MB together"):
        planned(sidecar)


@pytest.mark.parametrize("count", [1, 300, 2000])
def test_boxes_side_by_side_are_not(count):
    crops = planned({"a": 1, "classes": {"x": boxes_side_by_side(count)}})
    assert len(crops) == count
    assert {len(crop.sidecar["classes"]["x"]) for crop in crops} == {1}


def test_too_many_boxes_are_refused():
    with pytest.raises(BrokenSidecar, match="it has 10001 boxes, more than 10000"):
        planned({"classes": {"x": [{}] * 10_000, "y": 5}})


@pytest.mark.parametrize(
    "own", [{"text": "x" * 400_000}, {f"{n}": n for n in range(20000)}]
)
def test_keys_of_the_user_count_for_each_crop(own):
    with pytest.raises(BrokenSidecar, match="its sidecar holds too much"):
        planned(own | {"classes": {"x": boxes_side_by_side(100)}})
    with pytest.raises(BrokenSidecar, match="its sidecar holds too much"):
        crop_bytes.check(own, 100)
    assert planned(own | {"classes": {"x": boxes_side_by_side(2)}})


def test_what_is_written_is_never_more_than_what_was_reckoned():
    entries = [
        {"box": [n, n, n + 50, n + 50], "score": 0.5, "by": "ä" * n} for n in range(60)
    ]
    sidecar = {
        "classes": {"a class": entries[:30], "b": entries[30:]},
        "k": [1, {"a": 2}],
    }
    crops = planned(sidecar)
    written = sum(
        len(
            to_json(
                {k: v for k, v in crop.sidecar.items() if k != "provenance"}, indent=2
            )
        )
        for crop in crops
    )
    every = boxes.read(sidecar["classes"])[0]
    reckoned = crop_bytes.Boxes(every).bytes_in([crop.window for crop in crops])
    assert written <= reckoned + len(crops) * len(
        to_json({"k": [1, {"a": 2}]}, indent=2)
    )


def test_a_long_class_is_cut_short_in_what_is_told_of_each_box():
    _, bad = boxes.read({"x" * 10**6: [{}] * 5})
    assert max(len(reason) for _, reason in bad) < 200
