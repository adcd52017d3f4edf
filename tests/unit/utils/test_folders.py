"""What may be written into, and why not; root, whom nothing stops, is played a user."""

import os
from pathlib import Path

from dtst_flow.utils.folders import (
    can_be_made,
    folders_below,
    nearest,
    why_not_writable,
)


def test_a_file_above_is_in_the_way(tmp_path):
    (tmp_path / "file").touch()
    assert can_be_made(tmp_path) and can_be_made(tmp_path / "a/b")
    assert not can_be_made(tmp_path / "file") and not can_be_made(tmp_path / "file/a")
    assert nearest(tmp_path / "file/a/b") == tmp_path / "file"


def test_it_is_said_to_whom_a_folder_belongs(tmp_path, monkeypatch):
    assert why_not_writable(tmp_path) is None
    monkeypatch.setattr(os, "access", lambda path, how: False)
    assert not can_be_made(tmp_path / "a")
    assert why_not_writable(tmp_path) == f"it belongs to {tmp_path.owner()}"

    def owner(path):
        raise KeyError

    monkeypatch.setattr(Path, "owner", owner)
    assert why_not_writable(tmp_path) == f"it belongs to user {tmp_path.stat().st_uid}"


def test_folders_below_leave_links_out(tmp_path):
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "a/link").symlink_to(tmp_path)
    (tmp_path / "file").touch()
    assert sorted(folders_below(tmp_path)) == [
        tmp_path,
        tmp_path / "a",
        tmp_path / "a/b",
    ]
    assert list(folders_below(tmp_path / "nothing")) == []
