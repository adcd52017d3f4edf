"""Sidecars of any content: each costs its own image at most, and nothing in it is lost.

What breaks here is worth a file in seeds/sidecars, which is tried in every run.
"""

import json
import math
import shutil
from contextlib import chdir
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from dtst_flow.annotations.ownership import Ownership
from dtst_flow.annotations.visited import Visited
from dtst_flow.dataset import sidecars
from dtst_flow.dataset.manifest import ManifestRow
from dtst_flow.stages import extract_classes, to_embed
from dtst_flow.stages.contract import ShardJob
from dtst_flow.stages.extract_classes import Options
from dtst_flow.utils.files import digest_file
from dtst_flow.utils.tables import read_table, write_table

SEEDS = sorted((Path(__file__).parent / "seeds/sidecars").iterdir())
SIZE = [64, 48]

numbers = (
    st.integers(-10, 80)
    | st.integers()
    | st.floats()
    | st.sampled_from([10**400, -0.0, 2**31, 1e308, 5e-324])
)
words = st.sampled_from(
    ["flower", "Flower", "", "../x", "{x}", "a\0b\n", "\ud800", "01"]
)
plain = st.none() | st.booleans() | numbers | st.text(max_size=5) | words
anything = st.recursive(
    plain,
    lambda inner: (
        st.lists(inner, max_size=5) | st.dictionaries(words, inner, max_size=3)
    ),
    max_leaves=8,
)
boxes = st.lists(numbers, min_size=4, max_size=4) | anything
entries = st.fixed_dictionaries(
    {}, optional={"box": boxes, "score": plain, "more": anything}
)
classes = st.dictionaries(words, st.lists(entries, max_size=3) | anything, max_size=4)
points = st.lists(st.lists(numbers, min_size=2, max_size=2), min_size=5, max_size=5)
origins = st.fixed_dictionaries(
    {}, optional={"points": points | anything, "size": st.just(SIZE) | anything}
)
contents = st.fixed_dictionaries(
    {"license": anything},
    optional={
        "classes": classes | anything,
        "provenance": origins | anything,
        "": plain,
    },
)
files = (
    contents.map(lambda content: json.dumps(content).encode())
    | anything.map(lambda value: json.dumps(value).encode())
    | st.binary(max_size=200)
    | st.text(st.sampled_from('[]{}:,"01e-. \\naNulltrue\ufeff'), max_size=60).map(
        str.encode
    )
)


def at_length(test, long: bool, examples: int) -> None:
    """Run a property for half a minute at most, or with --long for hours."""
    count = examples * 1000 if long else examples
    quiet = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
    settings(max_examples=count, suppress_health_check=quiet)(test)()


@pytest.fixture(scope="module")
def dataset(tmp_path_factory) -> Path:
    """A dataset of one photo."""
    folder = tmp_path_factory.mktemp("fuzzed")
    Image.effect_noise(SIZE, 80).convert("RGB").save(folder / "a.jpg")
    row = {"path": "a.jpg", "digest": digest_file(folder / "a.jpg"), "stem": "a"}
    write_table(folder / "s.jsonl", [row])
    return folder


pytestmark = pytest.mark.usefixtures("in_this_process")

JOB = ShardJob("s.jsonl", "t.jsonl", "f.jsonl")


def try_one(folder: Path, content: bytes) -> None:
    """Do to a sidecar what every stage does."""
    path = folder / "a.jpg.json"
    path.write_bytes(content)
    with chdir(folder):
        try:
            present = sidecars.read("a.jpg")
        except sidecars.BrokenSidecar as error:
            assert str(error).isprintable() and len(str(error)) < 3000
            present = None
        extract_classes.cut(JOB, "crops", Options())
        done, failed = list(read_table("t.jsonl")), list(read_table("f.jsonl"))
        assert len(done) + len(failed) == 1
        assert present is not None or failed
        check_points()
        assert path.read_bytes() == content  # so far it was only read
        if present is not None:
            check_round_trip(present)


def check_points() -> None:
    """Points that extract-faces may have left are numbers, or none are taken."""
    try:
        found = to_embed.stored_item(ManifestRow("a.jpg", "", ""), True).points
    except sidecars.BrokenSidecar:
        return
    if found is not None:
        array = np.array(found["points"], np.float32)
        assert array.shape == (5, 2) and np.isfinite(array).all()


def check_round_trip(present: dict) -> None:
    """What detect writes goes away again, and all else stays."""
    before = Path("a.jpg.json").read_bytes()
    shutil.rmtree("detected", ignore_errors=True)
    written = Ownership("detected", Visited("looked"))
    found = {"flower": [{"score": 0.5, "box": [1, 2, 3, 4]}], "new": []}
    try:
        written.put("a.jpg", "digest", found)
    except sidecars.BrokenSidecar:
        assert not isinstance(present.get("classes", {}), dict)
        return
    both = sidecars.read("a.jpg")
    assert both["classes"]["new"] == [] or "new" in present["classes"]
    for key in present.keys() - {"classes"}:
        assert same(both[key], present[key])
    for name, value in present.get("classes", {}).items():
        assert same(both["classes"][name], value)
    written.clear("a.jpg", lambda name: True)
    after = sidecars.read("a.jpg")
    # Classes that happen to be just what was found count as found.
    kept = {
        name: value
        for name, value in present.get("classes", {}).items()
        if name not in found or value != found[name]
    }
    assert same(
        {**after, "classes": after.get("classes", {})}, present | {"classes": kept}
    )
    if same(kept, present.get("classes", {})):
        assert Path("a.jpg.json").read_bytes() == before


def same(a: object, b: object) -> bool:
    return json.dumps(a, sort_keys=True) == json.dumps(b, sort_keys=True)


@pytest.mark.parametrize("seed", SEEDS, ids=lambda seed: seed.name)
def test_every_seed(dataset, seed, survived):
    survived["nasty files"] += 1
    try_one(dataset, seed.read_bytes())
    survived["nasty files right"] += 1


def test_any_content(dataset, long, survived):
    @given(files)
    def test(content):
        survived["nasty files"] += 1
        try_one(dataset, content)
        survived["nasty files right"] += 1

    at_length(test, long, examples=400)


def test_a_class_of_any_name_gives_crops_in_the_bucket(dataset, long):
    @given(st.lists(st.text(max_size=300), min_size=1, max_size=4, unique=True))
    def test(names):
        box = {"box": [1, 1, 20, 20]}
        content = {"classes": {name: [box, box] for name in names}}
        sidecars.write(dataset / "a.jpg", content)
        with chdir(dataset):
            extract_classes.cut(JOB, "crops", Options())
            (row,) = read_table("t.jsonl")
            assert len(row["crops"]) + len(row["unusable"]) == 2 * len(names)
            for crop in row["crops"]:
                assert "/" not in crop["path"] and crop["path"].isprintable()
                made = sidecars.read(Path("crops", crop["path"]))
                assert made["provenance"]["class"] in names
        there = {path.name for path in dataset.iterdir()} - {".dtst", "detected"}
        assert there == {"a.jpg", "a.jpg.json", "crops"} | {f"{x}.jsonl" for x in "stf"}
        assert all(path.is_file() for path in (dataset / "crops").iterdir())

    at_length(test, long, examples=40)


def test_a_number_travels_as_it_is_spelled(dataset):
    box = '{"classes": {"x": [{"box": [1, 1, 20, 20.50]}]}, "n": [%s]}'
    with chdir(dataset):
        for number in ("1e400", "1e500", "0.10"):
            Path("a.jpg.json").write_text(box % number)
            extract_classes.cut(JOB, "crops", Options())
            made = Path("crops/a_x.jpg.json").read_text()
            assert f'"n": [\n    {number}\n  ]' in made and "20.50" in made


def test_numbers_that_no_image_has_are_no_points():
    for odd in (math.nan, math.inf, 10**400, 2**31, True, None, "1", [1], {}):
        value = [[1, 2]] * 4 + [[1, odd]]
        assert not to_embed._are_points(value)
    assert to_embed._are_points([[1, 2.5]] * 5)
