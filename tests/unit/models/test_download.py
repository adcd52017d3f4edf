import fcntl
import hashlib
import os
import subprocess
from pathlib import Path

import pytest

from dtst_flow.models import download
from dtst_flow.models.download import FetchFailed, fetch
from dtst_flow.models.errors import ModelError, ModelMissing, WrongContent
from dtst_flow.models.registry import MODELS, Model
from helpers.web import CONTENT, CUT, OTHER, TINY, serve, start_process, wait_for


@pytest.fixture
def site():
    with serve() as site:
        yield site


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """The models folder, not made yet; `tiny` is registered."""
    monkeypatch.setitem(MODELS, "tiny", TINY)
    monkeypatch.setenv("DTST_MODELS", str(tmp_path / "models"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    return tmp_path / "models"


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} - {".lock"}


def leave_part(folder: Path, content: bytes) -> None:
    folder.mkdir()
    (folder / "tiny.bin.part").write_bytes(content)


def test_a_whole_download(site, folder):
    steps = []
    weights = fetch(
        "tiny", [site.url("good")], progress=lambda *step: steps.append(step)
    )
    assert weights.path == folder / "tiny.bin"
    assert weights.digest == TINY.sha256
    assert weights.path.read_bytes() == CONTENT
    assert files(folder) == {"tiny.bin"}
    assert steps == sorted(steps)
    assert steps[-1] == (TINY.size, TINY.size)


def test_the_registered_sources_are_the_default(site, folder, monkeypatch):
    model = Model(**{**vars(TINY), "sources": (site.url("good"),)})
    monkeypatch.setitem(MODELS, "tiny", model)
    assert fetch("tiny").path == folder / "tiny.bin"


def test_without_dtst_models_the_cache_is_filled(site, tmp_path, monkeypatch):
    monkeypatch.delenv("DTST_MODELS")
    cached = tmp_path / "cache" / "dtst-flow" / "models" / "tiny.bin"
    assert fetch("tiny", [site.url("good")]).path == cached


def test_a_folder_may_be_given(site, tmp_path):
    weights = fetch("tiny", [site.url("good")], folder=tmp_path / "given")
    assert weights.path == tmp_path / "given" / "tiny.bin"


def test_a_file_that_is_there_is_not_fetched(site, folder):
    folder.mkdir()
    (folder / "tiny.bin").write_bytes(CONTENT)
    assert fetch("tiny", [site.url("good")]).path == folder / "tiny.bin"
    assert site.asked == []
    assert files(folder) == {"tiny.bin"}


def test_another_file_of_its_name_is_refused_and_kept(site, folder):
    folder.mkdir()
    (folder / "tiny.bin").write_bytes(OTHER)
    with pytest.raises(WrongContent):
        fetch("tiny", [site.url("good")])
    assert (folder / "tiny.bin").read_bytes() == OTHER
    assert site.asked == []


def test_a_broken_connection_is_taken_up_where_it_broke(site, folder):
    fetch("tiny", [site.url("cut")])
    assert (folder / "tiny.bin").read_bytes() == CONTENT
    starts = [start for _, start in site.asked]
    assert len(starts) > 1 and starts[0] == 0
    assert all(start > CUT - download.CHUNK for start in starts[1:])
    assert site.sent < TINY.size + len(starts) * download.CHUNK


def test_a_part_left_by_an_earlier_call_is_resumed(site, folder):
    leave_part(folder, CONTENT[:100_000])
    fetch("tiny", [site.url("good")])
    assert (folder / "tiny.bin").read_bytes() == CONTENT
    assert site.asked == [("good", 100_000)]
    assert site.sent == TINY.size - 100_000
    assert files(folder) == {"tiny.bin"}


def test_a_complete_part_needs_no_request(site, folder):
    leave_part(folder, CONTENT)
    fetch("tiny", [site.url("good")])
    assert site.asked == []


def test_a_server_that_cannot_resume_sends_all(site, folder):
    leave_part(folder, CONTENT[:100_000])
    fetch("tiny", [site.url("plain")])
    assert (folder / "tiny.bin").read_bytes() == CONTENT
    assert site.asked == [("plain", 100_000)]


@pytest.mark.parametrize("part", [OTHER[:100_000], OTHER, OTHER + OTHER])
def test_a_part_of_something_else_is_thrown_away(site, folder, part):
    leave_part(folder, part)
    fetch("tiny", [site.url("good")])
    assert (folder / "tiny.bin").read_bytes() == CONTENT
    assert site.asked[-1] == ("good", 0)


def test_wrong_content_is_refused_and_deleted(site, folder):
    with pytest.raises(FetchFailed, match=hashlib.sha256(OTHER).hexdigest()):
        fetch("tiny", [site.url("other")])
    assert files(folder) == set()


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("404", "HTTP 404 Not Found"),
        ("500", "HTTP 500 Internal Server Error"),
        ("page", "has 26 bytes, not 300000"),
        ("empty", "sent nothing"),
    ],
)
def test_the_next_source_is_asked_after_one_that_fails(site, folder, name, reason):
    with pytest.raises(FetchFailed, match=reason):
        fetch("tiny", [site.url(name)])
    assert files(folder) <= {"tiny.bin.part"}
    fetch("tiny", [site.url(name), site.url("good")])
    assert (folder / "tiny.bin").read_bytes() == CONTENT


def test_a_source_that_never_ends_is_left(site, folder):
    with pytest.raises(FetchFailed, match="sent other content"):
        fetch("tiny", [site.url("endless")])
    assert site.sent < 100 * TINY.size
    assert files(folder) == set()


def test_a_source_is_not_blamed_for_what_another_left(site, folder):
    fetch("tiny", [site.url("other-cut"), site.url("good")])
    assert (folder / "tiny.bin").read_bytes() == CONTENT
    (name, resumed), last = site.asked[-2:]
    assert name == "good" and resumed > 0
    assert last == ("good", 0)


def test_failure_lists_every_source_with_its_reason(site, folder):
    nowhere = "http://127.0.0.1:1/tiny.bin"
    with pytest.raises(FetchFailed) as error:
        fetch("tiny", [site.url("404"), nowhere, "not an address"])
    lines = str(error.value).splitlines()
    assert lines[1:3] == [f"  {site.url('404')}", "    HTTP 404 Not Found"]
    assert lines[3] == f"  {nowhere}"
    assert "refused" in lines[4]
    assert lines[5] == "  not an address"
    assert str(folder) in lines[-1]


def test_a_silent_server_is_given_up(site, folder, monkeypatch):
    monkeypatch.setattr(download, "TIMEOUT", (1, 0.2))
    fetch("tiny", [site.url("stall"), site.url("good")])
    assert (folder / "tiny.bin").read_bytes() == CONTENT


def test_two_processes_download_once(site, folder):
    processes = [start_process(site, "slow") for _ in range(2)]
    assert [process.wait(30) for process in processes] == [0, 0]
    assert (folder / "tiny.bin").read_bytes() == CONTENT
    assert site.asked == [("slow", 0)]


def test_a_waiting_process_finds_the_file_done(site, folder):
    folder.mkdir()
    with open(folder / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        process = start_process(site, "good")
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(1)
        (folder / "tiny.bin").write_bytes(CONTENT)
    assert process.wait(30) == 0
    assert site.asked == []


def test_a_killed_download_frees_the_lock_and_is_resumed(site, folder):
    process = start_process(site, "stall")
    part = folder / "tiny.bin.part"
    wait_for(lambda: part.exists() and part.stat().st_size > 0)
    process.kill()
    process.wait(30)
    assert not (folder / "tiny.bin").exists()
    have = part.stat().st_size
    fetch("tiny", [site.url("good")])
    assert (folder / "tiny.bin").read_bytes() == CONTENT
    assert site.asked == [("stall", 0), ("good", have)]


def test_a_folder_that_cannot_be_made_is_explained(site, folder):
    folder.write_text("a file where the folder should be")
    with pytest.raises(ModelError, match="DTST_MODELS"):
        fetch("tiny", [site.url("good")])


def test_a_read_only_folder_is_explained(site, folder):
    folder.mkdir(mode=0o500)
    if os.access(folder, os.W_OK):
        pytest.skip("this user may write anywhere")
    with pytest.raises(ModelError, match=r"Permission denied.*DTST_MODELS"):
        fetch("tiny", [site.url("good")])


def test_a_model_of_a_package_is_looked_for_there(monkeypatch):
    model = Model(**{**vars(TINY), "package": "no_such/weights"})
    monkeypatch.setitem(MODELS, "tiny", model)
    with pytest.raises(ModelMissing, match="pip install no_such"):
        fetch("tiny")
