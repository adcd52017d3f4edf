"""Downloads where disk, network and processes fail: the model is right, or not there."""

import os
import shutil
import subprocess
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from dtst_flow.models.download import FetchFailed, fetch
from dtst_flow.models.errors import ModelError
from dtst_flow.models.registry import MODELS
from dtst_flow.models.store import resolve
from helpers.web import CONTENT, CUT, TINY, serve, start_process, wait_for


@pytest.fixture
def site():
    with serve() as site:
        yield site


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch) -> Path:
    """The models folder, not made yet; `tiny` is registered."""
    monkeypatch.setitem(MODELS, "tiny", TINY)
    monkeypatch.setenv("DTST_MODELS", str(tmp_path / "models"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    return tmp_path / "models"


@pytest.fixture
def fault(folder, survived):
    """A block of a test that counts as a fault, survived where all in it holds.

    What lies there under the model's name in the end is the model.
    """

    @contextmanager
    def counted():
        survived["faults injected"] += 1
        yield
        model = folder / "tiny.bin"
        assert not model.exists() or model.read_bytes() == CONTENT
        survived["faults survived"] += 1

    return counted()


def mount(*words: str | Path) -> None:
    """Mount a file system; skips where this user may not."""
    done = subprocess.run(["mount", *words], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"this user may not mount: {done.stderr.strip()}")


@contextmanager
def read_only(folder: Path):
    """Nobody may write into a folder, not even root."""
    if os.geteuid():
        folder.chmod(0o500)
        yield
        folder.chmod(0o700)
        return
    mount("--bind", folder, folder)
    try:
        mount("-o", "remount,ro,bind", folder)
        yield
    finally:
        subprocess.run(["umount", folder], check=True)


@contextmanager
def small_disk(folder: Path, size: int):
    """A folder is a disk of a size in bytes of its own."""
    mount("-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder)
    try:
        yield
    finally:
        subprocess.run(["umount", folder], check=True)


def test_a_killed_process_hands_over_to_the_one_that_waits(fault, site, folder):
    with fault:
        first = start_process(site, "stall")
        part = folder / "tiny.bin.part"
        wait_for(lambda: part.exists() and part.stat().st_size > CUT - 70_000)
        second = start_process(site, "good")
        with pytest.raises(subprocess.TimeoutExpired):
            second.wait(2)
        have = part.stat().st_size
        first.kill()
        assert first.wait(30) == -9 and second.wait(30) == 0
        assert (folder / "tiny.bin").read_bytes() == CONTENT
        assert site.asked == [("stall", 0), ("good", have)]


def test_a_crowd_of_processes_downloads_once(fault, site, folder):
    with fault:
        crowd = [start_process(site, "slow") for _ in range(4)]
        wait_for(lambda: (folder / "tiny.bin.part").exists())
        assert [process.wait(60) for process in crowd] == [0] * 4
        assert site.asked == [("slow", 0)]


def test_a_full_disk_is_told_and_the_rest_fetched_later(fault, site, folder):
    folder.mkdir()
    with small_disk(folder, 160 * 1024), fault:
        with pytest.raises(ModelError, match="No space left on device"):
            fetch("tiny", [site.url("good")])
        assert {path.name for path in folder.iterdir()} == {".lock", "tiny.bin.part"}
        mount("-o", "remount,size=1m", folder)
        assert fetch("tiny", [site.url("good")]).digest == TINY.sha256
        assert site.asked[1][1] > 0
        assert (folder / "tiny.bin").read_bytes() == CONTENT


def test_a_read_only_folder_is_told(fault, site, folder):
    folder.mkdir()
    with read_only(folder), fault:
        with pytest.raises(ModelError, match=r"cannot be written: .*DTST_MODELS"):
            fetch("tiny", [site.url("good")])
        assert list(folder.iterdir()) == [] and site.asked == []


def test_a_read_only_folder_that_has_the_model_will_do(fault, site, folder):
    folder.mkdir()
    (folder / "tiny.bin").write_bytes(CONTENT)
    with read_only(folder), fault:
        assert fetch("tiny", [site.url("good")]) == resolve("tiny")
        assert list(folder.iterdir()) == [folder / "tiny.bin"]
    assert site.asked == []


@pytest.mark.parametrize("name", ["models", "models/tiny.bin.part", "models/.lock"])
def test_what_is_in_the_way_is_told_and_kept(fault, site, folder, tmp_path, name):
    with fault:
        there = tmp_path / name
        if name == "models":
            there.write_text("mine")
        else:
            there.mkdir(parents=True)
        with pytest.raises(ModelError, match=r"cannot be (written|read)"):
            fetch("tiny", [site.url("good")])
        assert there.exists()


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("odd-length", "has 'many' bytes"),
        ("odd-reason", r"HTTP 404 Not \\x1b\[2J Found"),
    ],
)
def test_an_odd_answer_is_told(fault, site, name, reason):
    with fault, pytest.raises(FetchFailed, match=reason):
        fetch("tiny", [site.url(name)])


def test_what_comes_after_the_end_is_not_taken(fault, site, folder):
    with fault:
        fetch("tiny", [site.url("more")])
        assert (folder / "tiny.bin").read_bytes() == CONTENT


def test_a_redirect_is_followed_but_to_no_file(fault, site, folder, tmp_path):
    with fault:
        (tmp_path / "secret").write_bytes(CONTENT)
        site.leads = {
            "file": f"file://{tmp_path}/secret",
            "loop": "/loop",
            "on": "/good",
        }
        for name in ("file", "loop"):
            with pytest.raises(FetchFailed):
                fetch("tiny", [site.url(name)])
            assert not (folder / "tiny.bin").exists()
        fetch("tiny", [site.url("on")])


@pytest.fixture
def certificate(tmp_path, monkeypatch) -> Path:
    """Key and certificate of this machine, which requests trusts."""
    if not shutil.which("openssl"):
        pytest.skip("needs openssl, to make a certificate")
    path = tmp_path / "site.pem"
    words = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext"
    words = [*words.split(), "subjectAltName=IP:127.0.0.1", "-keyout", path]
    done = ["openssl", *words, "-out", tmp_path / "certificate.pem"]
    subprocess.run(done, check=True, capture_output=True)
    with path.open("ab") as file:
        file.write((tmp_path / "certificate.pem").read_bytes())
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "certificate.pem"))
    return path


def test_no_redirect_leaves_https(fault, site, folder, certificate):
    with serve(certificate) as safe, fault:
        safe.leads = {"down": site.url("good"), "on": "/good"}
        with pytest.raises(FetchFailed, match=r"leads to http:.*, which is no https"):
            fetch("tiny", [safe.url("down")])
        assert site.asked == [] and not (folder / "tiny.bin").exists()
        fetch("tiny", [safe.url("on")])


def test_a_machine_that_nobody_vouches_for_is_not_asked(
    fault, folder, certificate, monkeypatch
):
    with fault:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", requests.certs.where())
        with (
            serve(certificate) as safe,
            pytest.raises(FetchFailed, match="certificate"),
        ):
            fetch("tiny", [safe.url("good")])
