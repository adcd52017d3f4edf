"""The dtst command: what it accepts, what it hands to Snakemake, what it refuses."""

import subprocess
import sys

import pytest
import yaml
from click.testing import CliRunner

from dtst_flow.cli import main as cli
from dtst_flow.cli.console import Ending
from dtst_flow.cli.run import (
    Request,
    asked_for,
    cache_variables,
    command,
    overrides,
)
from helpers.dataset import ROOT


@pytest.fixture
def requests(monkeypatch, tmp_path):
    """The requests that commands make, instead of runs; the current folder is empty."""
    made = []
    monkeypatch.setattr(
        "dtst_flow.cli.run.run", lambda request: made.append(request) or Ending()
    )
    monkeypatch.chdir(tmp_path)
    return made


def call(*words: str):
    return CliRunner().invoke(cli.main, words, catch_exceptions=False)


def test_only_given_flags_become_settings(requests):
    call(
        "extract-faces", "-d", "scratch/crowd", "--to", "out", "-m", "1", "--no-padding"
    )
    (request,) = requests
    assert request.settings == {
        "extract_faces": {"to": "out", "max_faces": 1, "padding": False}
    }
    assert request.path == "extract-faces"


def test_overrides_name_the_dataset_wherever_it_lies(tmp_path):
    request = Request(tmp_path / "007", "cluster", {"cluster": {"top": 3}}, strict=True)
    assert overrides(request) == {
        "root": str(tmp_path),
        "dataset": "007",
        "path": "cluster",
        "strict": True,
        "cluster": {"top": 3},
    }


def test_words_after_dashes_reach_snakemake(requests, tmp_path):
    call("cluster", "--from", "faces", "--cores", "3", "--", "--forceall", "--nolock")
    words = command(requests[0], tmp_path / "x.yaml")
    assert words[-2:] == ["--forceall", "--nolock"]
    assert words[words.index("--cores") + 1] == "3"


@pytest.mark.parametrize(
    "more",
    [
        {"profile": "slurm"},
        {"force": ("embed",)},
        {"passed_on": ("--forceall",)},
        {"unlock": True},
    ],
)
def test_of_more_than_settings_snakemake_judges(tmp_path, more):
    assert asked_for(Request(tmp_path, "faces", {}, **more), None, []) == ""


def test_of_its_own_variables_snakemake_judges(tmp_path, monkeypatch):
    monkeypatch.setenv("SNAKEMAKE_PROFILE", "mine")
    assert asked_for(Request(tmp_path, "faces", {}), None, []) == ""


def test_only_words_after_dashes_reach_snakemake(requests, tmp_path):
    (tmp_path / "c.yaml").write_text("cluster: {from: faces}")
    for words in (("again",), ("again", "--", "x"), ("--forceall",)):
        assert call("cluster", "c.yaml", *words).exit_code == 2
    call("cluster", "c.yaml", "--", "c.yaml")
    assert [request.passed_on for request in requests] == [("c.yaml",)]


def test_a_path_has_the_flags_of_its_stages(requests, tmp_path):
    words = "--from images --max-faces 1 -e SCRFD --faces-to f --faces-weights f.onnx"
    words += " --model ArcFace --cluster-to c --cluster-weights c.onnx -w 2"
    call("run", "faces", *words.split())
    (request,) = requests
    assert request.settings["extract_faces"] == {
        "from": "images",
        "max_faces": 1,
        "engine": "scrfd",
        "to": "f",
        "weights": str(tmp_path / "f.onnx"),
        "workers": 2,
    }
    assert (
        request.settings["cluster"].items()
        >= {
            "model": "arcface",
            "to": "c",
            "weights": str(tmp_path / "c.onnx"),
        }.items()
    )


def test_a_flag_that_several_stages_share_is_for_all(requests):
    call("run", "classes", "--classes", "flower", "--background", "#000000")
    (request,) = requests
    assert request.settings == {
        "detect": {"classes": "flower", "background": "#000000"},
        "extract_classes": {"background": "#000000"},
        "cluster": {"background": "#000000"},
    }


def test_names_with_numbers_make_one_setting(requests, tmp_path):
    words = "--min-metric blur 5 --min-metric yaw -30 --max-detect cup 0.5 --clusters 0"
    call("select", *words.split())
    (tmp_path / "c.yaml").write_text("select: {min_metric: {blur: 9}, top: 3}")
    call("select", "c.yaml", "--top", "2")
    one, other = (request.settings["select"] for request in requests)
    assert one == {
        "min_metric": {"blur": 5, "yaw": -30},
        "max_detect": {"cup": 0.5},
        "clusters": "0",
    }
    assert repr(one["min_metric"]["blur"]) == "5"
    assert other == {"min_metric": {"blur": 9}, "top": 2}


def test_that_select_moves_nothing_is_said(requests, tmp_path):
    (tmp_path / "c.yaml").write_text("select: {move: true}")
    for words in (("select", "--move"), ("select", "c.yaml")):
        result = call(*words)
        assert result.exit_code == 2
        assert "'select' has no --move" in result.output
        assert "--link hard" in result.output
    assert requests == []


@pytest.mark.parametrize("word", ["search", "fetch", "annotate"])
def test_commands_of_the_other_dtst_are_named(word):
    for words in ((word, "x.yaml", "--top", "3"), ("help", word)):
        result = call(*words)
        assert result.exit_code == 2
        assert f"'{word}' is a command of github.com/ucodia/dtst" in result.output
        assert "dtst-flow" in result.output


def test_shipped_profile_is_found_by_name(tmp_path):
    words = command(
        Request(tmp_path, "faces", {}, profile="slurm"), tmp_path / "x.yaml"
    )
    assert words[words.index("--profile") + 1] == str(ROOT / "profiles/slurm")


def test_caches_go_into_the_dataset_where_the_home_is_closed(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    request = Request(tmp_path, "faces", {})
    monkeypatch.delenv("DTST_MODELS", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "free"))
    assert cache_variables(request) == {}
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert cache_variables(request) == {
        "XDG_CACHE_HOME": str(tmp_path / ".dtst/cache"),
        "DTST_MODELS": str(tmp_path / "file/dtst-flow/models"),
    }


def test_yaml_file_gives_settings_and_flags_win(requests, tmp_path):
    (tmp_path / "crowd.yaml").write_text(
        yaml.safe_dump(
            {
                "working_dir": "scratch/crowd",
                "extract_faces": {"from": "images/*", "to": "faces", "max_size": 512},
                "detect": {"classes": "flower"},
            }
        )
    )
    call("extract-faces", "crowd.yaml", "--to", "other")
    (request,) = requests
    assert str(request.dataset) == "scratch/crowd"
    assert request.settings["extract_faces"] == {
        "from": "images/*",
        "to": "other",
        "max_size": 512,
    }


def test_run_takes_a_block_for_every_stage(requests, tmp_path):
    (tmp_path / "c.yaml").write_text("cluster: {clean: true, cache: false}")
    call("run", "faces", "c.yaml", "-d", "x")
    (request,) = requests
    assert set(request.settings) == {"extract_faces", "cluster"}
    assert request.force == ("embed", "cluster")


def test_weights_are_named_from_where_the_user_stands(requests, tmp_path):
    call("extract-faces", "-d", "x", "--weights", "w.onnx")
    assert requests[0].settings["extract_faces"]["weights"] == str(tmp_path / "w.onnx")


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (("extract-faces", "--max-sise", "3"), "'--max-size'"),
        (("extract-faces", "--engine", "dlb"), "'dlib'"),
        (("cluster", "images/a", "images/b"), "quoted"),
        (("cluster", "-n", "5"), "-n means --dry-run"),
        (("cluster", "c.yaml", "-n", "5"), "--top 5"),
        (("clutser",), "cluster"),
        (("extract-faces", "-d", ""), "is empty; is a variable in it not set?"),
        (("run", "faces", "--to", "x"), "--faces-to or --cluster-to"),
        (("run", "facse"), "did you mean 'faces'?"),
        (("help", "clutser"), "did you mean 'cluster'?"),
        (("help", "run", "facse"), "did you mean 'faces'?"),
    ],
)
def test_mistakes_are_refused_with_a_hint(requests, words, hint):
    result = call(*words)
    assert result.exit_code == 2
    assert hint in result.output
    assert requests == []


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("extract_faces: {max_sise: 3}", "did you mean 'max_size'"),
        ("extract_faces: 3", "no mapping"),
        ("- 1", "no mapping"),
        ("a: [", "cannot be read: line 1: "),
        ("a: \0", "cannot be read"),
        ("a: 2024-13-45", "cannot be read"),
        ("a: " + "[" * 10_000, "cannot be read"),
        ("a: !!python/object/apply:os.mkdir [hacked]", "cannot be read: line 1: "),
        ("1: 2\nextract_faces: {1: 2}", "the name 1 is no text"),
        ("extract_faces: {from: {a: b}}", "extract_faces.from: "),
        ("extract_faces: {weights: {a: b}}", "extract_faces.weights: "),
        ("extract_faces: {workers: -1}", "extract_faces.workers: -1"),
        ("working_dir: [a]", "working_dir: "),
        ("a: &a {extract_faces: *a}\nextract_faces: *a", "recursive"),
    ],
)
def test_bad_yaml_is_refused_with_a_hint(requests, tmp_path, text, hint):
    (tmp_path / "c.yaml").write_text(text)
    result = call("extract-faces", "c.yaml")
    assert result.exit_code == 2 and hint in result.output
    assert len(result.output.splitlines()) < 5
    assert list(tmp_path.iterdir()) == [tmp_path / "c.yaml"]


def test_text_in_yaml_is_what_stands_there(requests, tmp_path):
    (tmp_path / "c.yaml").write_text(
        "\ufeffworking_dir: 2024-05-01\n"
        "extract_faces: {from: [on, 007, 1_000, x], to: 1e3, weights: ~}\n"
        "cluster: {from: no}\n"
    )
    call("run", "faces", "c.yaml")
    (request,) = requests
    assert str(request.dataset) == "2024-05-01"
    assert request.settings == {
        "extract_faces": {
            "from": ["on", "007", "1_000", "x"],
            "to": "1e3",
            "weights": None,
        },
        "cluster": {"from": "no"},
    }


def test_code_in_yaml_is_not_run(requests, tmp_path):
    text = 'extract_faces: {to: \'?open("hacked", "w").name\'}\n'
    (tmp_path / "c.yaml").write_text(text)
    call("extract-faces", "c.yaml")
    (tmp_path / "c.yaml").write_text("__use_yte__: true\n" + text)
    assert call("extract-faces", "c.yaml").exit_code == 2
    assert requests[0].settings["extract_faces"]["to"].startswith("?open")
    assert not (tmp_path / "hacked").exists()


def test_locked_dataset_is_said_plainly(tmp_path):
    (tmp_path / ".snakemake/locks").mkdir(parents=True)
    (tmp_path / ".snakemake/locks/0.input.lock").touch()
    (tmp_path / "faces").mkdir()
    (tmp_path / "faces/a.jpg").touch()
    words = ("cluster", "-d", str(tmp_path), "--from", "faces", "--model", "dlib")
    result = call(*words)
    assert result.exit_code == 1
    assert "--unlock" in result.output


def test_help_starts_without_snakemake_or_a_model_library():
    heavy = ["snakemake", "numpy", "cv2", "mediapipe", "dlib", "onnxruntime", "hdbscan"]
    heavy += ["jinja2", "PIL"]
    code = (
        "import sys\nfrom click.testing import CliRunner\n"
        "from dtst_flow.cli.main import main\n"
        "for command in ('extract-faces', 'report'):\n"
        "    assert CliRunner().invoke(main, [command, '--help']).exit_code == 0\n"
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(ROOT / "scripts")},
    )
    assert done.stdout == "[]\n", done.stderr
