"""File names of crops: no two alike, and each class legible in them."""

from urllib.parse import unquote

from hypothesis import example, given
from hypothesis import strategies as st

from dtst_flow.annotations import crop_names
from dtst_flow.dataset import inventory

classes = st.text(
    st.characters() | st.sampled_from("aAbB_01.%/ -"), max_size=6
) | st.sampled_from(["01", "b_c", "", "_", "b", "B", "b_00"])
paths = st.builds(
    "images/{}/{}.{}".format,
    st.sampled_from("xyX"),
    st.text("aAbB_01c", min_size=1, max_size=6),
    st.sampled_from(["jpg", "png"]),
)


@given(
    st.dictionaries(paths, st.dictionaries(classes, st.integers(1, 120)), max_size=6)
)
@example({"images/x/a_b.jpg": {"c": 1}, "images/x/a.jpg": {"b_c": 1}})
@example({"images/x/a_b.jpg": {"01": 1}, "images/x/a.jpg": {"b": 2}})
@example({"images/x/a.jpg": {"b": 2, "B": 2, "%42": 2, "": 2, "_": 1}})
def test_no_two_crops_share_a_name_in_any_case(sidecars):
    stems = inventory.unique_stems(sidecars)
    made = [
        crop_names.file_name(stems[path], written[name], place, of)
        for path, counts in sidecars.items()
        for written in [crop_names.encoded(counts)]
        for name, of in counts.items()
        for place in range(of)
    ]
    assert len({name.casefold() for name in made}) == len(made)
    for name in made:
        assert "/" not in name and name.isprintable()


@given(st.sets(classes | st.text(st.characters(categories=["Cs"]))))
def test_classes_can_be_read_from_names(there):
    for name, written in crop_names.encoded(there).items():
        assert unquote(written, errors="surrogatepass") == name


def test_ordinary_classes_look_ordinary():
    assert crop_names.encoded(["flower", "Person", "T-shirt", "traffic light"]) == {
        "flower": "flower",
        "Person": "Person",
        "T-shirt": "T-shirt",
        "traffic light": "traffic%20light",
    }
    assert crop_names.file_name("a", "flower", 0, 1) == "a_flower.jpg"
    assert crop_names.file_name("a", "flower", 1, 2) == "a_flower_01.jpg"
