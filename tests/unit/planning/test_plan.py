"""What a plan makes of a config; no Snakemake runs."""

import os
from pathlib import Path

import pytest

from dtst_flow.planning.plan import PlanError, make_plan
from dtst_flow.stages.registry import STAGES
from dtst_flow.utils.tables import write_table
from helpers.plans import complete


def test_a_plan_names_the_stages_of_its_path_in_order(tmp_path):
    plan = make_plan(complete(tmp_path, "classes", detect={"classes": "leaf"}))
    names = [stage.name for stage in plan.stages]
    assert names == ["detect", "extract_classes", "cluster"]
    assert plan.before("cluster") == ["detect", "extract_classes"]
    assert plan.buckets == {
        "detect": ".detect",
        "extract_classes": "crops",
        "cluster": "cluster",
    }
    assert plan.bucket("extract_faces") == "no-extract_faces"
    assert plan.summary_before("detect") == []
    assert plan.summary_before("cluster") == [".dtst/buckets/crops/summary.json"]


def test_files_of_a_shard_are_patterns_until_it_is_known(tmp_path):
    plan = make_plan(complete(tmp_path, "faces"))
    assert plan.table("cluster") == ".dtst/buckets/cluster/embeddings/{shard}.jsonl"
    assert plan.table("cluster", "s1", "npy").endswith("cluster/embeddings/s1.npy")
    assert plan.failed("extract_faces", "s0") == ".dtst/buckets/faces/failed/s0.jsonl"
    assert plan.log("embed", "cluster", "{shard}") == (
        ".dtst/logs/embed/cluster/{shard}.log"
    )
    assert plan.log("cluster", "cluster") == ".dtst/logs/cluster/cluster.log"


def test_the_source_of_a_stage_is_what_the_one_before_makes(tmp_path):
    plan = make_plan(complete(tmp_path, "faces"))
    assert plan.specs("extract_faces") == ["images/*"]
    assert plan.specs("cluster") == ["faces"]
    listing = plan.listing("cluster", 7)
    assert listing["specs"] == ["faces"] and listing["shard_size"] == 7
    assert listing["with_sidecars"]


def test_known_people_are_embedded_along_with_the_source(tmp_path):
    people = {"cluster": {"people": "known/people/"}}
    (tmp_path / "crowd/known/people").mkdir(parents=True)
    plan = make_plan(complete(tmp_path, "faces", **people))
    assert plan.specs("cluster") == ["faces", "known/people/*"]
    assert plan.specs("extract_faces") == ["images/*"]
    cluster = people["cluster"] | {"from": "images/*,known/people/Ann"}
    plan = make_plan(complete(tmp_path, "cluster", cluster=cluster))
    with pytest.raises(PlanError, match="--from 'known/people/Ann' is in --people"):
        plan.specs("cluster")
    # A path without clusters looks for nobody.
    make_plan(complete(tmp_path, "extract-faces", cluster={"people": "nowhere"}))


def test_detect_does_not_look_at_what_sidecars_hold(tmp_path):
    plan = make_plan(complete(tmp_path, "detect", detect={"classes": "leaf"}))
    assert not plan.listing("detect", 1)["with_sidecars"]


def test_weights_are_named_from_anywhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    plan = make_plan(complete(tmp_path, "faces", cluster={"weights": "mine.onnx"}))
    assert plan.settings["cluster"]["weights"] == str(tmp_path / "mine.onnx")


def test_labels_count_where_they_are(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    plan = make_plan(complete(tmp_path, "faces"))
    assert plan.labels() is None
    Path("cluster").mkdir()
    labels = Path("cluster/labels.csv")
    labels.touch()
    empty = plan.labels()
    os.utime(labels, (4e9, 4e9))
    assert plan.labels() == empty
    labels.write_text("name,faces/a.jpg,Ann\n")
    assert plan.labels() not in (None, empty)
    labels.unlink()
    os.mkfifo(labels)
    assert plan.labels() is None


@pytest.mark.parametrize(
    ("path", "settings", "said"),
    [
        ("detect", {}, "detect needs classes"),
        ("faces", {"cluster": {"to": "../x"}}, "must name a folder below"),
        ("faces", {"extract_faces": {"to": ".hidden"}}, "hidden folders"),
        ("faces", {"cluster": {"people": "people"}}, "'people' is no folder in"),
        ("faces", {"cluster": {"people": "../x"}}, "no folder in .*: it holds"),
        ("images", {"cluster": {"people": "people"}}, "clip compares whole images"),
    ],
)
def test_what_cannot_be_carried_out_is_refused(tmp_path, path, settings, said):
    with pytest.raises(PlanError, match=said):
        make_plan(complete(tmp_path, path, **settings))


def test_a_source_that_overlaps_the_target_is_refused(tmp_path):
    plan = make_plan(complete(tmp_path, "cluster", cluster={"from": "cluster"}))
    with pytest.raises(PlanError, match="overlap"):
        plan.specs("cluster")
    plan = make_plan(complete(tmp_path, "cluster"))
    with pytest.raises(PlanError, match="cluster needs a source"):
        plan.specs("cluster")


def test_only_what_clusters_can_be_reported_on(tmp_path):
    with pytest.raises(PlanError, match="makes no clusters"):
        make_plan(complete(tmp_path, "extract-faces")).summaries_with_clusters()


def test_a_dataset_outside_of_root_is_refused(tmp_path):
    with pytest.raises(PlanError, match="no folder below root"):
        make_plan(complete(tmp_path, "faces") | {"dataset": "../crowd"})


def test_state_on_storage_that_is_gone_is_told(tmp_path):
    (tmp_path / "crowd").mkdir()
    (tmp_path / "crowd/.dtst").symlink_to(tmp_path / "unmounted/state")
    with pytest.raises(PlanError, match="Mount or make"):
        make_plan(complete(tmp_path, "faces"))
    (tmp_path / "unmounted").mkdir()
    make_plan(complete(tmp_path, "faces"))
    assert not (tmp_path / "unmounted/state").exists()  # a run makes it, not a plan


@pytest.mark.parametrize("stage", STAGES.values(), ids=lambda stage: stage.name)
def test_a_stage_keeps_its_contract(stage, tmp_path):
    """Whatever else asks for a stage by these names finds it."""
    config = complete(tmp_path, "faces")
    assert stage.name in config
    options = set(stage.options.__dataclass_fields__)
    assert options <= config[stage.name].keys()
    assert stage.rule in stage.cost_keys
    for keys in stage.cost_keys.values():
        assert set(keys) <= config[stage.name].keys()
    assert stage.makes_bucket is ("to" in config[stage.name])
    assert (stage.describe is None) is (stage.commit is None)


def made(tmp_path, bucket: str, stage: str) -> None:
    """What a run of a stage leaves of its state."""
    state = tmp_path / "crowd/.dtst/buckets" / bucket
    for table in ("inventory/skipped.table", f"{STAGES[stage].table}/s01.jsonl"):
        write_table(state / table, [])


def test_a_target_of_another_stage_is_refused(tmp_path):
    made(tmp_path, "out", "extract_faces")
    make_plan(complete(tmp_path, "extract-faces", extract_faces={"to": "out"}))
    for path in ("cluster", "extract-classes"):
        stage = path.replace("-", "_")
        config = complete(tmp_path, path, **{stage: {"to": "out", "from": "images"}})
        with pytest.raises(PlanError, match="'out' has the results of extract-faces"):
            make_plan(config)


@pytest.mark.parametrize("name", ["inventory", "ledger", "faces", "embeddings"])
def test_two_targets_do_not_share_a_folder_of_state(tmp_path, name):
    def plan(to: str):
        return make_plan(complete(tmp_path, "extract-faces", extract_faces={"to": to}))

    plan(f"out/{name}")
    made(tmp_path, "out", "extract_faces")
    plan("out/inner")
    with pytest.raises(PlanError, match=f"'out' and 'out/{name}' cannot both"):
        plan(f"out/{name}")
    made(tmp_path, f"other/{name}", "extract_faces")
    with pytest.raises(PlanError, match=f"'other' and 'other/{name}' cannot both"):
        plan("other")


@pytest.mark.parametrize(
    "name",
    [
        *("buckets", "buckets/faces", "buckets/faces/failed", "buckets/cluster/ledger"),
        *("records", "records/embed", "progress", "logs", "config"),
    ],
)
def test_a_file_in_place_of_a_folder_of_state_is_told(tmp_path, name):
    path = tmp_path / "crowd/.dtst" / name
    path.parent.mkdir(parents=True)
    make_plan(complete(tmp_path, "faces"))
    path.touch()
    with pytest.raises(PlanError, match=f"{name} is no folder, and dtst keeps"):
        make_plan(complete(tmp_path, "faces"))
