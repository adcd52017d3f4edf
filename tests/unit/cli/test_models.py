import hashlib
import json
import subprocess
import sys
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from click.testing import CliRunner

import dtst_flow
from dtst_flow.cli.models import models
from dtst_flow.models.registry import MODELS, Model

CONTENT = b"the registered weights"
NOWHERE = "http://127.0.0.1:1/tiny.bin"


def tiny(*sources: str) -> Model:
    digest = hashlib.sha256(CONTENT).hexdigest()
    return Model("scrfd_500m", "?", "tiny.bin", digest, len(CONTENT), "CC0", sources)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """An empty models folder, in which alone models may lie."""
    folder = tmp_path / "models"
    monkeypatch.setenv("DTST_MODELS", str(folder))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setitem(MODELS, "scrfd_500m", tiny(NOWHERE))
    return folder


@pytest.fixture
def served(tmp_path, monkeypatch):
    """Serve the content of scrfd_500m from this machine."""
    site = tmp_path / "site"
    site.mkdir()
    (site / "tiny.bin").write_bytes(CONTENT)
    handler = partial(SimpleHTTPRequestHandler, directory=site)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/tiny.bin"
        monkeypatch.setitem(MODELS, "scrfd_500m", tiny(url))
        yield
        server.shutdown()


def run(*arguments: str):
    return CliRunner().invoke(models, arguments)


def test_list_shows_every_model_and_where_it_lies(folder):
    folder.mkdir()
    (folder / "tiny.bin").write_bytes(CONTENT)
    (folder / "det_10g.onnx").write_bytes(b"broken")
    result = run("list")
    assert result.exit_code == 0
    assert "face_landmarker  3.8 MB  Apache-2.0\n" in result.output
    assert all(name in result.output for name in MODELS)
    assert f"\n  {folder / 'tiny.bin'}\n" in result.output
    assert "\n  not here\n" in result.output
    assert f"{folder / 'det_10g.onnx'} is not the registered file" in result.output


def test_fetch_downloads_and_says_where_to(folder, served):
    result = run("fetch", "scrfd_500m")
    assert result.exit_code == 0
    assert result.stdout.endswith(f"{folder / 'tiny.bin'}\n")
    assert "CC0" in result.stdout
    assert (folder / "tiny.bin").read_bytes() == CONTENT


def test_fetch_goes_on_after_a_failure_and_fails_at_the_end(
    folder, served, monkeypatch
):
    monkeypatch.setitem(
        MODELS, "scrfd_10g", Model("scrfd_10g", "?", "x", "0" * 64, 1, "?", (NOWHERE,))
    )
    result = run("fetch", "scrfd_10g", "scrfd_500m")
    assert result.exit_code == 1
    assert "scrfd_10g could not be fetched" in result.stderr
    assert NOWHERE in result.stderr
    assert (folder / "tiny.bin").exists()


def test_fetch_all_leaves_models_of_packages_alone(folder, served, monkeypatch):
    for name, model in list(MODELS.items()):
        if model.sources and name != "scrfd_500m":
            monkeypatch.delitem(MODELS, name)
    result = run("fetch", "--all")
    assert result.exit_code == 0
    assert "dlib" not in result.output
    assert (folder / "tiny.bin").exists()


def test_fetch_wants_names():
    assert run("fetch").exit_code == 2
    assert "scrfd_10g" in run("fetch", "nothing").stderr


def test_path_prints_the_path_alone(folder):
    folder.mkdir()
    (folder / "tiny.bin").write_bytes(CONTENT)
    result = run("path", "scrfd_500m")
    assert (result.exit_code, result.stdout) == (0, f"{folder / 'tiny.bin'}\n")


def test_path_of_a_missing_model_fails_with_the_remedy_on_stderr():
    result = run("path", "scrfd_500m")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "dtst models fetch scrfd_500m" in result.stderr


def test_importing_the_commands_loads_no_network_or_terminal_library():
    code = (
        "import sys, dtst_flow.cli.models;"
        "sys.exit(bool({'requests', 'urllib3', 'rich', 'numpy'} & set(sys.modules)))"
    )
    package_root = Path(dtst_flow.__file__).parents[1]
    subprocess.run([sys.executable, "-c", code], cwd=package_root, check=True)


def test_a_list_for_programs():
    rows = json.loads(run("list", "--json").output)["models"]
    assert [row["name"] for row in rows] == list(MODELS)
    assert all(bool(row["path"]) is not bool(row["fault"]) for row in rows)
