import os
import unicodedata

import pytest

from dtst_flow.dataset.stems import folded
from dtst_flow.stages.folders import BOTH, LONGEST, NAME, RANK, names_of, safe

NAMES = ["Ann", None, "Bob", "ann", "Ann-2"]


@pytest.mark.parametrize(
    ("how", "folders"),
    [
        (RANK, ["000", "001", "002", "003", "004"]),
        (NAME, ["Ann", "001", "Bob", "ann-2", "Ann-2-2"]),
        (BOTH, ["000-Ann", "001", "002-Bob", "003-ann", "004-Ann-2"]),
    ],
)
def test_the_ways(how, folders):
    assert names_of(NAMES, how) == folders


def test_what_is_taken_stays_alone():
    assert names_of(["Ann", "Bob"], NAME, ["ANN", "ann-2"]) == ["Ann-3", "Bob"]
    assert names_of(["labels.csv", "Clusters.json"], NAME) == [
        "labels.csv-2",
        "Clusters.json-2",
    ]


@pytest.mark.parametrize("name", ["003", "noise", "Rejected", "12345"])
def test_a_name_that_is_no_name_of_its_own_keeps_its_rank(name):
    assert names_of([None, name], NAME) == ["000", f"001-{name}"]


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("A/B", "A_B"),
        ("..", ""),
        (" .hidden. ", "hidden"),
        ("con", "con_"),
        ("Aux.jpg", "Aux.jpg_"),
        ("two\nlines", "two_lines"),
        ("C:\\x", "C__x"),
        ("\udcff", "_"),
        ("é" * 300, "é" * (LONGEST // 2)),
        ("\u202eevil", "_evil"),
    ],
)
def test_any_name_makes_one_for_a_file(name, word, tmp_path):
    assert safe(name) == word
    if word:
        (tmp_path / word).mkdir()
        assert os.listdir(tmp_path) == [word]
    else:
        assert names_of([name], NAME) == ["000"]


def test_one_name_in_two_encodings_is_two_folders():
    names = [unicodedata.normalize(form, "José") for form in ("NFC", "NFD")]
    found = names_of(names, NAME)
    assert len({folded(name) for name in found}) == 2
