"""Config files of any content: used, or refused in one line that names file and fault.

What breaks here is worth a file in seeds/configs, which is tried in every run.
"""

from dataclasses import fields
from pathlib import Path

import click
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dtst_flow.cli.settings import schema
from dtst_flow.cli.workflows import names, read_steps
from dtst_flow.cli.yaml_config import read_config
from dtst_flow.dataset.bucket_specs import parse_specs
from dtst_flow.dataset.containment import BadBucket, check_target
from dtst_flow.dataset.scan import scan
from dtst_flow.planning.pipelines import PIPELINES, resolve_defaults
from dtst_flow.planning.schema import BadSettings, check
from dtst_flow.stages import (
    choosing,
    cluster,
    detect,
    embed,
    extract_classes,
    extract_faces,
    extract_frames,
)
from helpers.dataset import Dataset

SEEDS = sorted((Path(__file__).parent / "seeds/configs").iterdir())
KINDS = {
    "extract_frames": [extract_frames.Options],
    "extract_faces": [extract_faces.Options],
    "detect": [detect.Options],
    "extract_classes": [extract_classes.Options],
    "cluster": [cluster.Options, embed.Options],
    "select": [choosing.Options],
}
SECTIONS = tuple(KINDS)
SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "properties": schema() | {"working_dir": {"type": "string"}},
}

words = st.sampled_from(
    ["images", "images/*", "../x", "/etc", "a\0b", "a\nb", "{x}", "", ".", ".dtst", "~"]
) | st.sampled_from(
    [
        "on",
        "007",
        "2024-05-01",
        "1e3",
        "~nobody/x",
        "\x1b[2J",
        "x" * 300,
        "#ffffff",
        "a,b",
    ]
)
plain = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | words
    | st.text(max_size=4)
)
anything = st.recursive(
    plain,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(plain, inner, max_size=3)
    ),
    max_leaves=6,
)


def near(prop: dict) -> st.SearchStrategy:
    """Values that a setting has, and others."""
    known = [prop["default"], *prop.get("enum", ())]
    numbers = st.sampled_from([0, 1, -1, 0.5, 1.0, 2, 10**400])
    return st.sampled_from(known) | numbers | st.lists(words, max_size=3) | anything


def section(name: str) -> st.SearchStrategy:
    each = {key: near(prop) for key, prop in schema()[name]["properties"].items()}
    return st.fixed_dictionaries({}, optional=each | {"odd": plain}) | anything


commands = st.sampled_from([*SECTIONS, "extract-faces", "select", "exec", "odd"])
steps = st.dictionaries(
    commands,
    st.none() | st.fixed_dictionaries({}, optional={"inherit": plain, "to": words}),
    max_size=2,
)
workflows = st.dictionaries(
    st.sampled_from(["a", "faces", "\x1b[2J", 7]),
    st.lists(commands | steps | anything, max_size=3),
    max_size=2,
)
contents = st.fixed_dictionaries(
    {},
    optional={name: section(name) for name in SECTIONS}
    | {"working_dir": anything, "x-y": plain, "x": plain, "strict": plain}
    | {"workflows": workflows | anything},
)
files = (
    contents.map(lambda content: yaml.safe_dump(content).encode())
    | anything.map(lambda content: yaml.safe_dump(content).encode())
    | st.lists(
        st.sampled_from(
            ["cluster", "from", ": ", "\n", "  ", "- ", "&a ", "*a ", "!!", "?"]
        )
        | st.sampled_from(
            [*"[]{},\"#|>%@`'<", "a", "1", "~", "on", "\t", "\0", "\ufeff"]
        ),
        max_size=25,
    ).map(lambda parts: "".join(parts).encode())
    | st.binary(max_size=80)
)


def try_one(path: Path, content: bytes) -> None:
    """Read a file as `dtst` does, and use what is in it as the workflow does."""
    path.write_bytes(content)
    try:
        config = read_config(path)
        blocks = config.blocks(tuple(SECTIONS))
        steps = [step for name in names(config) for step in read_steps(config, name)]
    except click.UsageError as error:
        told = error.message
        assert told.startswith(f"config file {path}: ")
        assert told.isprintable() and len(told) < 2500
        return
    assert config.working_dir is None or isinstance(config.working_dir, Path)
    for step in steps:
        check({step.section: step.settings}, SCHEMA)
    every = {
        name: {
            key: prop["default"] for key, prop in schema()[name]["properties"].items()
        }
        | blocks[name]
        for name in SECTIONS
    }
    check(every, SCHEMA)
    for name in PIPELINES:
        for stage, values in resolve_defaults(name, every).items():
            use(stage, values)


def use(stage: str, values: dict) -> None:
    for kind in KINDS[stage]:
        kind(**{field.name: values[field.name] for field in fields(kind)})
    try:
        if "to" in values:
            check_target(values["to"])
        if values["from"] is not None:
            scan(".", parse_specs(values["from"]))
    except BadBucket as error:
        assert str(error).isprintable()


@pytest.fixture
def path(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path / "c.yaml"


@pytest.mark.parametrize("seed", SEEDS, ids=lambda seed: seed.name)
def test_every_seed(path, seed):
    try_one(path, seed.read_bytes())


def test_any_content(path, long):
    @settings(
        max_examples=400_000 if long else 400,
        suppress_health_check=[
            HealthCheck.too_slow,
            HealthCheck.function_scoped_fixture,
        ],
    )
    @given(files)
    def test(content):
        try_one(path, content)

    test()


def test_any_settings_of_snakemake(long):
    """Those that come by --configfile or --config are checked as well."""
    tops = {name: near(prop) for name, prop in schema().items() if name not in SECTIONS}
    every = st.fixed_dictionaries(
        {}, optional=tops | {name: section(name) for name in SECTIONS}
    )

    @settings(
        max_examples=400_000 if long else 300,
        suppress_health_check=[HealthCheck.too_slow],
    )
    @given(every | anything.map(lambda value: {"cluster": value}))
    def test(content):
        try:
            check(content, SCHEMA)
        except BadSettings as error:
            assert str(error).isprintable() and len(str(error)) < 1000

    test()


HOSTILE = {
    "extract_classes: {to: ../../out}": "below the dataset folder",
    "extract_classes: {to: /out}": "below the dataset folder",
    'extract_classes: {to: "{shard}"}': "neither braces",
    'extract_classes: {to: "\\e[2J"}': "neither braces",
    "extract_classes: {to: .snakemake}": "hidden folders",
    "extract_classes: {margin: .nan}": "extract_classes.margin: nan is no finite number",
    "extract_classes: {from: 5}": "extract_classes.from: 5 is not of type",
    "extract_classes: {workers: -1}": "extract_classes.workers: -1 is less",
    "extract_classes: {from: ../other}": "outside the dataset folder",
    "dataset: ../other": "no folder below root",
    "cluster: {clip_model: 'hf-hub:a/b'}": "cluster.clip_model: 'hf-hub:a/b' does not",
    "bomb: &a [x, x]\ncluster: {from: [*a, *a]}": "there is no setting 'bomb'",
    "1: 2": "the name 1 is no text",
}


@pytest.mark.parametrize("text", HOSTILE)
def test_a_run_refuses_it_in_a_sentence(tmp_path, text):
    dataset = Dataset(tmp_path / "given")
    (dataset.folder / "images").mkdir(parents=True)
    given = {"root": str(tmp_path), "dataset": "given", "path": "extract-classes"}
    config = tmp_path / "c.yaml"
    config.write_text("\n".join(f"{k}: {v}" for k, v in given.items() if k not in text))
    with config.open("a") as file:
        file.write(f"\n{text}\n")
    words = ["-n", "--configfile", str(config)]
    printed = dataset.snakemake(*words, ok=False)
    assert HOSTILE[text] in printed
    assert "Traceback (most recent call last)" not in printed
    assert all(line.isprintable() for line in printed.replace("\t", "").split("\n"))
    assert {path.name for path in tmp_path.iterdir()} <= {
        "given",
        "c.yaml",
        ".snakemake",
    }
