"""How clusters are laid out: as copies of the images, or as links to them."""

import errno
import os
import re
import shutil
from pathlib import Path

import pytest

from dtst_flow.dataset import sidecars
from dtst_flow.dataset.ledger import Ledgers
from dtst_flow.dataset.part import ForeignFile
from dtst_flow.utils.files import read_json, write_atomic
from dtst_flow.utils.links import LINKERS
from helpers.laid_out import Dataset


@pytest.fixture
def dataset(tmp_path, monkeypatch) -> Dataset:
    """Files of equal names in three folders, some with sidecars."""
    folder = tmp_path / "crowd"
    for roll in ("a", "b", "deep/a"):
        for name in ("cat.jpg", "CAT.jpg", "cat.png", "Cat.PNG", "dog.jpg", "dog.jfif"):
            path = folder / f"images/{roll}/{name}"
            write_atomic(path, f"{roll} {name}".encode())
        sidecars.write(folder / f"images/{roll}/cat.jpg", {"roll": roll})
    monkeypatch.chdir(folder)
    return Dataset(folder)


@pytest.fixture
def other_disk(dataset):
    """The target bucket is a link to a folder of another file system."""
    shm = Path("/dev/shm")
    if not shm.is_dir() or shm.stat().st_dev == dataset.folder.stat().st_dev:
        pytest.skip("needs a second file system at /dev/shm")
    bucket = shm / f"dtst-{os.getpid()}"
    bucket.mkdir()
    (dataset.folder / "cluster").symlink_to(bucket)
    yield bucket
    shutil.rmtree(bucket)


@pytest.mark.parametrize("way", LINKERS)
def test_equal_names_never_meet(dataset, way):
    sources = dataset.sources()
    assert dataset.run(way) == 18
    assert dataset.ways() == {way}
    contents = sorted(path.read_bytes() for path in dataset.images())
    assert contents == sorted(
        c for p, (c, _, _) in sources.items() if p[-5:] != ".json"
    )
    names = [str(path.relative_to(dataset.folder)) for path in dataset.images()]
    assert len({name.casefold() for name in names}) == 18
    assert dataset.sources() == sources


@pytest.mark.parametrize("way", LINKERS)
def test_a_second_run_writes_nothing(dataset, way):
    dataset.run(way)
    assert dataset.run(way) == 0


def test_a_copy_that_is_gone_is_not_summed_up(dataset, monkeypatch):
    def meanwhile(ledgers):
        min(ledgers.bucket.rglob("*.jpg")).unlink()
        return []

    monkeypatch.setattr(Ledgers, "restored", meanwhile)
    with pytest.raises(SystemExit, match="1 of the files made in cluster are gone"):
        dataset.run("copy")


def test_the_kind_of_file_is_all_that_differs(dataset):
    sources = dataset.sources()
    dataset.run("copy")
    results = dataset.results()
    for way in ("hard", "symbolic", "hard", "copy", "symbolic", "copy"):
        assert dataset.run(way) == 18
        assert dataset.ways() == {way}
        assert dataset.results() == results
    assert dataset.sources() == sources


@pytest.mark.parametrize("way", LINKERS)
def test_edits_leave_what_a_run_from_nothing_gives(dataset, way):
    dataset.run(way)
    first, second, third = dataset.images()[:3]
    first.unlink()
    second.unlink()
    second.write_bytes(b"the user's own")
    sidecars.path_of(third).write_text('{"rating": 5}')
    images = dataset.folder / "images"
    (images / "a/dog.jpg").rename(images / "a/hound dog.jpg")
    (images / "b/cat.jpg").unlink()
    (images / "b/dog.jpg").write_bytes(b"edited")
    write_atomic(images / "b/dog.jfif", b"replaced")
    sidecars.write(images / "deep/a/cat.jpg", {"roll": "edited"})
    sources = dataset.sources()
    dataset.run(way)
    assert dataset.ways() == {way}
    assert sidecars.read(third)["rating"] == 5
    sidecars.path_of(third).unlink()
    dataset.run(way)
    results = dataset.results()
    shutil.rmtree(dataset.folder / "cluster")
    shutil.rmtree(dataset.folder / ".dtst")
    dataset.run("copy")
    assert dataset.results() == results
    assert dataset.sources() == sources


@pytest.mark.parametrize("way", LINKERS)
def test_an_image_that_moved_is_found_where_it_is(dataset, way):
    """Its name among the clusters stays the same."""
    photo = dataset.folder / "images/a/one cat.jpg"
    photo.write_bytes(b"cat")
    dataset.run(way)
    names = [path.name for path in dataset.images()]
    photo.rename(dataset.folder / "images/b/one cat.jpg")
    assert dataset.run(way) == 1
    assert [path.name for path in dataset.images()] == names
    assert all(path.is_file() for path in dataset.images())


@pytest.mark.parametrize("way", LINKERS)
def test_clean_removes_what_is_ours(dataset, way):
    sources = dataset.sources()
    dataset.run(way)
    mine = dataset.folder / "cluster/000/mine.txt"
    mine.write_text("notes")
    assert dataset.run(way, clean=True) == 18
    assert mine.read_text() == "notes"
    shutil.rmtree(dataset.folder / "images/a")
    dataset.run(way, clean=True)
    assert len(dataset.images()) == 12 + 1
    assert dataset.sources().items() <= sources.items()


@pytest.mark.parametrize("way", LINKERS)
def test_sources_may_be_links(dataset, way, tmp_path):
    images = dataset.folder / "images"
    images.rename(tmp_path / "album")
    images.mkdir()
    for path in (tmp_path / "album/a").iterdir():
        (images / path.name).symlink_to(os.path.relpath(path, images))
    dataset.run(way)
    assert sorted(path.read_text() for path in dataset.images()) == sorted(
        f"a {p.name}" for p in (tmp_path / "album/a").iterdir() if p.suffix != ".json"
    )
    assert {path.is_symlink() for path in dataset.images()} == {way == "symbolic"}


def test_a_refused_link_costs_only_its_image(dataset, monkeypatch):
    dataset.run("copy")
    link = os.link

    def full(source, new):
        if "/b/cat.png" in source:
            raise OSError(errno.EMLINK, os.strerror(errno.EMLINK))
        link(source, new)

    monkeypatch.setattr(os, "link", full)
    assert dataset.run("hard") == 17
    assert dataset.ways() == {"hard"}
    [(path, reason)] = dataset.failed().items()
    assert path == "images/b/cat.png" and "Too many links" in reason
    said = read_json(dataset.state / "summary.json")["said"]
    assert "1 images could not be laid out" in said


@pytest.mark.parametrize("clean", [False, True])
@pytest.mark.parametrize("way", ["hard", "symbolic"])
def test_where_no_link_can_be_made_nothing_changes(dataset, monkeypatch, way, clean):
    dataset.run("copy")
    before = dataset.results()

    def refuse(source, new):
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "link", refuse)
    monkeypatch.setattr(os, "symlink", refuse)
    with pytest.raises(SystemExit, match="use another --link"):
        dataset.run(way, clean)
    assert dataset.results() == before


def test_a_file_in_the_way_costs_only_its_image(dataset):
    dataset.run("copy")
    laid_out = dataset.images()[0]
    dataset.run("copy", clean=True)
    shutil.rmtree(dataset.folder / ".dtst")
    laid_out.write_bytes(b"the user's own")
    dataset.run("symbolic")
    assert laid_out.read_bytes() == b"the user's own"
    [reason] = dataset.failed().values()
    assert "not written by dtst" in reason


def test_a_broken_sidecar_among_the_clusters_costs_only_its_image(dataset):
    dataset.run("copy")
    broken = sidecars.path_of(dataset.images()[0])
    broken.write_text("{")
    assert dataset.run("hard") == 17
    assert broken.read_text() == "{"
    [reason] = dataset.failed().values()
    assert "cannot be read" in reason
    broken.unlink()
    assert dataset.run("hard") == 1
    assert dataset.failed() == {}


def test_another_disk_refuses_hard_links_only(dataset, other_disk):
    for way in ("copy", "symbolic"):
        assert dataset.run(way) == 18
        assert dataset.ways() == {way}
        assert all(path.is_file() for path in other_disk.glob("*/*"))
    sources = dataset.sources()
    (dataset.state / "summary.json").unlink()
    with pytest.raises(SystemExit, match=r"cross-device link; use another --link"):
        dataset.run("hard")
    assert dataset.ways() == {"symbolic"} and len(dataset.images()) == 18
    assert not (dataset.state / "summary.json").exists()
    assert dataset.sources() == sources


def file_of(dataset: Dataset, image: str) -> Path:
    """The file of an image among the clusters."""
    found = read_json(dataset.folder / "cluster/clusters.json")
    members = [m for c in found["clusters"] for m in c["members"]] + found["noise"]
    (file,) = (m["file"] for m in members if m["path"] == image)
    return dataset.folder / "cluster" / file


@pytest.mark.parametrize("way", LINKERS)
def test_with_its_state_lost_the_result_is_as_from_nothing(dataset, way):
    dataset.run(way)
    images = dataset.folder / "images"
    shutil.rmtree(images / "deep")
    (images / "a/dog.jpg").unlink()
    write_atomic(images / "b/dog.jpg", b"another cat")
    write_atomic(images / "b/fat cat.jpg", b"cat")
    sidecars.write(images / "a/cat.jpg", {"license": "CC0"})
    mine = dataset.folder / "cluster/001/mine.jpg"
    write_atomic(mine, b"the user's own")
    rated = file_of(dataset, "images/a/cat.jpg")
    sidecars.write(rated, sidecars.read(rated) | {"rating": 5})
    shutil.rmtree(dataset.folder / ".dtst")
    dataset.run(way)
    assert sidecars.read(rated) == {"license": "CC0", "rating": 5}
    assert mine.read_bytes() == b"the user's own"
    said = read_json(dataset.state / "summary.json")["said"]
    assert "files of earlier runs were removed from cluster" in "\n".join(said)
    assert rated == file_of(dataset, "images/a/cat.jpg")
    sidecars.write(rated, {"license": "CC0"})
    results = dataset.results()
    shutil.rmtree(dataset.folder / "cluster")
    shutil.rmtree(dataset.folder / ".dtst")
    write_atomic(mine, b"the user's own")
    dataset.run("copy")
    ids = re.compile(rb'"id": "\w+"')
    theirs = dataset.results()
    for each in (results, theirs):
        each["clusters.json"] = ids.sub(b"", each["clusters.json"])
    assert results == theirs


@pytest.mark.parametrize("way", ["copy", "symbolic"])
def test_a_file_in_place_of_ours_is_the_users_once_the_state_is_lost(dataset, way):
    dataset.run(way)
    first, second = dataset.images()[:2]
    first.unlink()
    first.write_bytes(b"the user's own")
    second.unlink()
    second.symlink_to("elsewhere")
    shutil.rmtree(dataset.folder / ".dtst")
    dataset.run(way)
    assert first.read_bytes() == b"the user's own"
    assert os.readlink(second) == "elsewhere"
    assert all("not written by dtst" in why for why in dataset.failed().values())
    assert len(dataset.failed()) == 2
    dataset.run(way, clean=True)
    assert first.read_bytes() == b"the user's own"


def test_clusters_of_somebody_else_are_never_overwritten(dataset):
    mine = dataset.folder / "cluster/clusters.json"
    write_atomic(mine, b'{"parameters": {"mine": 1}, "clusters": []}')
    before = mine.read_bytes()
    with pytest.raises(ForeignFile):
        dataset.run("copy")
    assert mine.read_bytes() == before


def said(dataset: Dataset) -> str:
    return "\n".join(read_json(dataset.state / "summary.json")["said"])


def move(dataset: Dataset, image: str, folder: str) -> None:
    """Move the file of an image among the clusters, with its sidecar."""
    path = file_of(dataset, image)
    (dataset.folder / "cluster" / folder).mkdir(exist_ok=True)
    for each in (path, sidecars.path_of(path)):
        if each.exists():
            each.rename(dataset.folder / "cluster" / folder / each.name)


def test_what_the_user_changed_is_told(dataset):
    dataset.run("copy")
    assert "put back" not in dataset.said() and "removed" not in dataset.said()
    first, second = dataset.images()[:2]
    first.unlink()
    second.write_bytes(b"edited")
    (dataset.folder / "cluster/000/mine.txt").write_text("notes")
    (dataset.folder / "images/b/dog.jpg").unlink()
    dataset.run("copy")
    assert (
        "2 files in cluster that were edited or deleted since were put back, first "
        f"'{first.relative_to(dataset.folder / 'cluster')}'" in dataset.said()
    )
    assert "files of earlier runs were removed from cluster" in dataset.said()
    assert (
        "1 files in the folders of cluster are not dtst's and stay, first "
        "'000/mine.txt'" in dataset.said()
    )
    assert "1 changes by hand were not kept" in dataset.said()


def test_what_is_rejected_has_a_folder_of_its_own_until_its_line_goes(dataset):
    dataset.run("copy")
    victim = dataset.images()[0]
    image = dataset.placed()[f"000/{victim.name}"]
    labels = dataset.folder / "cluster/labels.csv"
    labels.write_text(f"relation;image;other\nreject;{image};a dog\n")
    dataset.run("copy")
    assert dataset.placed()[f"rejected/{victim.name}"] == image
    assert not victim.exists() and "1 images are rejected" in dataset.said()
    found = read_json(dataset.folder / "cluster/clusters.json")
    assert [each["path"] for each in found["rejected"]] == [image]
    shutil.rmtree(dataset.state)  # the list alone tells whose the file is
    labels.unlink()
    dataset.run("copy")
    assert victim.exists() and not (dataset.folder / "cluster/rejected").exists()


@pytest.mark.parametrize("way", LINKERS)
def test_folders_are_named_and_the_users_own_stay_alone(dataset, way):
    dataset.run(way)
    numbers = {path.parent.name for path in dataset.images()}
    assert numbers == {"000", "001"}
    mine = dataset.folder / "cluster/Ann/mine.jpg"
    write_atomic(mine, b"mine")
    (dataset.folder / "cluster/labels.csv").write_text("name,000,Ann\nname,001,B/b\n")
    dataset.run(way, folders="name")
    assert {file.partition("/")[0] for file in dataset.placed()} == {"Ann-2", "B_b"}
    assert not any((dataset.folder / "cluster" / number).exists() for number in numbers)
    results = dataset.results()
    assert dataset.run(way, folders="name") == 0 and dataset.results() == results
    shutil.rmtree(dataset.state)
    dataset.run(way, folders="name")
    assert dataset.results() == results
    assert {each.name for each in mine.parent.iterdir()} == {"mine.jpg"}
    dataset.run(way, folders="both")
    assert {file[:7] for file in dataset.placed()} == {"000-Ann", "001-B_b"}
    dataset.run(way)
    assert {file.partition("/")[0] for file in dataset.placed()} == numbers
    assert mine.read_bytes() == b"mine"
    assert not (dataset.folder / "cluster/Ann-2").exists()
