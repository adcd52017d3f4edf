"""Stems: unique names for the crops of a bucket's images."""

import random
import unicodedata
from pathlib import PurePosixPath

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dtst_flow.dataset.stems import folded as alike
from dtst_flow.dataset.stems import unique_stems
from dtst_flow.utils.files import digest

CAFES = ["caf\u00e9", "cafe\u0301", "CAFE\u0301"]
"""One name, as file systems that do not tell case or encoding of accents apart have it."""


def folded(stem: str) -> str:
    return unicodedata.normalize("NFC", stem).casefold()


paths = st.lists(
    st.builds(
        lambda folders, stem, suffix: "/".join((*folders, stem + suffix)),
        st.lists(st.sampled_from(["a", "b", "A", "a_x", "x.jpg"]), max_size=3),
        st.sampled_from(
            ["x", "X", "y", "a_x", "a_a_x", "x.jpg", "ß", "\udce9", *CAFES]
        ),
        st.sampled_from([".jpg", ".JPG", ".png"]),
    ),
    unique=True,
    max_size=10,
)


class TestUniqueStems:
    @given(paths=paths)
    @example(["a/x.jpg", "b/x.jpg", "a_x.jpg", "a_x.jpg.jpg"])
    def test_no_two_are_alike(self, paths):
        stems = unique_stems(paths)
        assert stems.keys() == set(paths)
        assert len({folded(stem) for stem in stems.values()}) == len(paths)

    @given(paths=paths, random=st.randoms(use_true_random=False))
    def test_the_order_does_not_matter(self, paths, random: random.Random):
        turned = random.sample(paths, len(paths))
        assert unique_stems(turned) == unique_stems(paths)

    @given(paths=paths)
    @example(["a/x.jpg", "b/x.jpg", "a_x.jpg"])
    def test_alone_with_its_name_an_image_keeps_it(self, paths):
        names = [PurePosixPath(path).stem for path in paths]
        alike = [folded(name) for name in names]
        stems = unique_stems(paths)
        for path, name in zip(paths, names, strict=True):
            if alike.count(folded(name)) == 1:
                assert stems[path] == name

    @pytest.mark.parametrize(
        "stems",
        [
            {"a/x.jpg": "a_x", "b/x.jpg": "b_x", "c/y.jpg": "y"},
            {"i/a/x.jpg": "a_x", "i/b/x.png": "b_x"},
            {"i/a/d/x.jpg": "a_d_x", "i/b/d/x.jpg": "b_d_x", "i/e/x.jpg": "e_x"},
            {"a/x.jpg": "a_x.jpg", "a/x.png": "a_x.png", "b/x.jpg": "b_x"},
            {"a/IMG.JPG": "a_IMG", "b/img.jpg": "b_img"},
            {"a/caf\u00e9.jpg": "a_caf\u00e9", "b/cafe\u0301.jpg": "b_cafe\u0301"},
            {"a/new\nline.jpg": "new\nline", "a/..jpg": ".", "a/x.y.jpg": "x.y"},
        ],
    )
    def test_the_folder_tells_equal_names_apart(self, stems):
        assert unique_stems(stems) == stems

    def test_what_no_folder_tells_apart_gets_a_digest(self):
        paths = ["a/IMG.jpg", "a/img.jpg"]
        stems = unique_stems(paths)
        assert stems == {
            path: f"{path.replace('/', '_')}-{digest(path.encode())[:8]}"
            for path in paths
        }

    @pytest.mark.parametrize(
        "name",
        ["x" * 251, "ü" * 125, "😀" * 62, "\udce9" * 250],
        ids=["ascii", "two bytes each", "four bytes each", "not UTF-8"],
    )
    def test_a_crop_of_the_longest_name_still_has_a_name(self, name, tmp_path):
        paths = [f"{folder * 99}/{name}.jpg" for folder in "ab"]
        for stems in map(unique_stems, ([f"i/{name}.jpg"], paths)):
            for stem in stems.values():
                (tmp_path / f"{stem}_00.jpg.json").touch()
        assert len(list(tmp_path.iterdir())) == 3


@pytest.mark.parametrize(
    ("one", "other"),
    [
        *(("x", "X"), ("é", "É"), ("é", "e\u0301"), ("ß", "SS"), ("ς", "Σ")),
        *(("\u0131", "I"), ("\u212a", "k"), ("a\u00ad", "a"), ("\u200bb", "B")),
    ],
)
def test_names_that_some_file_system_takes_for_one_are_alike(one, other):
    assert alike(one) == alike(other)
    stems = unique_stems([f"a/{one}.jpg", f"a/{other}.jpg"])
    assert len({alike(stem) for stem in stems.values()}) == 2
