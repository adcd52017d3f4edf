import pytest

from helpers import clustered

FIRST, SECOND, THIRD = (f"{rank:08x}" for rank in range(3))
A, B, C = 0, clustered.SIZES[0], sum(clustered.SIZES[:2])
"""The medoids of the clusters."""
NOISE = sum(clustered.SIZES)


def line(asked, relation: str, image: int, other: int | str = "") -> tuple[str, ...]:
    return (
        relation,
        asked.path(image),
        other if isinstance(other, str) else asked.path(other),
    )


def decided(asked, n: int) -> str:
    return asked.get(f"/api/image/{n}")["decided"]


def of_clusters(asked) -> list[str]:
    return [c["decided"] for c in asked.get("/api/clusters")["clusters"]]


def test_merge_links_medoids(asked):
    said = asked.act("merge", clusters=[SECOND, FIRST])
    assert asked.lines() == [line(asked, "must-link", B, A)]
    assert said["said"] == "labels.csv: 1 line added, 0 taken out"
    assert of_clusters(asked) == ["", f"merged into {FIRST}", ""]


def test_a_merge_takes_out_what_is_against_it(asked):
    asked.act("answer", key=f"{B}-{C}", answer="no")
    asked.act("move", images=[B + 3], to=THIRD)
    assert len(asked.lines()) == 3
    asked.act("merge", clusters=[SECOND, THIRD])
    assert asked.lines() == [
        line(asked, "must-link", B + 3, C),
        line(asked, "must-link", C, B),
    ]


def test_of_merged_clusters_the_name_of_the_first_stays(asked):
    asked.act("name", cluster=FIRST, name="Ann")
    asked.act("name", cluster=SECOND, name="Bob")
    asked.act("merge", clusters=[FIRST, SECOND])
    names = [row for row in asked.lines() if row[0] == "name"]
    assert names == [line(asked, "name", A, "Ann")]


def test_a_name_replaces_the_one_before_and_goes(asked):
    asked.act("name", cluster=FIRST, name=" Ann  Lee ")
    asked.act("name", cluster=FIRST, name="Bob")
    assert asked.lines() == [line(asked, "name", A, "Bob")]
    assert asked.get("/api/state")["names"] == ["Bob"]
    asked.act("name", cluster=FIRST, name="")
    assert asked.lines() == []


def test_move_says_where_to_and_where_from(asked):
    asked.act("move", images=[2], to=SECOND)
    assert asked.lines() == [line(asked, "not", 2, A), line(asked, "must-link", 2, B)]
    assert decided(asked, 2) == "moved to 001"


def test_a_move_back_leaves_nothing_against_it(asked):
    asked.act("move", images=[2], to=SECOND)
    asked.act("move", images=[2], to=FIRST)
    assert asked.lines() == [line(asked, "must-link", 2, A)]
    assert decided(asked, 2) == ""


def test_a_second_move_replaces_the_first(asked):
    asked.act("move", images=[2, 3], to=SECOND)
    asked.act("move", images=[2], to=THIRD)
    assert line(asked, "must-link", 2, C) in asked.lines()
    assert line(asked, "must-link", 2, B) not in asked.lines()
    assert (decided(asked, 2), decided(asked, 3)) == ("moved to 002", "moved to 001")


def test_a_cluster_stays_merged_when_its_medoid_moves_away(asked):
    asked.act("merge", clusters=[FIRST, SECOND])
    asked.act("move", images=[A], to=THIRD)
    assert of_clusters(asked) == ["", f"merged into {FIRST}", ""]
    assert decided(asked, A) == "moved to 002"


def test_move_to_a_name_that_only_labels_have(asked):
    asked.act("new", images=[NOISE, NOISE + 1], name="Cat")
    asked.act("move", images=[5], to="Cat")
    assert decided(asked, 5) == "moved to Cat"
    assert asked.try_to("move", images=[6], to="Dog").status_code == 409


def test_new_takes_images_out_and_links_them(asked):
    asked.act("new", images=[4, B + 2])
    assert asked.lines() == [
        line(asked, "not", 4, A),
        line(asked, "not", B + 2, B),
        line(asked, "must-link", B + 2, 4),
    ]
    assert decided(asked, 4) == decided(asked, B + 2) == "new"
    assert asked.try_to("new", images=[7]).status_code == 409


def test_out_is_for_members(asked):
    asked.act("out", images=[A])
    assert asked.lines() == [line(asked, "not", A, 1)]
    assert decided(asked, A) == "out"
    assert asked.try_to("out", images=[NOISE]).status_code == 409


def test_rejected_images_are_in_nothing_and_come_back(asked):
    asked.act("keep", clusters=[THIRD])
    asked.act("name", cluster=THIRD, name="Ann")
    asked.act("reject", images=[C])
    assert line(asked, "reject", C) in asked.lines()
    assert not [
        row for row in asked.lines() if row[0] != "reject" and asked.path(C) in row
    ]
    third = asked.get("/api/clusters")["clusters"][2]
    assert (third["name"], third["decided"]) == ("Ann", "named")
    assert [i["n"] for i in asked.get("/api/rejected")["images"]] == [C]
    asked.act("unreject", images=[C])
    assert decided(asked, C) == ""


def test_a_whole_cluster_is_rejected_or_kept(asked):
    asked.act("reject", clusters=[THIRD])
    assert of_clusters(asked)[2] == "rejected"
    asked.act("keep", clusters=[SECOND])
    assert of_clusters(asked)[1] == "kept"
    assert asked.try_to("merge", clusters=[FIRST, THIRD]).status_code == 409


def test_an_answer_no_is_not_given_against_what_is_known(asked):
    asked.act("merge", clusters=[FIRST, SECOND])
    answer = asked.try_to("answer", key=f"{A}-{B}", answer="no")
    assert answer.status_code == 409 and "undo that first" in answer.json()["error"]


@pytest.mark.parametrize(
    "sent",
    [
        {"action": "nothing"},
        {"action": "merge", "clusters": ["none", FIRST]},
        {"action": "merge", "clusters": FIRST},
        {"action": "reject", "images": []},
        {"action": "reject", "images": [True]},
        {"action": "reject", "images": [-1]},
        {"action": "reject", "images": ["../x"]},
        {"action": "name", "cluster": FIRST, "name": "x" * 101},
        {"action": "name", "cluster": FIRST, "name": "a\u202eb"},
        {"action": "name", "cluster": FIRST, "name": 5},
        {"action": "answer", "key": "1-1", "answer": "yes"},
        {"action": "answer", "key": "1-²", "answer": "yes"},
        {"action": "answer", "key": "1-2", "answer": "maybe"},
    ],
)
def test_what_the_page_does_not_ask_is_refused(asked, sent):
    answer = asked.try_to(sent.pop("action"), **sent)
    assert answer.status_code == 400 and answer.json()["error"]
    assert not asked.labels.exists()


def test_every_action_can_be_undone_and_done_again(asked):
    asked.labels.write_text("# mine\nname;images/none.jpg;Zoe\n")
    before = asked.labels.read_bytes()
    asked.act("merge", clusters=[FIRST, SECOND])
    asked.act("move", images=[A, 3], to=THIRD)
    asked.act("new", images=[3, NOISE], name="Ann")
    asked.act("reject", images=[3])
    asked.act("keep", clusters=[SECOND])
    after = sorted(asked.lines())
    for left in range(4, -1, -1):
        assert asked.post("/api/undo").json()["undo"] == left
    assert asked.labels.read_bytes() == before
    assert asked.post("/api/undo").status_code == 409
    for _ in range(5):
        assert asked.post("/api/redo").status_code == 200
    assert sorted(asked.lines()) == after
    assert asked.post("/api/redo").status_code == 409


def test_an_action_said_already_writes_nothing(asked):
    asked.act("merge", clusters=[FIRST, SECOND])
    assert asked.act("merge", clusters=[FIRST, SECOND])["said"].endswith("already")
    asked.act("merge", clusters=[SECOND, THIRD])
    assert asked.act("merge", clusters=[FIRST, THIRD])["said"].endswith("already")
    assert asked.get("/api/state")["undo"] == 2


def test_lines_may_name_clusters_by_folder_id_or_name(asked):
    asked.labels.write_text(f"must-link,000,{SECOND}\nreject,002,\n")
    asked.session.look()
    assert of_clusters(asked) == ["", f"merged into {FIRST}", "rejected"]


def test_one_of_a_rejected_cluster_is_wanted_again(asked):
    asked.labels.write_text("reject,002,blurred\n")
    asked.session.look()
    asked.act("unreject", images=[C + 1])
    rejected = {row for row in asked.lines() if row[0] == "reject"}
    others = [n for n in range(C, NOISE) if n != C + 1]
    # The first line is where a header would be.
    assert rejected == {line(asked, "reject", n, "blurred") for n in others[1:]}
    assert decided(asked, C) == "rejected" and decided(asked, C + 1) == ""
