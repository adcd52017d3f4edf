"""The stage that chooses images, on a clustering that is written by hand."""

import os
import shutil
from pathlib import Path

import pytest
from PIL import Image

from dtst_flow.dataset import inventory, sidecars
from dtst_flow.dataset.containment import BadBucket
from dtst_flow.dataset.ledger import Ledgers
from dtst_flow.dataset.state import PROGRESS
from dtst_flow.stages import crops, layout, measuring, select
from dtst_flow.stages.contract import ShardJob, WouldFail
from dtst_flow.utils.files import digest_file, read_json, to_json
from dtst_flow.utils.tables import read_table

STATE = Path(".dtst/buckets/curated")

DEFAULTS = {
    "from": "cluster",
    "to": "curated",
    **{field: None for field in select.Options.__dataclass_fields__},
    "bursts": "all",
    "link": "copy",
}


@pytest.fixture(autouse=True)
def crowd(tmp_path, monkeypatch) -> None:
    """Eight crops with sidecars: three of Ann, two of Bob, two of nobody, one in noise."""
    monkeypatch.chdir(tmp_path)
    Path("faces").mkdir()
    for i, name in enumerate("abcdefgh"):
        Image.new("RGB", (20 + i, 40)).save(f"faces/{name}.png")
        keys = {"metrics": {"quality": i / 10}, "mine": name, "provenance": {"x": i}}
        sidecars.write(f"faces/{name}.png", keys)
    cluster({"ann0": ("Ann", "abc"), "bob0": ("Bob", "de"), "nob0": (None, "fg")})


def cluster(clusters: dict[str, tuple[str | None, str]]) -> None:
    """Write clusters.json: ids of the clusters, their names and crops, the largest first."""
    rows = [
        {
            "id": id_,
            "name": name,
            "rank": rank,
            "folder": f"{rank:03d}",
            "members": [
                {"path": f"faces/{x}.png", "digest": digest_file(f"faces/{x}.png")}
                for x in members
            ],
        }
        for rank, (id_, (name, members)) in enumerate(clusters.items())
    ]
    content = {"parameters": {}, "clusters": rows, "noise": [], "near_duplicates": []}
    Path("cluster").mkdir(exist_ok=True)
    Path("cluster/clusters.json").write_bytes(to_json(content))


def run(strict: bool = False, **asked) -> dict:
    """Select; returns the summary."""
    settings = DEFAULTS | asked
    shutil.rmtree(PROGRESS, ignore_errors=True)  # as a run does
    specs = select.sources(Path(), settings["from"].split(","))
    inventory.write(".", specs, STATE / "inventory", STATE / "digests.jsonl", 1000)
    files = [f"{STATE}/measures/s.jsonl", f"{STATE}/failed/s.jsonl"]
    measuring.run(ShardJob(f"{STATE}/inventory/s.jsonl", *files), settings)
    tables = ([file] for file in files)
    job = select.SelectJob(
        *tables,
        f"{STATE}/inventory",
        f"{STATE}/summary.json",
        f"{STATE}/failed.jsonl",
    )
    select.run(job, settings, strict)
    return read_json(job.summary)


def chosen() -> str:
    """The images that are chosen."""
    return "".join(path.stem for path in sorted(Path("curated").glob("*.png")))


def test_chosen_images_come_with_their_sidecars():
    summary = run(clusters="Ann,001", min_quality=0.1)
    assert chosen() == "bcde"
    for name in "bcde":
        for suffix in ("png", "png.json"):
            made, source = (Path(f, f"{name}.{suffix}") for f in ("curated", "faces"))
            assert made.read_bytes() == source.read_bytes()
    assert (summary["images"], summary["chosen"], summary["failed"]) == (8, 4, 0)
    assert summary["left_out"] == {
        "in other clusters or in none": 3,
        "--min-quality 0.1": 1,
    }
    assert "000 Ann (ann0): 2 of 3 images" in summary["said"]
    assert run(clusters="Ann,001", min_quality=0.1)["restored"] == 0
    assert read_json(PROGRESS / "choose.all.json")["computed"] == 0


def test_without_clusters_the_filters_alone_choose():
    run(**{"from": "faces"}, min_side=25)
    assert chosen() == "fgh"
    listed = read_json("curated/selection.json")
    assert listed["clusters"] == [] and listed["images"][0]["cluster"] is None


def test_what_is_no_longer_chosen_goes_and_the_users_stays():
    run(clusters="Ann")
    Path("curated/mine.png").write_bytes(b"mine")
    Path("curated/d.png").write_bytes(b"the user's, too")
    sidecars.write("curated/a.png", sidecars.read("curated/a.png") | {"note": "mine"})
    Path("curated/c.png").unlink()
    summary = run(clusters="Bob")
    assert chosen() == "demine"
    assert Path("curated/d.png").read_bytes() == b"the user's, too"
    assert sidecars.read("curated/a.png") == {}
    assert any("keys that you added to 1 file wait" in said for said in summary["said"])
    assert summary["removed"] == 3 and summary["failed"] == 1
    (failed,) = read_table(STATE / "failed.jsonl")
    assert (
        failed["path"] == "faces/d.png"
        and "was not written by dtst" in failed["reason"]
    )
    run(clusters="Ann")
    assert sidecars.read("curated/a.png")["note"] == "mine"


def test_a_number_stays_with_its_cluster_when_numbers_change():
    run(clusters="001")
    assert chosen() == "de"
    cluster({"nob0": (None, "fgh"), "ann0": ("Ann", "abc"), "bob0": ("Bob", "de")})
    said = run(clusters="001")["said"]
    assert chosen() == "de"
    assert any(s.startswith("'001' is 002 Bob (bob0), as when first") for s in said)
    # Even where all that the workflow knew is gone.
    shutil.rmtree(".dtst")
    assert run(clusters="001,0")["removed"] == 0
    assert chosen() == "defgh"
    Path("curated/selection.json").unlink()
    run(clusters="001")
    assert chosen() == "abc"


def test_with_the_state_lost_its_files_are_known_again():
    run(clusters="Ann,Bob", link="symbolic")
    Path("curated/mine.png").write_bytes(b"mine")
    shutil.rmtree(".dtst")
    assert run(clusters="Bob", link="symbolic")["removed"] == 3
    assert chosen() == "demine"


@pytest.mark.parametrize("files", range(4))
def test_a_run_that_is_cut_off_leaves_nothing_to_clear_up(files, monkeypatch):
    run(clusters="Bob")
    place, calls = layout._place, []

    def cut_off(*words):
        calls.append(words)
        if len(calls) > files:
            raise KeyboardInterrupt
        return place(*words)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(layout, "_place", cut_off)
        run(clusters="Ann,2" if files == 3 else "Ann")
    # What was chosen before stays until all is there.
    assert {"d", "e"} <= set(chosen())
    Path("curated/mine.png").write_bytes(b"mine")
    assert crops.damaged_shards("curated") == (["all"] if files else [])
    run(clusters="Ann")
    assert chosen() == "abcmine"
    assert Path("curated/mine.png").read_bytes() == b"mine"


@pytest.mark.parametrize("link", ["hard", "symbolic"])
def test_chosen_images_can_be_links(link):
    run(clusters="Bob", link=link)
    for name in "de":
        made, source = Path(f"curated/{name}.png"), Path(f"faces/{name}.png")
        assert made.samefile(source)
        assert made.is_symlink() is (link == "symbolic")
        assert not Path(f"{made}.json").samefile(f"{source}.json")
    if link == "symbolic":
        assert os.readlink("curated/d.png") == "../faces/d.png"


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"min_side": 1000}, "0 chosen"),
        (
            {"min_metric": {"blurr": 1}},
            "no image has the metric 'blurr'; there are: quality",
        ),
        ({"clusters": "anne"}, "there is no cluster 'anne'; near to that are 000 Ann"),
        ({"from": "faces", "top": 1}, "--top needs clusters"),
        ({"min_cluster": 4}, "no cluster asked for has 4 images"),
    ],
)
def test_where_nothing_is_chosen_nothing_is_removed(asked, sentence):
    run()
    before = {path: path.read_bytes() for path in Path("curated").iterdir()}
    with pytest.raises(
        SystemExit, match=r"Nothing was removed|nothing was changed"
    ) as told:
        run(**asked)
    assert sentence in str(told.value)
    assert before == {path: path.read_bytes() for path in Path("curated").iterdir()}


def test_a_source_without_images_removes_nothing():
    run()
    before = chosen()
    ends = (f"{STATE}/{name}" for name in ("inventory", "summary.json", "failed.jsonl"))
    with pytest.raises(SystemExit, match="holds no image"):
        select.run(select.SelectJob([], [], *ends), DEFAULTS, strict=False)
    assert before and chosen() == before


def test_a_copy_that_is_gone_is_not_summed_up(monkeypatch):
    def meanwhile(ledgers):
        Path("curated/a.png").unlink()
        return []

    monkeypatch.setattr(Ledgers, "restored", meanwhile)
    with pytest.raises(SystemExit, match="1 of the files made in curated are gone"):
        run()


def test_an_unreadable_image_counts_only_where_it_may_be_chosen():
    Path("faces/h.png").write_bytes(b"no image")  # in noise
    assert run()["failed"] == 0
    Path("faces/a.png").write_bytes(b"no image")
    assert run()["failed"] == 1
    assert chosen() == "bcdefg"
    with pytest.raises(SystemExit, match="1 images failed and --strict was given"):
        run(strict=True)
    for name in "abcdefgh":
        Path(f"faces/{name}.png").write_bytes(b"no image")
    with pytest.raises(
        SystemExit, match=r"first: 'faces/a.png'.*\nSo nothing was chan"
    ):
        run()
    assert chosen() == "bcdefg"


def test_before_a_run_it_is_told_what_would_be_chosen_and_go():
    images = {f"faces/{x}.png": digest_file(f"faces/{x}.png") for x in "abcdefgh"}
    settings = DEFAULTS | {"clusters": "Ann,Bob", "best": 1}
    said = select.pending(settings, images).said
    assert said.startswith(
        "2 chosen: 2 to write, 0 there\n000 Ann (ann0): 1 of 3 images"
    )
    assert select.going(settings, images).there == 0
    run(clusters="Ann,Bob")
    assert select.pending(settings, images).said.startswith(
        "2 chosen: 0 to write, 2 ther"
    )
    going = select.going(settings, images.keys() - {"faces/c.png"})
    assert (going.there, going.going) == (5, 3)
    assert not Path("cluster/.dtst").exists()


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ({"min_metric": {"nobodys": 1}}, "no image has the metric 'nobodys'"),
        ({"clusters": "Nobody"}, "there is no cluster 'Nobody'"),
        ({"min_side": 100_000}, "7 by --min-side 100000"),
    ],
)
def test_before_a_run_that_would_choose_nothing_it_is_told(asked, why):
    images = {f"faces/{x}.png": digest_file(f"faces/{x}.png") for x in "abcdefgh"}
    with pytest.raises(WouldFail, match=why):
        select.pending(DEFAULTS | asked, images)
    with pytest.raises(SystemExit, match=why):
        run(**asked)


def test_the_source_is_where_the_clustered_images_are():
    assert select.sources(Path(), ["cluster"]) == ["faces"]
    assert select.sources(Path(), ["faces", "../x"]) == ["faces", "../x"]
    with pytest.raises(BadBucket, match="cluster has clusters; choose from one"):
        select.sources(Path(), ["cluster", "faces"])
    cluster({})
    with pytest.raises(BadBucket, match="cluster has no cluster"):
        select.sources(Path(), ["cluster"])
    for strange in (b"[]", b'{"clusters": [{}]}', b"{", b'{"clusters": 3}'):
        Path("cluster/clusters.json").write_bytes(strange)
        assert select.sources(Path(), ["cluster"]) == ["cluster"]


def test_a_strangers_list_leads_nowhere_else():
    cluster({"x": (None, "a")})
    listed = read_json("cluster/clusters.json")
    for path in ("../../etc/passwd.png", "/etc/passwd.png", 3):
        listed["clusters"][0]["members"].append({"path": path, "digest": None})
    Path("cluster/clusters.json").write_bytes(to_json(listed))
    assert select.sources(Path(), ["cluster"]) == ["faces"]
    outside = Path("outside.png")
    outside.write_bytes(b"mine")
    row = {"path": "faces/outside.png", "file": "../outside.png", "keys": {}}
    row |= {"digest": digest_file(outside), "cluster": None}
    Path("curated").mkdir()
    content = {"parameters": {}, "clusters": [{}], "images": [row]}
    Path("curated/selection.json").write_bytes(to_json(content))
    run()
    assert outside.read_bytes() == b"mine"


def test_what_others_made_is_no_target():
    assert "has clusters" in select.unfit(DEFAULTS | {"to": "cluster"}, [])
    assert select.unfit(DEFAULTS, []) == ""
    run()
    Path("curated/selection.json").write_bytes(b"edited")
    assert select.unfit(DEFAULTS, []) == ""
    Path("mine").mkdir()
    Path("mine/selection.json").write_bytes(b"mine")
    told = select.unfit(DEFAULTS | {"to": "mine"}, [])
    assert told.startswith("mine/selection.json was not written by dtst")


def test_a_numbered_folder_is_told_of():
    Path("cluster/000").mkdir()
    shutil.copy("faces/a.png", "cluster/000")
    said = run(**{"from": "cluster/000"})["said"]
    assert any("--from cluster --clusters 000 stays with" in s for s in said)
