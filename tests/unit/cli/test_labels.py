"""``dtst labels`` on the tables that a run leaves."""

import json

import pytest
from click.testing import CliRunner, Result

from dtst_flow.cli.main import main
from dtst_flow.utils.files import to_json, write_atomic
from dtst_flow.utils.tables import write_table
from helpers.evidence import CLUSTERS

NAMES = "abcdef"


@pytest.fixture
def dataset(tmp_path):
    """Six images, of which five make two clusters."""
    state = tmp_path / ".dtst/buckets/cluster"
    rows = [
        {
            "path": f"{name}.jpg",
            "digest": name,
            "hash": f"{n * 0x0123456789ABCDEF:016x}",
        }
        for n, name in enumerate(NAMES)
    ]
    write_table(state / "inventory/s.jsonl", rows)
    write_table(state / "embeddings/s.jsonl", rows)
    clusters = [
        {
            "id": f"id{rank}",
            "name": None,
            "folder": f"{rank:03d}",
            "members": [{"path": f"{name}.jpg", "distance": 0} for name in names],
        }
        for rank, names in enumerate(("abc", "de"))
    ]
    found = CLUSTERS | {"clusters": clusters, "noise": [{"path": "f.jpg"}]}
    write_atomic(tmp_path / "cluster/clusters.json", to_json(found))
    return tmp_path


def call(dataset, *words: str) -> Result:
    return CliRunner().invoke(main, ["labels", *words, "-d", str(dataset)])


def test_each_line_is_told_with_what_it_does(dataset):
    (dataset / "cluster/labels.csv").write_text(
        "relation,image,other\nreject,001,\nmust-link,d.jpg,a.jpg\nname,x.jpg,Ann\nfoo\n"
    )
    result = call(dataset, "list")
    assert result.exit_code == 0
    told = result.output.splitlines()
    assert "line 5: the relation 'foo' is none of" in told[0]
    assert told[1:] == [
        "line 2, reject,001, (2 images): in force",
        "line 3, must-link,d.jpg,a.jpg: contradicts: it contradicts line 2, by which "
        "'d.jpg' is rejected",
        "line 4, name,x.jpg,Ann: unknown: no image or cluster is called 'x.jpg'",
        "3 lines: 1 contradicts, 1 in force, 1 unknown",
    ]
    content = json.loads(call(dataset, "list", "--json").output)
    assert content["lines"][0] == {
        "line": 2,
        "relation": "reject",
        "image": "001",
        "other": "",
        "state": "in force",
        "said": [],
        "images": [["d.jpg", "e.jpg"]],
    }
    assert len(content["lines"]) == 3 and len(content["unread"]) == 1


@pytest.mark.parametrize(
    ("line", "code"), [("name,a.jpg,Ann", 0), ("not,f.jpg,Bob", 0), ("name,x,Ann", 1)]
)
def test_check_fails_where_a_line_never_will_do_anything(dataset, line, code):
    (dataset / "cluster/labels.csv").write_text(f"{line}\n")
    result = call(dataset, "check")
    assert result.exit_code == code
    assert len(result.output.splitlines()) == (1 if "Ann" in line and not code else 2)


def test_nothing_is_written(dataset):
    (dataset / "cluster/labels.csv").write_text("name,a.jpg,Ann\n")
    before = sorted(dataset.rglob("*"))
    call(dataset, "check")
    assert sorted(dataset.rglob("*")) == before


def test_before_a_run_it_says_what_to_do(tmp_path):
    result = call(tmp_path, "list")
    assert result.exit_code == 1 and "dtst cluster does" in result.output
