"""Boxes of classes: checking them, cutting by them, describing the crops."""

import json
import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from dtst_flow.annotations import boxes, crop_plan, crop_window
from dtst_flow.dataset import sidecars
from dtst_flow.dataset.manifest import ManifestRow
from dtst_flow.imaging import encode

positions = st.floats(-3000, 6000)
sizes = st.integers(1, 4000)
whole = st.integers(-3000, 6000)


@st.composite
def a_box(draw, position=positions):
    x, y = (sorted(draw(st.tuples(position, position))) for _ in "xy")
    assume(x[0] < x[1] and y[0] < y[1])
    return x[0], y[0], x[1], y[1]


@st.composite
def touching(draw):
    """A box and an image that it touches."""
    box, width, height = draw(a_box()), draw(sizes), draw(sizes)
    assume(crop_window.touches(box, width, height))
    return box, width, height


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)
contents = st.dictionaries(
    st.sampled_from(["classes", "provenance", "source", "x", "y"]), json_values
)


class TestAround:
    @pytest.mark.parametrize(
        ("box", "square", "margin", "expected"),
        [
            ((100, 100, 500, 500), False, 0, (100, 100, 500, 500)),
            ((100, 100, 500, 500), True, 0.1, (60, 60, 540, 540)),
            ((100, 100, 500, 300), True, 0, (100, 0, 500, 400)),
            ((100, 100, 500, 300), False, 0.1, (60, 60, 540, 340)),
            ((100, 100, 500, 300), True, 0.1, (60, -40, 540, 440)),
            ((0, 0, 3, 2), True, 0, (0, 0, 3, 3)),
            ((10.5, 10.2, 10.6, 10.4), False, 0, (10, 10, 11, 11)),
            ((0.5, 0.5, 3, 3), False, 0, (0, 0, 3, 3)),
        ],
    )
    def test_by_hand(self, box, square, margin, expected):
        assert crop_window.around(box, square, margin) == expected

    @given(a_box(), st.booleans(), st.floats(0, 2))
    def test_it_is_the_exact_rectangle_to_the_nearest_pixel(self, box, square, margin):
        x0, y0, x1, y1 = box
        pad = margin * max(x1 - x0, y1 - y0)
        wide, high = x1 - x0 + 2 * pad, y1 - y0 + 2 * pad
        if square:
            wide = high = max(wide, high)
        left, top, right, bottom = crop_window.around(box, square, margin)
        for start, end, length, middle in (
            (left, right, wide, (x0 + x1) / 2),
            (top, bottom, high, (y0 + y1) / 2),
        ):
            assert end - start == 1 or abs(end - start - length) <= 0.5 + 1e-6
            assert abs((start + end) / 2 - middle) <= 0.5 + 1e-6
        assert not square or right - left == bottom - top

    @given(a_box(whole), st.booleans(), st.sampled_from([0, 0.25, 0.5]), whole, whole)
    def test_it_moves_with_its_box(self, box, square, margin, dx, dy):
        moved = (box[0] + dx, box[1] + dy, box[2] + dx, box[3] + dy)
        left, top, right, bottom = crop_window.around(box, square, margin)
        expected = (left + dx, top + dy, right + dx, bottom + dy)
        assert crop_window.around(moved, square, margin) == expected

    @given(a_box(whole))
    def test_whole_pixels_stay(self, box):
        assert crop_window.around(box) == box


class TestWithin:
    @given(touching(), st.booleans(), st.floats(0, 2))
    def test_it_lies_inside_and_is_as_large_as_can_be(self, case, square, margin):
        box, width, height = case
        asked = crop_window.around(box, square, margin)
        x0, y0, x1, y1 = crop_window.within(asked, width, height, square)
        assert 0 <= x0 < x1 <= width and 0 <= y0 < y1 <= height
        if square:
            side = min(asked[2] - asked[0], width, height)
            assert x1 - x0 == y1 - y0 == side
        if not crop_window.reaches_outside(asked, width, height):
            assert (x0, y0, x1, y1) == asked

    @given(touching(), st.floats(0, 2))
    def test_a_cut_window_is_the_pixels_that_both_share(self, case, margin):
        box, width, height = case
        asked = crop_window.around(box, False, margin)
        shared = [
            set(range(max(start, 0), min(end, limit)))
            for start, end, limit in zip(
                asked[:2], asked[2:], (width, height), strict=True
            )
        ]
        assume(all(shared))
        x0, y0, x1, y1 = crop_window.within(asked, width, height)
        assert shared == [set(range(x0, x1)), set(range(y0, y1))]

    @given(touching(), st.floats(0, 2))
    def test_no_square_that_fits_shows_more_of_what_was_asked(self, case, margin):
        box, width, height = case
        asked = crop_window.around(box, True, margin)
        found = crop_window.within(asked, width, height, square=True)
        side = found[2] - found[0]
        for axis, limit in ((0, width), (1, height)):
            start, end = asked[axis], asked[axis + 2]

            def shown(at, start=start, end=end):
                return min(at + side, end) - max(at, start)

            best = shown(found[axis])
            for other in (0, limit - side, found[axis] - 1, found[axis] + 1):
                assert not 0 <= other <= limit - side or shown(other) <= best

    def test_a_square_at_the_edge_is_moved_and_a_large_one_shrunk(self):
        assert crop_window.within((-40, 10, 60, 110), 640, 427, True) == (
            0,
            10,
            100,
            110,
        )
        assert crop_window.within((600, 400, 700, 500), 640, 427, True) == (
            540,
            327,
            640,
            427,
        )
        assert crop_window.within((0, -100, 600, 500), 640, 427, True) == (
            87,
            0,
            514,
            427,
        )


class TestRead:
    @given(
        st.dictionaries(
            st.text(),
            st.lists(
                st.one_of(
                    st.fixed_dictionaries(
                        {"box": st.lists(st.floats() | st.integers(), max_size=5)},
                        optional={"score": st.none() | st.floats() | st.text()},
                    ),
                    st.none() | st.integers(),
                )
            )
            | st.integers(),
        )
    )
    def test_every_entry_is_read_or_reported(self, classes):
        found, bad = boxes.read(classes)
        listed = [v for v in classes.values() if isinstance(v, list)]
        assert len(found) + len(bad) == sum(map(len, listed)) + len(classes) - len(
            listed
        )
        for entry in found:
            assert classes[entry.name][entry.place]["box"] == list(entry.box)
            x0, y0, x1, y1 = entry.box
            assert -math.inf < x0 < x1 < math.inf and -math.inf < y0 < y1 < math.inf

    @pytest.mark.parametrize(
        "box", [[0, 0, True, 9], [0, 0, 10**400, 9], [0, 0, "5", 9], {}, "0 0 9 9"]
    )
    def test_what_only_looks_like_a_box_is_none(self, box):
        assert boxes.read({"a": [{"box": box}]})[0] == []

    def test_classes_must_be_an_object(self):
        with pytest.raises(ValueError, match="no object"):
            boxes.read([1])


class TestMatch:
    def test_exact_spelling_goes_before_any_other(self):
        there = ["Flower", "flower", "Leaf"]
        assert boxes.match("flower", there) == ["flower"]
        assert boxes.match("LEAF", there) == ["Leaf"]
        assert boxes.match("FLOWER", there) == ["Flower", "flower"]
        assert boxes.match("stem", there) == []

    def test_classes_are_a_comma_list_or_a_list(self):
        assert boxes.parse_classes("flower, leaf,") == ["flower", "leaf"]
        assert boxes.parse_classes(["a, b", ""]) == ["a, b", ""]
        assert boxes.parse_classes(None) is None


class TestMoved:
    @given(st.lists(a_box()), touching())
    def test_each_box_shows_the_same_pixels_in_the_crop(self, given_boxes, case):
        crop = crop_window.within(crop_window.around(case[0]), *case[1:])
        every = [boxes.Entry(str(i), 0, 1, box) for i, box in enumerate(given_boxes)]
        moved = boxes.moved(every, crop)
        for i, box in enumerate(given_boxes):
            x0, y0 = max(box[0], crop[0]), max(box[1], crop[1])
            x1, y1 = min(box[2], crop[2]), min(box[3], crop[3])
            if min(x1 - x0, y1 - y0) <= 0:
                assert str(i) not in moved
            elif max(x1 - crop[0], y1 - crop[1]) < 1.6:
                continue  # perhaps dropped, as it would be taken for shares
            elif min(x1 - x0, y1 - y0) > 0.01 or str(i) in moved:
                shift = (*crop[:2], *crop[:2])
                (content,) = moved[str(i)]
                back = [v + by for v, by in zip(content["box"], shift, strict=True)]
                assert back == pytest.approx((x0, y0, x1, y1), abs=0.0051)

    @given(st.lists(a_box(whole)), a_box(whole))
    def test_what_is_moved_can_be_read_again(self, given_boxes, crop):
        every = [boxes.Entry("a", i, 9, box) for i, box in enumerate(given_boxes)]
        again, bad = boxes.read(boxes.moved(every, crop))
        assert bad == []
        width, height = crop[2] - crop[0], crop[3] - crop[1]
        for entry in again:
            assert entry.box[:2] >= (0, 0)
            assert entry.box[2] <= width and entry.box[3] <= height

    def test_plain_keys_stay_and_lists_do_not(self):
        content = {"box": [10, 10, 30, 30], "by": "Ann", "polygon": [[1, 2]]}
        found, _ = boxes.read({"a": [content], "b": [{"box": [0, 0, 5, 5]}]})
        assert boxes.moved(found, (5, 5, 25, 25)) == {
            "a": [{"box": [5, 5, 20, 20], "by": "Ann"}]
        }


@pytest.mark.parametrize(
    ("box", "hint"),
    [
        *(([0.1, 0.2, 0.5, 0.6], "shares"), ([0, 0, 1, 1], "shares")),
        *(([-0.01, 0.3, 1.02, 0.9], "shares"), ([0.5, 0.5, 0.2, 0.1], "shares")),
        *(([300, 200, 50, 80], "width, height"), ([9, 1, 20, 0.5], "width, height")),
    ],
)
def test_boxes_of_another_kind_are_refused_with_what_is_meant(box, hint):
    found, [(name, reason)] = boxes.read({"a": [{"box": box}]})
    assert (found, name) == ([], "a")
    assert hint in reason and "left, top, right, bottom, in pixels" in reason
    # Not those of small things, wherever they are.
    assert (
        boxes.read({"a": [{"box": [0, 0, 2, 2]}, {"box": [7.1, 0, 7.9, 1]}]})[1] == []
    )


ROW = ManifestRow("images/a.jpg", "d", "a")


class TestPlan:
    def plan(self, box, width, height, **values):
        options = crop_plan.Options(**values)
        sidecar = {"classes": {"b": [{"box": box, "score": 0.5}]}}
        choice = crop_plan.choose(sidecar, options)
        return list(crop_plan.plan(ROW, choice, (width, height), options))

    def test_a_crop_too_large_for_a_jpeg_is_refused(self):
        (fits,) = self.plan([0, 0, encode.MAX_SIDE, 9], 70000, 9)
        assert encode.encode(np.zeros((9, fits.window[2], 3), np.uint8))
        (reason,) = self.plan([0, 0, encode.MAX_SIDE + 1, 9], 70000, 9)
        assert "65500 pixels a side" in reason

    @given(touching(), st.booleans(), st.floats(0, 2))
    def test_partial_is_what_would_be_cut_or_moved(self, case, square, margin):
        box, width, height = case
        assume(max(map(abs, box)) >= 2)  # else it is taken for shares of the image
        wanted = {"square": square, "margin": margin}
        (whole,) = self.plan(list(box), width, height, **wanted)
        inside = self.plan(list(box), width, height, skip_partial=True, **wanted)
        if inside:
            assert inside == [whole]
            assert whole.window == crop_window.around(box, square, margin)
        else:
            assert whole.window != crop_window.around(box, square, margin)

    @pytest.mark.parametrize(("least", "crops"), [(None, 1), (0.5, 1), (0.51, 0)])
    def test_min_score_is_the_least_that_passes(self, least, crops):
        assert len(self.plan([0, 0, 5, 5], 9, 9, min_score=least)) == crops

    def test_without_a_score_none_passes_a_threshold(self):
        assert crop_plan.passes(None, None)
        assert not crop_plan.passes(None, -1)

    @given(contents)
    def test_a_crop_takes_the_keys_of_its_source_along(self, sidecar):
        sidecar["classes"] = {"b": [{"box": [0, 0, 5, 5]}]}
        choice = crop_plan.choose(sidecar, crop_plan.Options())
        (crop,) = crop_plan.plan(ROW, choice, (9, 9), crop_plan.Options())
        ours = {"classes", "provenance", "metrics"}
        kept = {k: v for k, v in sidecar.items() if k not in ours}
        assert kept == {k: v for k, v in crop.sidecar.items() if k not in ours}


class TestSidecars:
    @given(contents, contents, contents)
    def test_merging_never_loses_a_key_of_the_user(self, users, before, now):
        """However the workflow's keys change, the user's own ones stay as they are."""
        users.pop("provenance", None)
        first = sidecars.merge(users, before)
        edited = json.loads(json.dumps(first))
        second = sidecars.merge(edited, now, sidecars.signature(before))
        withdrawn = sidecars.merge(second, {}, sidecars.signature(now))
        for key, value in users.items():
            assert first[key] == value
            ambiguous = value in (before.get(key), now.get(key))
            assert ambiguous or second[key] == withdrawn[key] == value
