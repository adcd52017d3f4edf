"""One real run of path faces, on the demonstration photos."""

from pathlib import Path

from PIL import Image

from dtst_flow.cluster.metrics import bcubed
from dtst_flow.dataset import sidecars
from helpers.dataset import photos_of


def test_people_are_told_apart(demo):
    from run import true_people

    people = true_people(demo.folder)
    clusters = demo.clusters()
    found = {
        member["path"]: cluster["rank"]
        for cluster in clusters["clusters"]
        for member in cluster["members"]
    }
    _, _, f = bcubed([found.get(path) for path in people], list(people.values()))
    assert f > 0.95


def test_every_crop_has_its_provenance(demo):
    crops = sorted((demo.folder / "faces").glob("*.jpg"))
    assert len(crops) >= len(photos_of(demo)) * 0.9
    for crop in crops:
        origin = sidecars.read(crop)["provenance"]
        assert (demo.folder / origin["image"]).is_file()
        with Image.open(crop) as image:
            assert image.width == image.height == origin["size"][0]
        assert len(origin["points"]) == 5
        assert {"box", "score", "digest", "engine", "model"} <= origin.keys()


def test_folders_hold_what_clusters_json_says(demo):
    clusters = demo.clusters()
    sizes = [cluster["size"] for cluster in clusters["clusters"]]
    assert sizes == sorted(sizes, reverse=True)
    for cluster in clusters["clusters"]:
        folder = demo.folder / "cluster" / f"{cluster['rank']:03d}"
        names = {Path(member["path"]).name for member in cluster["members"]}
        assert {path.name for path in folder.glob("*.jpg")} == names
        nearest = min(cluster["members"], key=lambda member: member["distance"])
        assert (nearest["path"], nearest["distance"]) == (cluster["medoid"], 0.0)
        qualities = [member["quality"] for member in cluster["members"]]
        assert qualities == sorted(qualities, reverse=True)
        assert {path.name for path in folder.glob("*.json")} == {
            f"{name}.json" for name in names
        }
