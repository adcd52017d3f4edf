import os
from pathlib import Path

import pytest

from dtst_flow.dataset import digests, scan
from dtst_flow.planning.plan import PlanError, make_plan
from dtst_flow.planning.preview import Preview, preview
from dtst_flow.planning.source_scan import known_files, source_listing
from dtst_flow.stages.contract import Row
from dtst_flow.utils.tables import write_table
from helpers.plans import complete


@pytest.fixture(autouse=True)
def crowd(tmp_path, monkeypatch) -> None:
    """A dataset with images/a/0.jpg to 3.jpg and images/b/0.jpg; we are in it."""
    for name in ("a/0", "a/1", "a/2", "a/3", "b/0"):
        path = tmp_path / f"crowd/images/{name}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    monkeypatch.chdir(tmp_path / "crowd")


def look(path: str = "extract-faces", **settings) -> Preview:
    stage = path.replace("-", "_")
    config = complete(Path().resolve().parent, path, **{stage: settings})
    plan = make_plan(config)
    listing = source_listing(plan, stage)
    return preview(plan, listing, known_files(plan, stage, listing))


METRICS = {"face_size": 30.0, "score": 0.8, "quality": 0.5}


def face(rank: int, partial: bool = False, **metrics: float) -> Row:
    return {"rank": rank, "partial": partial, "metrics": METRICS | metrics}


def last_run(path: str, facts: dict[str, Row] | None = None, **made: list[str]) -> None:
    """Note what the last run made of images; `a0` is images/a/0.jpg.

    Args:
        path: What was run.
        facts: Name of a file -> what is noted of its face or box.
        made: Image -> names of files.
    """
    plan = make_plan(complete(Path().resolve().parent, path))
    stage = plan.stages[0]
    table = plan.state(stage.name) / stage.table / "s.jsonl"
    rows = [
        {
            "path": f"images/{i[0]}/{i[1]}.jpg",
            "crops": [{"path": n} | (facts or {}).get(n, {}) for n in names],
        }
        for i, names in made.items()
    ]
    table.parent.mkdir(parents=True)
    write_table(table, rows)


def test_a_first_run_finds_all_new_and_removes_nothing():
    seen = look(**{"from": "images/*"})
    assert seen == Preview(images=5, new=5)
    assert seen.removal("will") == ""


def test_images_that_are_listed_are_not_new():
    table = Path(".dtst/buckets/faces") / digests.FILE
    table.parent.mkdir(parents=True)
    rows = []
    for path in ("images/a/0.jpg", "images/a/1.jpg"):
        stat = os.stat(path)
        known = {
            "size": stat.st_size,
            "mtime": stat.st_mtime_ns,
            "digest": digests.digest_of(path),
        }
        rows.append({"path": path, **known})
    rows[1]["size"] += 1  # it changed since
    write_table(table, rows)
    assert look(**{"from": "images/*"}).new == 4
    table.write_bytes(b"broken")
    assert look(**{"from": "images/*"}).new == 5


def test_crops_of_images_that_are_left_out_go():
    last_run("extract-faces", a0=["0_00.jpg", "0_01.jpg"], b0=["b_00.jpg"])
    seen = look(**{"from": "images/a"})
    assert (seen.there, seen.going) == (3, 1)
    assert seen.removal("would") == (
        "1 of the 3 files of the run before would be removed: "
        "their images are not in the source"
    )


def test_faces_beyond_the_most_go():
    facts = {"x": face(0), "y_00.jpg": face(1), "z": face(2), "b": face(0)}
    last_run("extract-faces", facts, a0=["x", "y_00.jpg", "z"], b0=["b"])
    seen = look(**{"from": "images/*", "max_faces": 1})
    assert (seen.there, seen.going) == (4, 2)
    assert seen.why == "the settings leave them out"
    both = look(**{"from": "images/a", "max_faces": 1})
    assert (both.going, both.why) == (
        3,
        "their images are not in the source or the settings leave them out",
    )


def test_faces_that_do_not_reach_a_limit_go():
    facts = {"0_00.jpg": face(0), "0_02.jpg": face(2, partial=True, quality=0.2)}
    last_run("extract-faces", facts, a0=list(facts), b0=["b_00.jpg"])
    for settings, going in [
        ({"min_quality": 0.4}, 1),
        ({"min_quality": 0.6}, 2),
        ({"min_quality": 0.4, "max_faces": 2}, 1),
        ({"min_size": 31.0, "max_faces": 1}, 2),
        ({"min_score": 0.8}, 0),
        ({"skip_partial": True}, 1),
    ]:
        assert look(**{"from": "images/*"}, **settings).going == going


@pytest.mark.parametrize("metrics", [None, [], {}, {"quality": "high"}])
def test_of_faces_of_unknown_metrics_none_is_said_to_go(metrics):
    facts = {"0_00.jpg": face(0) | {"metrics": metrics}}
    last_run("extract-faces", facts, a0=["0_00.jpg"], b0=["b_.jpg"])
    assert look(**{"from": "images/*", "min_quality": 0.9, "max_faces": 1}).going == 0


@pytest.mark.parametrize(
    ("classes", "going"),
    [(None, 0), ("leaf", 2), ("flower", 1), ("leaf,flower", 0), ("rose", 3)],
)
def test_classes_that_nobody_asks_for_go(classes, going):
    flower, leaf = ({"class": name, "score": None} for name in ("Flower", "leaf"))
    facts = {"leaf_0.jpg": flower, "1.jpg": flower, "2.jpg": leaf}
    last_run("extract-classes", facts, a0=list(facts))
    Path("images/a/0.jpg.json").touch()
    seen = look("extract-classes", **{"from": "images/a", "classes": classes})
    assert (seen.there, seen.going) == (3, going)


def test_boxes_of_lower_scores_go():
    scores = {"x.jpg": 0.9, "y.jpg": 0.3, "z.jpg": None, "none.jpg": "high"}
    facts = {name: {"class": "leaf", "score": score} for name, score in scores.items()}
    last_run("extract-classes", facts, a0=list(facts))
    assert look("extract-classes", **{"from": "images/a", "min_score": 0.5}).going == 2


def test_tables_that_nobody_can_read_are_skipped():
    last_run("extract-faces", a0=["0_00.jpg"])
    (table,) = Path(".dtst/buckets/faces").rglob("s.jsonl")
    table.with_name("s0.jsonl").write_bytes(b"broken\n[]\n")
    assert look(**{"from": "images/b"}).going == 1


def test_a_stage_that_writes_sidecars_removes_nothing():
    assert look("detect", **{"from": "images/a", "classes": ["x"]}) == Preview(4, 4)


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("imagse", "nothing matches 'imagse'"),
        ("images", "5 images lie in subfolders of images: --from 'images/\\*'"),
    ],
)
def test_a_source_without_images_is_refused(source, sentence):
    with pytest.raises(PlanError, match=sentence):
        look(**{"from": source})


def test_a_class_is_in_no_sidecar_where_there_is_none():
    spec = {"from": "images/*"}
    with pytest.raises(PlanError, match=r"class 'flower' or 'leaf'; no image has a s"):
        look("extract-classes", **spec, classes="flower,leaf")
    assert look("extract-classes", **spec).images == 5
    Path("images/a/1.jpg.json").touch()
    assert look("extract-classes", **spec, classes="flower").images == 5


def test_a_link_that_led_to_images_and_leads_nowhere_is_refused():
    """A drive that is not mounted; one that never led to images costs only itself."""
    Path("images/drive").symlink_to("../../drive")
    assert look(**{"from": "images/*"}).images == 5
    drive = Path("../drive")
    drive.mkdir()
    (drive / "c.jpg").write_bytes(b"c")
    state = make_plan(complete(Path().resolve().parent, "extract-faces"))
    table = state.state("extract_faces") / digests.FILE
    listing = scan.scan(".", ["images/*"])
    digests.digests(".", listing.files, table)
    drive.rename("../elsewhere")
    with pytest.raises(PlanError, match="'images/drive' cannot be opened: it leads to"):
        look(**{"from": "images/*"})
    assert look(**{"from": "images/a"}).images == 4


def test_photos_beside_which_no_box_can_be_kept_are_told_before(tmp_path, monkeypatch):
    Path("images/a/0.jpg.json").write_text("[]")
    Path("images/a/1.jpg.json").write_text("{}")
    Path("images/b/0.jpg.json").write_text('{"classes": []}')
    settings = {"from": "images/*", "classes": "red"}
    seen = look("detect", **settings)
    assert "a/0.jpg.json' holds no JSON object; and 1 more" in seen.without_boxes()
    assert seen.read_only is None
    assert look("detect", **settings, clear=True).without_boxes() == ""
    (tmp_path / "archive").mkdir()
    (tmp_path / "archive/c.jpg").touch()
    Path("images/nas").symlink_to(tmp_path / "archive")
    with pytest.raises(PlanError, match="'images/nas' leads out of the dataset"):
        look("detect", **settings)
    look("detect", **settings, clear=True)
    look(**{"from": "images/*"})
