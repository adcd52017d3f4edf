import asyncio
import json
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from dtst_flow.cluster.label_file import LabelsRefused
from dtst_flow.report import NoResult
from dtst_flow.review import app
from dtst_flow.review.actions import CannotBeDone
from dtst_flow.review.last_settings import config_of
from dtst_flow.review.session import Session
from dtst_flow.runtime import run_lock
from dtst_flow.utils.files import to_json
from helpers import clustered

FIRST, SECOND, THIRD = (f"{rank:08x}" for rank in range(3))
NOISE = sum(clustered.SIZES)
JOURNAL = Path(".dtst/buckets/cluster/review.jsonl")


def test_an_edit_by_hand_is_kept_and_seen(asked):
    asked.act("merge", clusters=[FIRST, SECOND])
    edits = asked.get("/api/state")["edits"]
    with asked.labels.open("a") as file:
        file.write(f"name,{asked.path(1)},Ann\n# a note\n")
    asked.act("merge", clusters=[FIRST, THIRD])
    text = asked.labels.read_text(errors="surrogateescape")
    assert "# a note\n" in text and ",Ann\n" in text
    state = asked.get("/api/state")
    assert state["edits"] > edits + 1 and state["names"] == ["Ann"]


def test_lines_changed_by_hand_are_not_forced_back(asked):
    asked.act("merge", clusters=[FIRST, SECOND, THIRD])
    rows = asked.labels.read_text(errors="surrogateescape").splitlines(keepends=True)
    asked.labels.write_text("".join(rows[:-1]), errors="surrogateescape")
    said = asked.post("/api/undo").json()["said"]
    assert said == (
        "labels.csv: 0 lines added, 1 taken out; 1 line had been changed there meanwhile"
    )
    assert asked.lines() == []


def test_a_broken_line_is_told(asked):
    asked.labels.write_text("must-link,a\nnonsense,b,c\n")
    asked.session.look()
    faults = asked.get("/api/state")["faults"]
    assert len(faults) == 2 and "line 1" in faults[0]


def test_what_was_done_can_be_undone_by_the_next_server(asked):
    asked.act("merge", clusters=[FIRST, SECOND])
    asked.act("reject", images=[3])
    asked.post("/api/undo")
    with JOURNAL.open("ab") as file:
        file.write(b'{"add": [["must-link"')  # a kill in the middle of a line
    again = Session("cluster", [])
    assert (again.journal.undos, again.journal.redos) == (1, 1)
    again.undo(again=True)
    again.undo(again=False)
    again.undo(again=False)
    assert asked.lines() == []
    with pytest.raises(CannotBeDone):
        again.undo(again=False)


@pytest.mark.parametrize("garbage", [b"[1]\n{}\nnull\n", b'{"add": 5}\n', b"\x00\xff"])
def test_a_journal_of_garbage_counts_as_empty(folder, garbage):
    JOURNAL.write_bytes(garbage)
    assert Session("cluster", []).journal.undos == 0


def test_labels_that_are_a_link_are_refused_and_nothing_is_noted(asked):
    asked.labels.symlink_to("../../elsewhere.csv")
    answer = asked.try_to("merge", clusters=[FIRST, SECOND])
    assert answer.status_code == 409 and "link" in answer.json()["error"]
    assert asked.get("/api/state")["undo"] == 0
    assert not Path("../elsewhere.csv").exists()


def test_a_new_clustering_is_read_and_what_changed_is_told(asked):
    path = Path("cluster/clusters.json")
    old = asked.session.view.clustering
    found = json.loads(path.read_bytes())
    moved = found["clusters"][2]["members"].pop()
    found["clusters"][1]["members"].append(moved)
    gone = found["noise"].pop()
    found["rejected"] = [found["noise"].pop()]
    path.with_suffix(".new").write_bytes(to_json(found))
    os.replace(path.with_suffix(".new"), path)
    asked.session.look()
    state = asked.get("/api/state")
    assert state["clustering"] != old.digest and state["rejected"] == 1
    changes = asked.get("/api/changes")
    assert changes["counts"] == {"moved": 2, "new": 0, "gone": 1}
    steps = {(m["from"], m["to"]) for m in changes["moved"]}
    assert steps == {("002", "001"), ("noise", "rejected")}
    assert changes["gone"] == [{"path": gone["path"], "from": "noise"}]
    answer = asked.try_to("reject", images=[1], clustering=old.digest)
    assert answer.status_code == 409 and "reload" in answer.json()["error"]


def test_a_clustering_that_is_gone_is_shown_until_there_is_another(asked):
    shutil.move("cluster/clusters.json", "away.json")
    asked.session.look()
    assert asked.get("/api/state")["clusters"] == 3


def test_two_edits_at_once_are_both_there(asked):
    other = Session("cluster", [])
    digest = {"clustering": other.view.clustering.digest}
    asked.act("merge", clusters=[FIRST, SECOND])
    other.act({"action": "reject", "images": [5], **digest})
    asked.act("merge", clusters=[FIRST, THIRD])
    assert [row[0] for row in asked.lines()] == ["must-link", "reject", "must-link"]


def test_pages_that_decide_at_once_lose_nothing(asked):
    known = {"clustering": asked.session.view.clustering.digest, "action": "reject"}
    with ThreadPoolExecutor(8) as pages:
        told = pages.map(
            lambda n: asked.session.act(known | {"images": [n]}), range(40)
        )
        assert sorted(answer["undo"] for answer in told) == list(range(1, 41))
    assert len(asked.lines()) == 40
    for _ in range(40):
        asked.session.undo(again=False)
    assert asked.lines() == []


@pytest.mark.parametrize("name", ["labels.csv", "clusters.json", "review.jsonl"])
def test_nobody_is_waited_for(folder, name):
    path = JOURNAL if name == JOURNAL.name else Path("cluster", name)
    path.unlink(missing_ok=True)
    os.mkfifo(path)
    if name == "clusters.json":
        with pytest.raises(NoResult):
            Session("cluster", [])
        return
    session = Session("cluster", [])
    merge = {"action": "merge", "clusters": [FIRST, SECOND]}
    merge["clustering"] = session.view.clustering.digest
    if name == "labels.csv":
        assert "cannot be read" in session.faults[0]
        with pytest.raises(LabelsRefused):
            session.act(merge)
    else:
        assert session.act(merge)["undo"] == 1


def test_pages_hear_of_changes_only(asked):
    async def hear(count: int) -> list[dict]:
        heard = []
        async for event in app.changes(asked.session):
            heard.append(json.loads(event.removeprefix(b"data: ")))
            if len(heard) == count:
                return heard
            asked.act("name", cluster=FIRST, name=f"name {len(heard)}")

    first, second = asyncio.run(hear(2))
    assert {"edits", "clustering", "facts", "run"} == first.keys()
    assert second == {"edits": first["edits"] + 1}


def test_questions_ask_what_is_not_decided(asked):
    def ask() -> list[dict]:
        return asked.get("/api/questions?limit=50")

    between = next(
        q for q in ask() if q["kind"] == "clusters" and q["of_a"]["id"] == SECOND
    )
    assert between["of_b"]["id"] == THIRD
    asked.act("answer", key=between["key"], answer="skip")
    assert between["key"] not in {q["key"] for q in ask()}
    assert not asked.labels.exists()
    single = next(q for q in ask() if q["kind"] == "noise")
    asked.act("answer", key=single["key"], answer="yes")
    assert single["key"] not in {q["key"] for q in ask()}
    asked.act("name", cluster=FIRST, name="Ann")
    asked.act("name", cluster=SECOND, name="Bob")
    pairs = [(q["of_a"], q["of_b"]) for q in ask() if q["kind"] == "clusters"]
    assert not [p for p in pairs if {p[0]["id"], p[1]["id"]} == {FIRST, SECOND}]


def test_apply_is_refused_while_a_run_is_at_work(asked):
    assert asked.post("/api/apply").json()["state"] == "running"
    again = asked.post("/api/apply")
    assert again.status_code == 409 and "at work" in again.json()["error"]
    assert asked.get("/api/run")["here"]


def test_a_run_elsewhere_is_seen(asked):
    locks = Path(".snakemake/locks")
    locks.mkdir(parents=True)
    (locks / "0.input.lock").touch()
    run_lock.begin(".", "dtst", os.getppid())
    asked.session.look()
    run = asked.get("/api/run")
    assert run["state"] == "running" and not run["here"]
    answer = asked.post("/api/apply")
    assert answer.status_code == 409 and str(os.getppid()) in answer.json()["error"]
    run_lock.end(".", os.getppid())
    asked.session.look()
    assert asked.get("/api/run")["state"] == "none"


def test_apply_takes_the_settings_of_the_run_that_made_the_bucket(folder):
    found = Session("cluster", []).view.clustering
    unknown = config_of("cluster", found)["cluster"]
    assert unknown["model"] == "arcface" and unknown["to"] == "cluster"
    assert "images" in unknown["from"]
    settings = {"from": "faces", "to": "cluster", "top": None, "clean": True}
    state = Path(".dtst/buckets/cluster/settings.json")
    state.write_bytes(to_json(settings | {"min_cluster_size": 3}))
    noted = Path(".dtst/config")
    noted.mkdir()
    (noted / "faces.yaml").write_text("strict: true\npath: faces\ncluster: {top: 4}\n")
    (noted / "images.yaml").write_text("gpu: true\ncluster: {to: other}\n")
    (noted / "broken.yaml").write_text("path: [faces\n")
    (noted / "odd.yaml").write_text("path: faces\ncluster: 5\n")
    assert config_of("cluster", found) == {
        "strict": True,
        "cluster": {"from": "faces", "to": "cluster", "min_cluster_size": 3},
    }


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"[" * 100_000,
        b'{"clusters": [], "noise": [{"path": "/etc/passwd"}], "parameters": {}}',
        b'{"clusters": [], "noise": [{"path": "a/../../b"}], "parameters": {}}',
        b'{"clusters": [{"members": []}], "noise": [], "parameters": {}}',
        b'{"clusters": [], "noise": [{"path": 5}], "parameters": {}}',
    ],
)
def test_clusters_that_cannot_be_used_are_a_sentence(folder, content):
    Path("cluster/clusters.json").write_bytes(content)
    with pytest.raises(NoResult, match=r"clusters\.json is not as dtst writes it"):
        Session("cluster", [])


def test_without_usable_vectors_all_else_is_shown(folder):
    Path(".dtst/buckets/cluster/embeddings/s.npy").write_bytes(b"no array")
    session = Session("cluster", [])
    session.view.known_rows()
    assert "not as dtst writes it" in session.view.fault
    assert session.view.digest_of(0) is None


def test_a_line_stays_with_its_image_when_that_is_renamed(asked):
    images = asked.session.view.clustering
    bound = [
        {
            "label": ["name", "images/old name.jpg", "Ann"],
            "sights": [
                {"digest": images_digest(asked, 3), "box": [], "look": "0" * 16}
            ],
        }
    ]
    Path(".dtst/buckets/cluster/labels.json").write_bytes(to_json(bound))
    asked.labels.write_text("relation,image,other\nname,images/old name.jpg,Ann\n")
    asked.session.look()
    assert images.number("images/old name.jpg") is None
    assert asked.get("/api/clusters")["clusters"][0]["name"] == "Ann"
    assert asked.get("/api/state")["pending"] == 0
    asked.act("name", cluster=FIRST, name="Bob")
    assert asked.lines() == [("name", asked.path(0), "Bob")]
    assert asked.get("/api/state")["pending"] == 2


def test_a_line_of_a_cluster_stays_with_its_images_when_folders_are_renumbered(asked):
    first = sum(clustered.SIZES[:2])
    sight = {"digest": images_digest(asked, first), "box": [], "look": "0" * 16}
    members = [{"path": asked.path(first), **sight}]
    bound = [{"label": ["name", "000", "Ann"], "sights": [members]}]
    Path(".dtst/buckets/cluster/labels.json").write_bytes(to_json(bound))
    asked.labels.write_text("name,000,Ann\n")
    asked.session.look()
    names = [c["name"] for c in asked.get("/api/clusters")["clusters"]]
    assert names == [None, None, "Ann"]


def images_digest(asked, n: int) -> str:
    return asked.session.view.known_rows().digests[n]
