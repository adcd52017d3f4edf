from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dtst_flow.cluster.history import NOISE, Changes, carry_over, compare


def members(*names: str) -> dict[str, str]:
    """Images whose content is named like them."""
    return {f"{name}.jpg": name for name in names}


def letters(text: str) -> dict[str, str]:
    return members(*text)


class TestCarryOver:
    def test_a_cluster_keeps_its_id(self):
        before = {"one": letters("abcd"), "two": letters("efg")}
        now = [letters("efgh"), letters("abc")]
        assert carry_over(before, now) == ["two", "one"]

    def test_of_a_split_the_larger_part_keeps_it(self):
        first, second = carry_over(
            {"one": letters("abcde")}, [*map(letters, ("ab", "cde"))]
        )
        assert second == "one" and first != "one"

    def test_of_a_merger_the_larger_one_gives_it(self):
        before = {"one": letters("ab"), "two": letters("cde")}
        assert carry_over(before, [letters("abcde")]) == ["two"]

    def test_renamed_and_edited_images_are_the_same(self):
        before = {"one": {"a.jpg": "A", "b.jpg": "B"}, "two": {"c.jpg": "C"}}
        now = [{"x.jpg": "C"}, {"a.jpg": "A2", "b.jpg": "B2"}]
        assert carry_over(before, now) == ["two", "one"]

    def test_new_ids_are_made_from_the_images(self):
        clusters = [letters("abc"), letters("def")]
        ids = carry_over({}, clusters)
        assert len(set(ids)) == 2 and all(len(id_) == 8 for id_ in ids)
        assert carry_over({}, clusters[::-1]) == ids[::-1]
        # Taken, as another cluster goes on under it.
        moved = carry_over({ids[0]: letters("xyz")}, [letters("xyz"), letters("abc")])
        assert moved[0] == ids[0] and moved[1] not in ids

    @given(
        st.lists(st.integers(0, 3), min_size=12, max_size=12),
        st.lists(st.integers(0, 3), min_size=12, max_size=12),
    )
    def test_no_other_assignment_keeps_more_images(self, was, is_):
        def states(of: list[int]) -> dict[str, dict[str, str]]:
            found: dict[str, dict[str, str]] = {}
            for image, cluster in enumerate(of):
                found.setdefault(str(cluster), {})[f"{image}.jpg"] = str(image)
            return found

        before, now = states(was), list(states(is_).values())

        def kept(ids) -> int:
            return sum(
                len(before.get(id_, {}).keys() & cluster.keys())
                for id_, cluster in zip(ids, now, strict=True)
            )

        ids = carry_over(before, now)
        assert len(set(ids)) == len(ids)
        spare = [*before, *(f"new{i}" for i in range(len(now)))]
        best = max(kept(chosen) for chosen in permutations(spare, len(now)))
        assert kept(ids) == best


class TestCompare:
    def test_nothing(self):
        state = {"one": letters("abc"), NOISE: letters("x")}
        assert compare(state, state) == Changes()

    def test_all_that_can_happen(self):
        before = {
            "big": letters("abcdef"),
            "gone": letters("gh"),
            "left": letters("ij"),
            "right": letters("kl"),
            NOISE: letters("xy"),
        }
        now = {
            "big": letters("abcx"),
            "part": letters("def"),
            "left": letters("ijkl"),
            NOISE: letters("ghz"),
        }
        assert compare(before, now) == Changes(
            born=["part"],
            died=["gone", "right"],
            split={"big": ["big", "part"]},
            merged={"left": ["left", "right"]},
            sizes={"big": (6, 4), "left": (2, 4)},
            moved=[
                ("d.jpg", "big", "part"),
                ("e.jpg", "big", "part"),
                ("f.jpg", "big", "part"),
                ("g.jpg", "gone", NOISE),
                ("h.jpg", "gone", NOISE),
                ("k.jpg", "right", "left"),
                ("l.jpg", "right", "left"),
                ("x.jpg", NOISE, "big"),
            ],
            added=["z.jpg"],
            removed=["y.jpg"],
        )

    @pytest.mark.parametrize("now", [{"x.jpg": "a"}, {"a.jpg": "edited"}])
    def test_a_renamed_or_edited_image_did_not_move(self, now):
        assert compare({"one": {"a.jpg": "a"}}, {"one": now}) == Changes()


def test_what_is_rejected_is_no_cluster():
    before = {"x": {"a": "1", "b": "2", "c": "3"}, "": {}}
    now = {"x": {"a": "1", "b": "2"}, "": {}, "rejected": {"c": "3"}}
    changes = compare(before, now)
    assert changes.moved == [("c", "x", "rejected")]
    assert changes.born == changes.died == [] and not changes.split
