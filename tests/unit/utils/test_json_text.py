"""JSON texts of others: every number and every byte that an edit is not about stays."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dtst_flow.utils import json_text
from dtst_flow.utils.files import digest_value

NUMBERS = ("1e400", "-1E-400", "0.10", "1.0E+2", "-0", "9" * 5000, "0." + "123" * 20)

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)
objects = st.dictionaries(st.sampled_from(["a", "b", "ü", "classes"]), values)
layouts = st.fixed_dictionaries(
    {
        "indent": st.sampled_from([None, 1, 2, "\t"]),
        "separators": st.sampled_from([(",", ":"), (", ", ": "), (" ,", " : ")]),
        "ensure_ascii": st.booleans(),
    }
)
ends = st.sampled_from(["", "\n", "\r\n \t"])


def laid_out(content: dict, layout: dict, end: str) -> str:
    text = json.dumps(content, **layout) + end
    return text.replace("\n", "\r\n") if "\r" in end else text


@pytest.mark.parametrize("text", NUMBERS)
def test_a_number_is_written_as_it_was_read(text):
    value = json_text.loads(f'{{"n": [{text}]}}')
    assert json_text.dumps(value) == f'{{"n": [{text}]}}'
    assert isinstance(value["n"][0], float)
    other = json_text.loads('{"n": [1e500]}')
    assert digest_value(json_text.spelled(value)) != digest_value(
        json_text.spelled(other)
    )


@given(objects, layouts, st.booleans())
def test_a_layout_is_the_one_that_json_gives(content, layout, sort_keys):
    how = {key: layout[key] for key in ("indent", "separators")}
    expected = json.dumps(content, sort_keys=sort_keys, **how)
    assert json_text.dumps(content, sort_keys=sort_keys, **how) == expected


@given(objects)
def test_what_python_spells_alike_is_as_json_has_it(content):
    text = json.dumps(content)
    assert repr(json_text.loads(text)) == repr(json.loads(text))
    assert json_text.dumps(content) == text
    assert json_text.spelled(content) == content or "nan" in repr(content)


@given(objects, objects, layouts, ends)
def test_what_is_added_and_taken_out_again_leaves_no_trace(ours, users, layout, end):
    text = laid_out(users, layout, end)
    both = users | {f"our {key}": value for key, value in ours.items()}
    added = json_text.edited(text, both)
    assert repr(json_text.loads(added)) == repr(json_text.loads(json.dumps(both)))
    assert json_text.edited(added, users) == text


@given(objects, objects, layouts, ends)
def test_any_edit_gives_what_was_asked_for_in_that_order(before, after, layout, end):
    changed = json_text.edited(laid_out(before, layout, end), after)
    assert repr(json_text.loads(changed)) == repr(json_text.loads(json.dumps(after)))


def test_only_what_changes_is_written_anew():
    text = '{ "n":1e400, "classes" : {"mine":[ 0.10 ]},"tags": [1,2 ] }\n'
    content = json_text.loads(text)
    content["classes"]["flower"] = [{"box": [1.0, 2.0]}]
    assert json_text.edited(text, content) == (
        '{ "n":1e400, "classes" : {"mine":[ 0.10 ],"flower":[{"box":[1.0,2.0]}]},'
        '"tags": [1,2 ] }\n'
    )


def test_what_is_added_looks_like_its_neighbours():
    text = '{\n\t"a": {\n\t\t"b": 1\n\t}\n}'
    content = {"a": {"b": 1, "c": [2]}, "d": {"e": 3}}
    assert json_text.edited(text, content) == json.dumps(content, indent="\t")
