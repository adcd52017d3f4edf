import json
import os
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from dtst_flow.dataset import sidecars
from dtst_flow.dataset.sidecars import merge, signature

keys = st.sampled_from(["license", "origin", "tags", "source", "classes", "ü\n"])
values = st.none() | st.integers(0, 3) | st.text("ab", max_size=2) | st.just([1, {}])
contents = st.dictionaries(keys, values)
origins = st.dictionaries(st.just("provenance"), values)
metrics = st.dictionaries(st.sampled_from(["blur", "niqe", "provenance"]), values)
ours = st.builds(lambda keys, origin: {**keys, **origin}, contents, origins)


def no_shared_words(users: dict, ours: dict) -> bool:
    """Whether no key has the same value by both; it would count as ours."""
    return all(users.get(key, ...) != value for key, value in ours.items())


class TestRead:
    def test_no_sidecar_is_an_empty_one(self, tmp_path):
        assert sidecars.read(tmp_path / "x.jpg") == {}
        assert sidecars.read(tmp_path / "no folder/x.jpg") == {}

    def test_it_lies_beside_the_image(self, tmp_path):
        (tmp_path / "x.jpg.json").write_text('{"license": "CC0"}')
        assert sidecars.read(str(tmp_path / "x.jpg")) == {"license": "CC0"}
        assert sidecars.path_of("a/x.jpg").as_posix() == "a/x.jpg.json"

    def test_a_byte_order_mark_does_no_harm(self, tmp_path):
        (tmp_path / "x.jpg.json").write_bytes(b'\xef\xbb\xbf{"a": 1}')
        assert sidecars.read(tmp_path / "x.jpg") == {"a": 1}

    @pytest.mark.parametrize(
        "content",
        [
            *(b"", b"{", b"[1]", b"null", b'"text"', b"3", b'{"a": 1}}', b"\xff\xfe\0"),
            *(b"[" * 100_000, b"9" * 5000, b"\0" * 64),
            *(b'{"a": 1, "a": 2}', b'{"a": [{"b": 1, "b": 1}]}'),
            b'{"a": ' * 101 + b"1" + b"}" * 101,
            b'{"a": "' + b" " * sidecars.LARGEST + b'"}',
        ],
        ids=lambda content: repr(content[:9]),
    )
    def test_a_broken_one_is_named_and_left_as_it_is(self, tmp_path, content):
        path = tmp_path / "x.jpg.json"
        path.write_bytes(content)
        with pytest.raises(sidecars.BrokenSidecar, match=r"x\.jpg\.json"):
            sidecars.read(tmp_path / "x.jpg")
        assert path.read_bytes() == content

    @pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-be", "utf-32"])
    def test_json_may_be_in_any_unicode_encoding(self, tmp_path, encoding):
        (tmp_path / "x.jpg.json").write_bytes('{"ü": 1}'.encode(encoding))
        assert sidecars.read(tmp_path / "x.jpg") == {"ü": 1}

    def test_what_can_be_read_can_be_written_and_signed(self, tmp_path):
        deep = b'{"a": ' * 100 + b"NaN" + b"}" * 100
        (tmp_path / "x.jpg.json").write_bytes(deep)
        content = sidecars.read(tmp_path / "x.jpg")
        sidecars.write(tmp_path / "x.jpg", merge(content, {}, signature(content)))
        sidecars.write(tmp_path / "x.jpg", content)
        assert repr(sidecars.read(tmp_path / "x.jpg")) == repr(content)

    def test_numbers_that_are_none_stay_as_they_are(self, tmp_path):
        content = '{\n  "a": [\n    NaN,\n    -Infinity\n  ]\n}\n'
        (tmp_path / "x.jpg.json").write_text(content)
        sidecars.write(tmp_path / "x.jpg", sidecars.read(tmp_path / "x.jpg"))
        assert (tmp_path / "x.jpg.json").read_text() == content

    def test_a_folder_in_its_place_is_a_broken_one(self, tmp_path):
        (tmp_path / "x.jpg.json").mkdir()
        with pytest.raises(sidecars.BrokenSidecar, match="directory"):
            sidecars.read(tmp_path / "x.jpg")

    def test_beside_the_longest_of_names_there_is_none(self, tmp_path):
        image = tmp_path / ("x" * 251 + ".jpg")
        image.touch()
        assert sidecars.read(image) == {}

    def test_the_fault_can_be_printed_whatever_the_name(self, tmp_path):
        image = tmp_path / os.fsdecode(b"caf\xe9\n.jpg")
        sidecars.path_of(image).write_text("{")
        with pytest.raises(sidecars.BrokenSidecar) as raised:
            sidecars.read(image)
        assert "\n" not in str(raised.value)
        assert str(raised.value).encode()


class TestWrite:
    def test_it_comes_back_the_same_in_the_same_order(self, tmp_path):
        content = {"b": [1, 2.5, None], "a": {"ü": "\udce9"}, "c": True}
        sidecars.write(tmp_path / "x.jpg", content)
        assert list(sidecars.read(tmp_path / "x.jpg").items()) == list(content.items())
        assert (tmp_path / "x.jpg.json").read_text().endswith("}\n")

    def test_an_empty_one_is_removed(self, tmp_path):
        image = tmp_path / "x.jpg"
        sidecars.write(image, {"a": 1})
        sidecars.write(image, {})
        sidecars.write(image, {})
        assert list(tmp_path.iterdir()) == []

    def test_what_grows_too_large_in_lines_is_written_in_one(
        self, tmp_path, monkeypatch
    ):
        monkeypatch.setattr(sidecars, "LARGEST", 10_000)
        content = {"a": [[0]] * (sidecars.LARGEST // 10)}
        sidecars.write(tmp_path / "x.jpg", content)
        assert sidecars.read(tmp_path / "x.jpg") == content
        with pytest.raises(sidecars.BrokenSidecar, match="would have more than"):
            sidecars.write(tmp_path / "y.jpg", {"a": "ü" * (sidecars.LARGEST // 5)})
        assert not (tmp_path / "y.jpg.json").exists()


class TestEdit:
    @pytest.fixture(autouse=True)
    def here(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)

    @pytest.mark.parametrize(
        "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be", "utf-32"]
    )
    def test_all_else_stays_as_it_is(self, encoding):
        text = '{"n":[1e400,0.10],\r\n "ü":-0}'
        path = Path("x.jpg.json")
        path.write_bytes(before := text.encode(encoding))
        path.chmod(0o640)
        sidecars.edit("x.jpg", sidecars.read("x.jpg") | {"classes": {"a": []}})
        added = text[:-1] + ',\r\n "classes":{\r\n  "a":[]\r\n }}'
        assert path.read_bytes() == added.encode(encoding)
        assert path.stat().st_mode & 0o777 == 0o640
        content = sidecars.read("x.jpg")
        del content["classes"]
        sidecars.edit("x.jpg", content)
        assert path.read_bytes() == before

    def test_a_link_leads_to_where_it_led(self):
        Path("notes.json").write_text('{"a": 1}')
        Path("x.jpg.json").symlink_to("notes.json")
        sidecars.edit("x.jpg", {"a": 1, "b": 2})
        assert Path("x.jpg.json").is_symlink()
        assert Path("notes.json").read_text() == '{"a": 1, "b": 2}'

    def test_nothing_is_written_where_a_link_leads_out(self, tmp_path_factory):
        outside = tmp_path_factory.mktemp("outside") / "notes.json"
        outside.write_text('{"a": 1}')
        Path("x.jpg.json").symlink_to(outside)
        with pytest.raises(sidecars.BrokenSidecar, match="leads out of the dataset"):
            sidecars.edit("x.jpg", {"a": 1, "b": 2})
        assert outside.read_text() == '{"a": 1}'

    def test_a_compact_one_stays_compact_however_large(self, monkeypatch):
        monkeypatch.setattr(sidecars, "LARGEST", 10_000)
        content = {"a": [[0]] * (sidecars.LARGEST // 4 - 100)}
        raw = json.dumps(content, separators=(",", ":"))
        Path("x.jpg.json").write_text(raw)
        sidecars.edit("x.jpg", content | {"b": 1})
        assert Path("x.jpg.json").stat().st_size == len(raw) + len(',"b":1')
        with pytest.raises(sidecars.BrokenSidecar, match="would have more than"):
            sidecars.edit("x.jpg", content | {"b": "x" * 2000})


def test_what_speaks_of_pixels_does_not_travel():
    content = {"license": "CC0", "classes": {}, "metrics": {}, "provenance": {}}
    assert sidecars.travelling(content) == {"license": "CC0"}
    assert len(content) == 4


class TestMerge:
    @given(present=ours, ours=ours, written=st.lists(ours, max_size=2))
    def test_loses_no_foreign_key_and_says_all_of_ours(self, present, ours, written):
        merged = merge(present, ours, *map(signature, written))
        foreign = {
            key: value
            for key, value in present.items()
            if key != "provenance"
            and not any(key in w and w[key] == value for w in written)
        }
        assert merged == {**ours, **foreign}

    @given(present=ours, ours=ours, written=ours)
    def test_again_changes_nothing(self, present, ours, written):
        merged = merge(present, ours, signature(written))
        assert merge(merged, ours, signature(ours), signature(written)) == merged

    @given(users=contents, first=ours, second=ours)
    def test_as_if_what_we_said_before_had_never_been(self, users, first, second):
        assume(no_shared_words(users, first))
        merged = merge(users, first)
        assert merge(merged, {}, signature(first)) == users
        again = merge(merged, second, signature(first))
        assume(no_shared_words(users, second))
        assert list(again.items()) == list(merge(users, second).items())

    @given(ours=ours, edit=values, key=keys)
    def test_an_edit_of_our_key_is_the_users(self, ours, edit, key):
        assume(ours.get(key, ...) != edit)
        edited = {**ours, key: edit}
        assert merge(edited, ours, signature(ours))[key] == edit
        assert merge(edited, {}, signature(ours)) == {key: edit}

    @given(users=metrics, first=metrics, second=metrics)
    def test_metrics_are_told_apart_one_by_one(self, users, first, second):
        assume(no_shared_words(users, first) and no_shared_words(users, second))
        merged = merge({"metrics": users}, {"metrics": first})
        again = merge(merged, {"metrics": second}, signature({"metrics": first}))
        assert again == {"metrics": second | users}
        rest = merge(again, {}, signature({"metrics": second}))
        assert rest == ({"metrics": users} if users else {})

    @given(present=metrics, ours=metrics)
    def test_metrics_of_ours_alone_are_as_from_nothing(self, present, ours):
        before, now = ({"metrics": m, "tags": 1} for m in (present, ours))
        assert repr(merge(before, now, signature(before))) == repr(now)

    @given(users=values | contents, ours=values | contents, written=values | contents)
    def test_metrics_may_be_anything(self, users, ours, written):
        present, new, old = ({"metrics": m} for m in (users, ours, written))
        merged = merge(present, new, signature(old))
        if not isinstance(users, dict):
            assert merged == (new if signature(present) == signature(old) else present)
        elif not isinstance(ours, dict) and signature(old) != signature(present):
            assert (
                merged["metrics"] == ours or merged["metrics"].items() <= users.items()
            )

    @pytest.mark.parametrize("signed", [None, 5, [], {"blur": "x"}, "", "x", "ü" * 99])
    def test_of_metrics_that_a_stranger_signed_none_are_ours(self, signed):
        present = {"metrics": {"blur": 1}}
        merged = merge(present, {"metrics": {"blur": 2, "yaw": 3}}, {"metrics": signed})
        assert merged == {"metrics": {"blur": 1, "yaw": 3}}

    def test_provenance_is_ours_alone(self):
        edited = {"provenance": "edited"}
        assert merge(edited, {"provenance": 1}) == {"provenance": 1}
        assert merge(edited, {}) == {}

    def test_one_is_neither_true_nor_a_float(self):
        assert merge({"a": 1}, {}, signature({"a": True})) == {"a": 1}
        assert merge({"a": 1}, {}, signature({"a": 1.0})) == {"a": 1}
