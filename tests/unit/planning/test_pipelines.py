import pytest

from dtst_flow.planning.pipelines import PIPELINES, resolve_defaults

OPEN = {
    "extract_frames": {"from": "videos", "to": "images/frames"},
    "extract_faces": {"from": "images/*", "to": "faces"},
    "detect": {"from": "photos", "classes": "leaf", "model": "yolo26n"},
    "extract_classes": {"from": None, "to": "crops", "classes": None},
    "cluster": {"from": None, "to": "cluster", "model": None},
    "select": {"from": "cluster", "to": "curated"},
}


@pytest.mark.parametrize(
    ("path", "source", "model"),
    [
        ("faces", "faces", "arcface"),
        ("images", "images/*", "clip"),
        ("classes", "crops", "clip"),
        ("cluster", None, "arcface"),
    ],
)
def test_cluster_takes_what_the_path_gives(path, source, model):
    cluster = resolve_defaults(path, OPEN)["cluster"]
    assert (cluster["from"], cluster["model"]) == (source, model)


def test_classes_are_cut_out_of_what_detect_looked_at():
    settled = resolve_defaults("classes", OPEN)
    assert settled["detect"] == OPEN["detect"]
    assert settled["extract_classes"] == {
        "from": "photos",
        "to": "crops",
        "classes": "leaf",
    }
    alone = resolve_defaults("extract-classes", OPEN)["extract_classes"]
    assert alone == {"from": "images/*", "to": "crops", "classes": None}


def test_what_is_set_stays():
    chosen = {"from": "a", "to": "b", "model": "efficientnet", "top": None}
    assert resolve_defaults("classes", OPEN | {"cluster": chosen})["cluster"] == chosen


def test_only_the_stages_of_a_path_are_settled():
    for path, stages in PIPELINES.items():
        assert list(resolve_defaults(path, OPEN)) == list(stages)
