"""dtst select in the workflow; what it chooses is tested with the stage."""

import json
import os
import shutil

import pytest
from PIL import Image

from dtst_flow.dataset import sidecars
from helpers.dataset import NOTHING, Dataset

COLOURS = {"red": 5, "green": 4, "blue": 3}
"""Colour -> images of it."""


@pytest.fixture(scope="module")
def clustered(tmp_path_factory) -> Dataset:
    """Images of three colours in as many clusters, with sidecars; the first is named."""
    dataset = Dataset(tmp_path_factory.mktemp("select") / "crowd")
    for colour, count in COLOURS.items():
        for i in range(count):
            paint(dataset, colour, i)
    labels = dataset.folder / "cluster/labels.csv"
    labels.parent.mkdir()
    labels.write_text("name,images/red0.png,Ruby\n")
    dataset.run(settings=CLUSTER)
    return dataset


CLUSTER = {
    "path": "images",
    "cluster": {
        "model": "efficientnet",
        "min_cluster_size": 3,
        "from": "images",
        "count_duplicates": True,
    },
}


def paint(dataset: Dataset, colour: str, number: int) -> None:
    path = dataset.folder / f"images/{colour}{number}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.new("RGB", (64 + number, 64), colour)
    image.paste("white", (0, 0, 8 + number, 8))
    image.save(path)
    sidecars.write(path, {"metrics": {"blur": number}, "mine": colour})


def chosen(dataset: Dataset, bucket: str = "curated") -> set[str]:
    return {path.stem for path in (dataset.folder / bucket).glob("*.png")}


def test_chosen_clusters_stay_when_their_numbers_change(clustered, tmp_path):
    crowd = clustered.copy(tmp_path)
    asked = ("select", "-d", str(crowd.folder), "--clusters", "Ruby,001", "--link")
    asked += ("hard", "--min-metric", "blur", "1")
    before = crowd.listing()
    printed = crowd.dtst(*asked, "-n")
    assert "7 chosen: 7 to write, 0 there" in printed and "000 Ruby" in printed
    assert crowd.listing() == before
    os.utime(crowd.folder / "cluster/clusters.json", (4e9, 4e9))  # by another clock
    printed = crowd.dtst(*asked)
    greens = {f"green{i}" for i in (1, 2, 3)}
    assert chosen(crowd) == greens | {f"red{i}" for i in (1, 2, 3, 4)}
    assert (
        "left out: 3 in other clusters or in none, 2 by --min-metric blur 1" in printed
    )
    for name in chosen(crowd):
        made, source = (crowd.folder / f / f"{name}.png" for f in ("curated", "images"))
        assert made.samefile(source)
        assert sidecars.read(made) == sidecars.read(source)

    # By another door: a block of settings, and plain Snakemake.
    block = {"clusters": "Ruby,001", "link": "hard", "min_metric": {"blur": 1}}
    assert NOTHING in crowd.run(settings={"path": "select", "select": block})

    mine = crowd.folder / "curated/mine.png"
    shutil.copy(crowd.folder / "images/blue0.png", mine)
    for i in range(3, 9):
        paint(crowd, "blue", i)  # now the largest
    crowd.run(settings=CLUSTER)
    folders = {
        c["folder"]: c["members"][0]["path"] for c in crowd.clusters()["clusters"]
    }
    assert folders["001"].startswith("images/red")
    printed = crowd.dtst(*asked)
    assert chosen(crowd) == greens | {f"red{i}" for i in (1, 2, 3, 4)} | {"mine"}
    assert "'001' is 002 (" in printed and "files" not in printed

    printed = crowd.dtst(*asked[:3], "--clusters", "rubin", ok=False)
    assert "no cluster 'rubin'; near to that are 001 Ruby" in printed
    (crowd.folder / "images/red1.png").unlink()
    crowd.run(settings=CLUSTER)
    told = json.loads(crowd.dtst(*asked[:3], "--clusters", "Ruby", "--json", "-y"))
    assert chosen(crowd) == {"red0", "red2", "red3", "red4", "mine"}
    (stage,) = told["stages"]
    assert (stage["removed"], stage["chosen"]) == (4, 4)
    assert stage["left_out"] == {"in other clusters or in none": 13}
