"""Variables from .env of the current folder."""

import os

import click
import pytest

from dtst_flow.cli.environment import read_environment


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The current folder; what is set in a test is gone after it."""
    monkeypatch.chdir(tmp_path)
    for name in ("DTST_MODELS", "DTST_OTHER", "PYTHONSTARTUP"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    return tmp_path


def test_variables_of_dtst_are_taken(folder):
    (folder / ".env").write_text(
        'export DTST_MODELS="my models"  # here\nPYTHONSTARTUP=x.py\nDTST_OTHER=1\n'
    )
    read_environment()
    assert os.environ["DTST_MODELS"] == str(folder / "my models")
    assert os.environ["DTST_OTHER"] == "1"
    assert "PYTHONSTARTUP" not in os.environ


def test_what_is_set_stays(folder, monkeypatch):
    (folder / ".env").write_text("DTST_MODELS=a")
    monkeypatch.setenv("DTST_MODELS", "/b")
    read_environment()
    assert os.environ["DTST_MODELS"] == "/b"


def test_without_a_file_nothing_is_set(folder):
    read_environment()
    assert "DTST_MODELS" not in os.environ


@pytest.mark.parametrize("content", [b"DTST_OTHER=\xff", b"DTST_OTHER=a\0b"])
def test_a_broken_file_is_told(folder, content):
    (folder / ".env").write_bytes(content)
    with pytest.raises(click.UsageError, match=r"\.env cannot be read"):
        read_environment()
