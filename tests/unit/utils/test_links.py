import errno
import fcntl
import os
from pathlib import Path

import pytest

from dtst_flow.utils import links
from dtst_flow.utils.links import LinkRefused


@pytest.fixture
def source(tmp_path) -> Path:
    path = tmp_path / "images/x.jpg"
    path.parent.mkdir()
    path.write_bytes(bytes(range(256)) * 1000)
    return path


@pytest.fixture
def new(tmp_path) -> Path:
    path = tmp_path / "cluster/000/x.jpg"
    path.parent.mkdir(parents=True)
    return path


@pytest.fixture
def elsewhere(tmp_path):
    """A folder of another file system."""
    shm = Path("/dev/shm")
    if not shm.is_dir() or shm.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("needs a second file system at /dev/shm")
    folder = shm / f"dtst-{os.getpid()}"
    folder.mkdir()
    yield folder
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()


@pytest.mark.parametrize("way", links.LINKERS)
@pytest.mark.parametrize(
    "name", ["x.jpg", "new\nline", "-dash", "caf\udce9", "x" * 255]
)
def test_it_has_the_content_of_its_source(tmp_path, new, way, name):
    source = tmp_path / name
    source.write_bytes(b"content")
    links.LINKERS[way](source, new)
    assert new.read_bytes() == b"content"
    assert list(new.parent.iterdir()) == [new]


@pytest.mark.parametrize("way", links.LINKERS)
@pytest.mark.parametrize("relative", [False, True])
def test_a_source_may_be_a_link(source, new, way, relative):
    link = source.with_name("link.jpg")
    link.symlink_to(source.name if relative else source)
    links.LINKERS[way](link, new)
    assert new.read_bytes() == source.read_bytes()
    assert new.is_symlink() is (way == "symbolic")
    if way != "symbolic":  # which leads to the link, wherever that may lead
        link.unlink()
        assert new.read_bytes() == source.read_bytes()


class TestCopy:
    @pytest.mark.parametrize("size", [0, 1, 3_000_000])
    def test_it_shares_nothing_with_its_source(self, source, new, size):
        source.write_bytes(bytes(size))
        links.copy(source, new)
        assert new.read_bytes() == bytes(size)
        assert not new.samefile(source)
        new.write_bytes(b"edited")
        assert source.read_bytes() == bytes(size)

    def test_the_file_system_is_asked_first(self, source, new, monkeypatch):
        def clone(to, request, content):
            assert request == links.FICLONE
            os.write(to.fileno(), os.read(content, 100))

        monkeypatch.setattr(fcntl, "ioctl", clone)
        links.copy(source, new)
        assert new.read_bytes() == source.read_bytes()[:100]

    def test_where_it_cannot_share_blocks_they_are_copied(
        self, source, new, monkeypatch
    ):
        def refuse(*args):
            raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))

        monkeypatch.setattr(fcntl, "ioctl", refuse)
        links.copy(source, new)
        assert new.read_bytes() == source.read_bytes()

    def test_a_missing_source_is_an_error(self, tmp_path, new):
        with pytest.raises(FileNotFoundError):
            links.copy(tmp_path / "missing.jpg", new)


class TestHard:
    def test_it_is_the_same_file(self, source, new):
        links.hard(source, new)
        assert new.samefile(source) and not new.is_symlink()


class TestSymbolic:
    def test_it_leads_there_also_when_all_moved(self, source, new, tmp_path):
        links.symbolic(source, new)
        assert os.readlink(new) == "../../images/x.jpg"
        moved = tmp_path / "moved/deep"
        moved.mkdir(parents=True)
        for folder in ("images", "cluster"):
            (tmp_path / folder).rename(moved / folder)
        assert (moved / "cluster/000/x.jpg").samefile(moved / "images/x.jpg")

    def test_a_source_is_named_from_where_the_process_is(
        self, source, new, tmp_path, monkeypatch
    ):
        monkeypatch.chdir(tmp_path)
        links.symbolic("images/x.jpg", Path("cluster/000/x.jpg"))
        assert os.readlink(new) == "../../images/x.jpg"

    def test_folders_may_be_links(self, source, tmp_path):
        (tmp_path / "real/deeper/still").mkdir(parents=True)
        (tmp_path / "bucket").symlink_to("real/deeper/still")
        (tmp_path / "photos").symlink_to("images")
        links.symbolic(tmp_path / "photos/x.jpg", tmp_path / "bucket/x.jpg")
        assert (tmp_path / "bucket/x.jpg").samefile(source)
        assert os.readlink(tmp_path / "bucket/x.jpg") == "../../../photos/x.jpg"


class TestRefused:
    @pytest.mark.parametrize("way", ["hard", "symbolic"])
    @pytest.mark.parametrize("code", sorted(links.REFUSALS))
    def test_it_says_what_would_do(self, source, new, monkeypatch, way, code):
        def refuse(*args):
            raise OSError(code, os.strerror(code))

        monkeypatch.setattr(os, "link", refuse)
        monkeypatch.setattr(os, "symlink", refuse)
        with pytest.raises(LinkRefused, match=f"{os.strerror(code)}.*--link.*copy"):
            links.LINKERS[way](source, new)

    def test_any_other_error_is_one(self, source, new):
        new.touch()
        with pytest.raises(FileExistsError):
            links.hard(source, new)

    def test_the_message_can_be_printed(self, source, tmp_path, monkeypatch):
        def refuse(*args):
            raise OSError(errno.EMLINK, os.strerror(errno.EMLINK))

        monkeypatch.setattr(os, "link", refuse)
        with pytest.raises(LinkRefused) as raised:
            links.hard(source, tmp_path / "caf\udce9/x.jpg")
        assert str(raised.value).encode()

    def test_another_file_system_refuses_hard_links_only(self, source, elsewhere):
        with pytest.raises(LinkRefused, match=r"cross-device link; .*--link"):
            links.hard(source, elsewhere / "hard.jpg")
        for way in ("copy", "symbolic"):
            links.LINKERS[way](source, elsewhere / f"{way}.jpg")
            assert (elsewhere / f"{way}.jpg").read_bytes() == source.read_bytes()
