"""What leads out of a dataset, and names that no target may have."""

import pytest

from dtst_flow.dataset.containment import (
    BadBucket,
    check_no_escape,
    check_target,
    escapes,
    is_relative,
)


@pytest.mark.parametrize("path", ["a", "a/b.jpg", "..a/b..", "a\nb", "./a", "{x}", "-"])
def test_names_below(path):
    assert is_relative(path)


@pytest.mark.parametrize(
    "path",
    ["", ".", "/", "/a", "//a", "..", "../a", "a/..", "a/../../b", "a\0", 5, None],
)
def test_names_that_are_not(path):
    assert not is_relative(path)


@pytest.mark.parametrize(
    "to", ["faces", "a/b", 'it\'s "q" $(ls) ;&|', "ü", "100%", "a" * 200]
)
def test_targets_may_have_odd_names(to):
    check_target(to)


@pytest.mark.parametrize(
    ("to", "told"),
    [
        *((to, "below the dataset") for to in ("", ".", "..", "/a", "a/../..", "a\0")),
        *((to, "hidden") for to in (".dtst", ".snakemake/x", "a/.b", ".detect")),
        *((to, "neither braces") for to in ("{x}", "a}", "a\nb", "\x1b[2J", "\u202e")),
        ("a" * 201, "200 bytes"),
    ],
)
def test_targets_that_are_refused(to, told):
    with pytest.raises(BadBucket, match=told) as raised:
        check_target(to)
    assert str(raised.value).isprintable()


def test_links_are_followed(tmp_path):
    for name in ("data/real", "other"):
        (tmp_path / name).mkdir(parents=True)
    data = tmp_path / "data"
    for name, goal in {"in": "real", "out": "../other", "loop": "loop"}.items():
        (data / name).symlink_to(goal)
    (tmp_path / "linked").symlink_to(data)
    for name in ("real", "in", "in/none yet", "none"):
        assert not escapes(data, name)
        assert not escapes(tmp_path / "linked", name)
    for name in ("out", "out/x", ".."):
        assert escapes(data, name)
    check_no_escape(data, "in")
    with pytest.raises(BadBucket, match="by a link"):
        check_no_escape(data, "out")
