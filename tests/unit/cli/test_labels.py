"""``dtst labels`` on the tables that a run leaves."""

import json
import os

import pytest
from click.testing import CliRunner, Result

from dtst_flow.cli.main import main
from dtst_flow.runtime import run_lock
from dtst_flow.utils.files import digest, to_json, write_atomic
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
        "line 3, must-link,d.jpg,a.jpg: it contradicts line 2, by which "
        "'d.jpg' is rejected",
        "line 4, name,x.jpg,Ann: no image or cluster is called 'x.jpg'",
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


class TestAdopt:
    @pytest.fixture
    def moved(self, dataset):
        """A file that was moved from one cluster to the other."""
        path = dataset / "cluster/clusters.json"
        found = json.loads(path.read_text())
        for cluster in found["clusters"]:
            for member in cluster["members"]:
                file = f"{cluster['folder']}/{member['path']}"
                write_atomic(dataset / "cluster" / file, member["path"].encode())
                member |= {"file": file, "digest": digest(member["path"].encode())}
        path.write_bytes(to_json(found))
        (dataset / "cluster/000/a.jpg").rename(dataset / "cluster/001/a.jpg")
        return dataset

    def test_it_shows_first_and_writes_then(self, moved):
        result = call(moved, "adopt", "-n")
        assert result.exit_code == 0
        assert result.output.splitlines() == [
            "'a.jpg' from 000 to 001",
            "the 2 images left in 000 stay together",
            "these lines would be written to cluster/labels.csv (+) or taken out (-):",
            "+ not,a.jpg,b.jpg",
            "+ must-link,a.jpg,d.jpg",
            "+ must-link,c.jpg,b.jpg",
        ]
        labels = moved / "cluster/labels.csv"
        assert not labels.exists()
        content = json.loads(call(moved, "adopt", "--json").output)
        assert content["add"] == [
            ["not", "a.jpg", "b.jpg"],
            ["must-link", "a.jpg", "d.jpg"],
            ["must-link", "c.jpg", "b.jpg"],
        ]
        assert labels.read_text().count("\n") == 4
        assert "says so already" in call(moved, "adopt").output

    def test_nothing_to_adopt_is_told(self, dataset):
        assert "nothing was done by hand" in call(dataset, "adopt").output
        assert (
            "0 changes by hand forgotten" in call(dataset, "adopt", "--forget").output
        )

    def test_not_while_a_run_is_at_work(self, moved):
        lock = run_lock.acquire(moved)
        assert lock is not None
        result = call(moved, "adopt")
        os.close(lock)
        assert result.exit_code == 1 and "is in use by" in result.output
        assert not (moved / "cluster/labels.csv").exists()

    def test_what_cannot_be_written_to_is_told(self, moved):
        (moved / "cluster/labels.csv").symlink_to(moved / "mine.csv")
        result = call(moved, "adopt")
        assert result.exit_code == 1 and "is a link" in result.output
        assert not (moved / "mine.csv").exists()
