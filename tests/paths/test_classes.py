"""One real run of path classes: detect, then extract-classes, then cluster."""

from dtst_flow.dataset import sidecars
from helpers import things_of_colour
from helpers.dataset import NOTHING


def test_all_stages_run_and_then_none(colours, tmp_path):
    things = things_of_colour.write(tmp_path)
    settings = {
        "path": "classes",
        "detect": {"from": "images", "classes": "red", "weights": str(colours)},
        "cluster": {"model": "efficientnet", "min_cluster_size": 2},
    }
    sidecars.write(
        things.folder / "images/bare.png",
        {"classes": {"cat": [{"box": [1, 2, 30, 40]}]}},
    )
    things.run(settings=settings)
    made = sorted(path.name for path in (things.folder / "crops").glob("*.jpg"))
    # The class asked for, not all there are.
    assert made == ["both_red_00.jpg", "both_red_01.jpg", "left_red.jpg"]
    assert sum(c["size"] for c in things.clusters()["clusters"]) <= 3
    assert NOTHING in things.run(settings=settings)
