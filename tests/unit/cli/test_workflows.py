"""Workflows of a config file, as the other dtst has them."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from dtst_flow.cli import main as cli
from dtst_flow.cli.console import Ending, Refused
from dtst_flow.cli.request import Request

FILE = """
working_dir: crowd
strict: true
extract_faces: {from: images/*, to: faces, engine: mediapipe, max_faces: 1}
cluster: {from: faces, top: 3, clean: true}
workflows:
  both: [extract-faces, cluster]
  own:
    - extract-faces: {inherit: false, to: other, engine: DLIB}
    - cluster: {from: other, to: 007}
  faces: [extract_faces]
"""


@pytest.fixture
def requests(monkeypatch, tmp_path):
    """The requests that commands make, instead of runs."""
    made = []
    monkeypatch.setattr(
        "dtst_flow.cli.run.run", lambda request: made.append(request) or done(request)
    )
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").mkdir()
    return made


def done(request: Request) -> Ending:
    return Ending(content={"command": request.path})


def call(text: str, *words: str):
    Path("in/c.yaml").write_text(text)
    return CliRunner().invoke(cli.main, ["run", *words], catch_exceptions=False)


def test_steps_run_one_after_another_with_their_blocks(requests):
    result = call(FILE, "both", "in/c.yaml", "--cores", "2", "--", "--nolock")
    assert result.exit_code == 0
    assert [request.path for request in requests] == ["extract-faces", "cluster"]
    assert requests[0].settings["extract_faces"]["max_faces"] == 1
    assert requests[1].settings == {
        "cluster": {"from": "faces", "top": 3, "clean": True}
    }
    assert requests[1].force == ("cluster",)
    for request in requests:
        assert (str(request.dataset), request.strict) == ("in/crowd", True)
        assert (request.cores, request.passed_on) == ("2", ("--nolock",))
    assert "step 1 of 2: extract-faces" in result.stderr


def test_settings_of_a_step_win_or_stand_alone(requests):
    call(FILE, "own", "in/c.yaml", "-d", "elsewhere")
    assert [request.settings for request in requests] == [
        {"extract_faces": {"to": "other", "engine": "dlib"}},
        {"cluster": {"from": "other", "to": "007", "top": 3, "clean": True}},
    ]
    assert str(requests[0].dataset) == "elsewhere"


def test_the_first_failure_ends_a_workflow(requests, monkeypatch):
    def fail(request):
        requests.append(request)
        return Ending(7)

    monkeypatch.setattr("dtst_flow.cli.run.run", fail)
    assert call(FILE, "both", "in/c.yaml").exit_code == 7
    assert len(requests) == 1


def test_a_dry_run_is_one_of_each_step(requests, monkeypatch):
    tried = []
    module = "dtst_flow.cli.dry_run.dry_run"
    monkeypatch.setattr(
        module, lambda request: tried.append(request.path) or done(request)
    )
    result = call(FILE, "both", "in/c.yaml", "-n")
    assert tried == ["extract-faces"] and requests == []
    assert "reads faces, which a step before it has yet to make" in result.output
    Path("in/crowd/faces").mkdir(parents=True)
    call(FILE, "both", "in/c.yaml", "-n")
    assert tried == ["extract-faces", "extract-faces", "cluster"]


def test_json_is_one_object_whatever_the_steps_are(requests, monkeypatch):
    def told(*words: str) -> dict:
        result = call(FILE, "both", "in/c.yaml", "--json", *words)
        assert result.stderr == ""
        value = json.loads(result.stdout)
        assert value.pop("seconds") >= 0
        assert value["exit"] == result.exit_code
        return value

    well = {"ok": True, "exit": 0, "errors": []}
    steps = [{**well, "command": name} for name in ("extract-faces", "cluster")]
    assert told() == {**well, "command": "both", "steps": steps}
    monkeypatch.setattr("dtst_flow.cli.dry_run.dry_run", done)
    *_, last = told("-n")["steps"]
    waits = "reads faces, which a step before it has yet to make"
    assert last == {**steps[1], "forecast": [waits]}

    def refuse(request):
        raise Refused("there is no image")

    monkeypatch.setattr("dtst_flow.cli.run.run", refuse)
    badly = {"ok": False, "exit": 2, "errors": ["there is no image"]}
    assert told() == {**badly, "command": "both", "steps": [badly]}


def test_a_workflow_wins_over_a_path_of_its_name(requests):
    assert call(FILE, "faces", "in/c.yaml").exit_code == 0
    assert [request.path for request in requests] == ["extract-faces"]
    result = call(FILE, "faces", "in/c.yaml", "--top", "3")
    assert result.exit_code == 2 and "has a workflow 'faces'" in result.output
    assert len(requests) == 1


@pytest.mark.parametrize(
    ("steps", "hint"),
    [
        ("[cluster, {exec: sleep 1}]", "step 2: 'exec' is not supported"),
        ("[cluster, dedup]", "step 2: 'dedup' is a command of github.com/ucodia/dtst"),
        ("[clutser]", "did you mean 'cluster'?"),
        ("[{cluster: , top: 3}]", "has 2 keys (cluster, top)"),
        ("[3]", "step 1: is no command"),
        ("[]", "is no list of commands"),
        ("cluster", "is no list of commands"),
        ("[{cluster: {top: 0}}]", "step 1: cluster.top: 0"),
        ("[{cluster: {topp: 1}}]", "did you mean 'top'?"),
        ("[{cluster: [a]}]", "'cluster' holds no mapping"),
        ("[{cluster: {inherit: 3}}]", "inherit: must be true or false"),
    ],
)
def test_all_steps_are_checked_before_the_first_runs(requests, steps, hint):
    result = call(f"workflows: {{w: {steps}}}", "w", "in/c.yaml")
    assert result.exit_code == 2 and hint in result.output
    assert requests == []


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        (FILE, "did you mean 'both'?"),
        ("cluster: {}", "there is no workflow 'bth'; it has none"),
        ("workflows: [a]", "holds no mapping of names"),
    ],
)
def test_a_workflow_that_is_not_there(requests, text, hint):
    result = call(text, "bth", "in/c.yaml")
    assert result.exit_code == 2 and hint in result.output
