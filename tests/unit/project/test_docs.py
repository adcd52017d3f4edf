"""What README and docs/ say can be followed: commands, settings, links, examples."""

import importlib.util
import os
import re
import shlex
import textwrap
import tomllib
from itertools import chain
from pathlib import Path
from urllib.parse import unquote

import click
import pytest
from snakemake.cli import parse_args, parse_config

from dtst_flow.cli import peer
from dtst_flow.cli.main import main
from dtst_flow.cli.workflows import names, read_steps
from dtst_flow.cli.yaml_config import read_config
from dtst_flow.dataset.image_names import IMAGES
from dtst_flow.planning.config import settled
from helpers.dataset import ROOT

DOCS = sorted((ROOT / "docs").rglob("*.md"))
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "config/README.md", *DOCS]
TEXTS = {page.relative_to(ROOT).as_posix(): page.read_text() for page in PAGES}
BLOCK = re.compile(r"(?ms)^( *)```(\w*)\n(.*?)^\1```$")
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
CONFIGS = ("crowd.yaml", "dahlias.yaml", "crowd.json")
"""Config files that command lines name."""


def blocks(kind: str) -> list[tuple[str, str]]:
    """Page and content of each block of a kind."""
    return [
        (page, textwrap.dedent(content))
        for page, text in TEXTS.items()
        for _, language, content in BLOCK.findall(text)
        if language == kind
    ]


COMMANDS = [
    pytest.param(line.removeprefix("$ "), id=f"{page}: {line}")
    for page, content in blocks("console")
    for line in content.splitlines()
    if line.startswith("$ ")
]


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with the dataset and the config files that command lines name."""
    monkeypatch.chdir(tmp_path)
    Path("scratch/crowd").mkdir(parents=True)
    for name in CONFIGS:
        Path(name).write_text("working_dir: scratch\n")


@pytest.mark.parametrize("line", COMMANDS)
def test_a_command_is_one(line, here):
    program, *words = shlex.split(line, comments=True)
    match program:
        case "dtst" | "dtst-flow":
            parse_dtst(words)
        case "snakemake":
            parse_snakemake(words)
        case "make":
            rules = re.findall(r"(?m)^([a-z-]+):", (ROOT / "Makefile").read_text())
            assert set(words) <= set(rules)
        case "pip":
            check_packages(words)
        case _:
            assert line == "source .venv/bin/activate"


def parse_dtst(words: list[str]) -> None:
    """Let click parse a command and its options, of our workflows' as well."""
    command, context = main, click.Context(main, info_name="dtst")
    while isinstance(command, click.Group):
        name, command, words = command.resolve_command(context, words)
        context = command.make_context(name, list(words), parent=context)
    if "--" in words:
        parse_snakemake(words[words.index("--") + 1 :])


def parse_snakemake(words: list[str]) -> None:
    """Let Snakemake parse its options, and ours the settings among them."""
    if "--profile" in words:  # its executor may not be installed
        at = words.index("--profile")
        assert (ROOT / words[at + 1] / "config.yaml").is_file()
        words = words[:at] + words[at + 2 :]
    _, args = parse_args(words)
    assert set(args.targets) <= {"report"}
    settled(parse_config(args.config))


def check_packages(words: list[str]) -> None:
    """Refuse packages that no index has, and extras that there are not."""
    assert words[0] == "install"
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"][
        "optional-dependencies"
    ]
    tested = (ROOT / "constraints.txt").read_text()
    for word in words[1:]:
        if (extra := re.fullmatch(r"\.\[(.+)\]", word)) is not None:
            assert set(extra[1].split(",")) <= set(extras)
        elif re.match(r"[a-z]", word) and word != "constraints.txt":
            name = re.match(r"[a-z-]+", word)[0]
            assert f"\n{name}==" in tested


def test_pages_made_from_the_command_line_and_the_schema_are_new():
    path = ROOT / "docs/generate.py"
    spec = importlib.util.spec_from_file_location("generate", path)
    generate = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generate)
    pages = generate.pages()
    for page, text in pages.items():
        assert page.read_text() == text, "make pages"
    assert set((ROOT / "docs/reference").iterdir()) <= set(pages)


@pytest.mark.parametrize(("page", "text"), blocks("yaml"))
def test_a_config_file_is_one(page, text, tmp_path):
    path = tmp_path / "crowd.yaml"
    path.write_text(text)
    config = read_config(path)
    for name in names(config):
        assert read_steps(config, name)


@pytest.mark.parametrize("page", TEXTS)
def test_links_lead_to_files_and_headings(page):
    for target in LINK.findall(BLOCK.sub("", TEXTS[page])):
        if target.startswith("https://"):
            continue
        name, _, anchor = unquote(target).partition("#")
        file = ROOT / page
        if name:
            file = Path(os.path.normpath(file.parent / name))
        assert file.is_file(), target
        # The site has no pages but those of docs/.
        assert not page.startswith("docs/") or file.is_relative_to(ROOT / "docs")
        assert not anchor or anchor in anchors(file.read_text()), target


def anchors(text: str) -> set[str]:
    headings = re.findall(r"(?m)^#+ (.*)$", BLOCK.sub("", text))
    return {re.sub(r"[^\w -]", "", h.lower()).replace(" ", "-") for h in headings}


def test_every_page_can_be_found():
    index = TEXTS["docs/index.md"]
    nav = (ROOT / "zensical.toml").read_text()
    for page in DOCS:
        name = page.relative_to(ROOT / "docs").as_posix()
        assert f'"{name}"' in nav and (name == "index.md" or f"]({name})" in index)


def test_the_readme_is_short():
    assert len(TEXTS["README.md"].splitlines()) <= 150


def test_flags_exist():
    known = {"--help", "--config", "--configfile", "--report", "--resources", "--sdm"}
    known |= {"--summary", "--list-rules", "--workflow-profile", "--directory"}
    known |= {flag for _, flag in peer.FLAGS}  # told of as those of the other dtst
    known |= {"--constraint", "--force-reinstall", "--no-deps"}  # pip's
    paths = main.commands["run"].commands.values()
    more = [main.commands[name].commands.values() for name in ("models", "labels")]
    for command in (*main.commands.values(), *paths, *chain(*more)):
        for param in command.params:
            known |= {*param.opts, *param.secondary_opts}
    for page, text in TEXTS.items():
        assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", text)) <= known, page


def test_every_file_type_is_named():
    text = TEXTS["docs/photos.md"]
    assert set(re.findall(r"\.[a-z]+", text)) >= IMAGES.suffixes


def test_the_order_of_a_box_stands_where_boxes_do():
    for page, text in TEXTS.items():
        if '"box"' in text or "`box`" in text:
            said = " ".join(text.split()).lower()
            assert "left, top, right, bottom" in said and "upright" in said, page
