"""Another program's results, noticed once and before a run."""

from pathlib import Path

import pytest

from dtst_flow.cli.console import Refused, Voice
from dtst_flow.cli.preflight import Checked, check, look
from dtst_flow.cli.request import Request
from dtst_flow.dataset import scan


@pytest.fixture
def crowd(tmp_path, monkeypatch) -> Path:
    """A dataset with one photo, seen from the folder that it is in."""
    monkeypatch.chdir(tmp_path)
    put("crowd/images/a/photo.jpg")
    return Path("crowd")


def put(path: str, content: str = "") -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(content)


def request(folder: Path, path: str, **settings) -> Request:
    sections = {
        "extract_faces": {"engine": "dlib"},
        "extract_classes": {},
        "cluster": {"model": "dlib", "from": "faces"},
    }
    chosen = {
        name: section | settings.get(name, {}) for name, section in sections.items()
    }
    return Request(folder, path, chosen)


def look_at(asked: Request) -> Checked:
    """What is checked of a request, once what is to be said of it was said."""
    checked = check(asked)
    look(asked, checked)
    return checked


def test_clusters_of_another_program_are_in_the_way(crowd):
    put("crowd/cluster/clusters.json", '{"num_clusters": 3}')
    for path, source in (("cluster", "images/*"), ("faces", None)):
        asked = request(crowd, path, cluster={"from": source})
        with pytest.raises(
            Refused, match=r"^crowd/cluster/clusters.json.*another --to"
        ):
            look_at(asked)


@pytest.mark.parametrize("path", ["extract-faces", "faces", "extract-classes"])
def test_crops_of_another_program_are_told_of_one_listing(
    crowd, path, capsys, monkeypatch
):
    scans = []
    known = scan._take_all
    monkeypatch.setattr(
        scan, "_take_all", lambda *words: scans.append(words[1].name) or known(*words)
    )
    put("crowd/faces/photo.jpg")
    put("crowd/crops/photo.jpg")
    checked = look_at(request(crowd, path))
    assert checked.listing.images == ["images/a/photo.jpg"]
    assert scans == ["a"]
    told = capsys.readouterr().err
    assert "note: crowd/" in told and "has 1 crops of these photos" in told


def test_a_bucket_that_is_to_be_made_has_nothing_of_anybody(crowd, capsys):
    look_at(request(crowd, "faces"))
    assert capsys.readouterr() == ("", "")
    put("crowd/cluster/000/photo.jpg")
    asked = request(crowd, "faces")
    look_at(asked)
    assert "folders of another program, such as 000" in capsys.readouterr().err
    look_at(Request(crowd, "faces", asked.settings, voice=Voice(quiet=True)))
    assert capsys.readouterr() == ("", "")
