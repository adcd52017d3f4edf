"""What is told of labels whose image was renamed, went away or came back."""

import pytest

from dtst_flow.cluster.label_changes import compare, standing
from dtst_flow.cluster.label_file import Label
from dtst_flow.cluster.meaning import CONTRADICTS, WAITS, Reading

ANN = Label(2, "name", "faces/x_00.jpg", "Ann")
PAIR = Label(3, "must-link", "faces/x_00.jpg", "faces/y, 2.jpg")
LINE = "name,faces/x_00.jpg,Ann"


def test_how_lines_stand():
    readings = [
        Reading(ANN, rows=[[1]]),
        Reading(PAIR, WAITS, rows=[[1, 0], []]),
    ]
    assert standing(readings, ["faces/a.jpg", "faces/b.jpg"]) == {
        LINE: {"state": "in force", "image": "faces/b.jpg"},
        'must-link,faces/x_00.jpg,"faces/y, 2.jpg"': {
            "state": "waits",
            "image": "faces/b.jpg",
        },
    }


@pytest.mark.parametrize(
    ("before", "now", "said"),
    [
        (Reading(ANN, rows=[[0]]), Reading(ANN, rows=[[0]]), None),
        (Reading(ANN, rows=[[0]]), Reading(ANN, rows=[[1]]), "is of b now"),
        (
            Reading(ANN, rows=[[0]]),
            Reading(ANN, WAITS, rows=[[]]),
            "waits, as what it was said of is not here",
        ),
        (
            Reading(ANN, WAITS, rows=[[]]),
            Reading(ANN, rows=[[1]]),
            "is in force again and is of b now",
        ),
        (
            Reading(PAIR, rows=[[0], [1]]),
            Reading(PAIR, CONTRADICTS, rows=[[0], [1]]),
            "contradicts another line now, and is not in force",
        ),
        (Reading(PAIR, rows=[[0], [0]]), Reading(ANN, rows=[[0]]), None),
    ],
)
def test_what_became_of_a_line(before, now, said):
    stood, stands = (standing([reading], "ab") for reading in (before, now))
    told = list(compare(stood, stands))
    assert [what for _, what in told] == ([said] if said else [])


def test_what_is_not_as_dtst_writes_it():
    assert dict(compare({LINE: {}}, {LINE: {"image": "a"}})) == {}
    assert dict(compare({LINE: {}}, {LINE: {"state": "odd"}})) == {
        LINE: "is not in force"
    }
