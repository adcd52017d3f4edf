"""The version of a piece of this package's code, computed from the code itself.

Snakemake tracks a rule's script but not the modules it imports, and a record made by other
code must not be found again; both use this digest.

Only the code's tokens count: comments, docstrings, blank lines, the width of indents and the
line breaks within brackets do not. Every Python from 3.11 on gives the same digest.
"""

import ast
import functools
import io
import json
import token
import tokenize
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

from dtst_flow.utils.files import digest, digest_value, read_json, write_atomic
from dtst_flow.utils.folders import user_cache

PACKAGE = Path(__file__).parents[1]

WITHOUT_EFFECT = frozenset(
    {
        "detect.detectors",
        "embed.embedders",
        "faces.engines",
        "models.digests",
        "models.download",
        "models.errors",
        "models.registry",
        "models.store",
        "runtime",
        "utils.array_types",
        "utils.folders",
    }
)
"""Modules and rooms on which no result depends, whoever imports them: which models exist,
where their weights come from (their digests count), how a job is run, the names of types
and where the user's own files are."""

LAYOUT = frozenset({token.COMMENT, token.NL, token.ENCODING, token.ENDMARKER})
"""Tokens that do not count."""

CLOSING = frozenset(")]}")

MEMO_ENTRIES = 1000
"""How many modules the memo keeps; with more it is begun again."""


class Code(NamedTuple):
    """What counts of a module.

    Attributes:
        digest: The digest of its tokens.
        imported: The modules that it may import from the package.
    """

    digest: str
    imported: tuple[str, ...]


@functools.cache
def code_version(*modules: ModuleType) -> str:
    """Digest modules of this package and all that they import from the package.

    Args:
        modules: The modules, as objects.

    Returns:
        The digest, in hexadecimal.
    """
    seen: dict[str, str] = {}
    known = len(_memo())
    for module in modules:
        _collect(module.__name__.removeprefix(f"{PACKAGE.name}."), seen)
    if len(_memo()) > known:
        with suppress(OSError):
            write_atomic(_memo_file(), json.dumps(_memo()).encode())
    return digest_value(seen)


def _collect(module: str, seen: dict[str, str]) -> None:
    if module in seen or {module, module.partition(".")[0]} & WITHOUT_EFFECT:
        return
    code = _read(module)
    if code is None:
        return
    seen[module] = code.digest
    for name in code.imported:
        _collect(name, seen)


@functools.cache
def _read(module: str) -> Code | None:
    """Look at a module alone, or give what was seen when its text was the same."""
    path = _file(module)
    if path is None:
        return None
    source = path.read_bytes()
    key = digest(source)
    if key not in _memo():
        _memo()[key] = _look(source.decode())
    return _memo()[key]


def _look(source: str) -> Code:
    imported = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(
            PACKAGE.name
        ):
            parent = (node.module or "").removeprefix(PACKAGE.name).lstrip(".")
            imported += [parent]
            imported += [f"{parent}.{name.name}".lstrip(".") for name in node.names]
    return Code(digest("\0".join(significant(source)).encode()), tuple(imported))


def _memo_file() -> Path:
    """Where the memo is; what other code than this file's wrote is not found there."""
    own = digest(Path(__file__).read_bytes())
    return user_cache() / "code" / f"{own}.json"


@functools.cache
def _memo() -> dict[str, Code]:
    """Give what was seen of modules before, by the digests of their text.

    To take the tokens of all modules apart lasts a third of a second, which each start
    of Snakemake would take.
    """
    try:
        memo = {
            str(key): Code(str(code), tuple(map(str, imported)))
            for key, (code, imported) in read_json(_memo_file()).items()
        }
    except (OSError, ValueError, TypeError, AttributeError, RecursionError):
        return {}
    return memo if len(memo) < MEMO_ENTRIES else {}


def _file(module: str) -> Path | None:
    base = PACKAGE.joinpath(*module.split("."))
    candidates = (base / "__init__.py", base.with_suffix(".py"))
    return next((path for path in candidates if module and path.is_file()), None)


def significant(source: str) -> Iterator[str]:
    """Yield the tokens that count.

    Args:
        source: Python code.

    Yields:
        Each token, as text.
    """
    line: list[str] = []
    docstring = True
    for kind, text in _tokens(source):
        if kind in (token.INDENT, token.DEDENT):
            yield token.tok_name[kind]
        elif kind != token.NEWLINE:
            docstring &= kind == token.STRING
            line.append(text)
        else:
            if not docstring:
                yield from _without_last_commas(line)
                yield token.tok_name[kind]
            line, docstring = [], True


def _tokens(source: str) -> Iterator[tuple[int, str]]:
    """Yield kind and text of each token; an f-string is one, as up to Python 3.11."""
    lines = source.splitlines(keepends=True)
    depth, start = 0, (1, 0)
    for item in tokenize.generate_tokens(io.StringIO(source).readline):
        name = token.tok_name[item.type]
        if name in ("FSTRING_START", "TSTRING_START"):
            start = start if depth else item.start
            depth += 1
        elif name in ("FSTRING_END", "TSTRING_END"):
            depth -= 1
            if not depth:
                yield token.STRING, _between(lines, start, item.end)
        elif not depth and item.type not in LAYOUT:
            yield item.type, item.string


def _between(lines: list[str], start: tuple[int, int], end: tuple[int, int]) -> str:
    """Cut out the text from one (row, column) to another; rows count from 1."""
    rows = lines[start[0] - 1 : end[0]]
    rows[-1] = rows[-1][: end[1]]
    rows[0] = rows[0][start[1] :]
    return "".join(rows)


def _without_last_commas(line: list[str]) -> Iterator[str]:
    """Leave out the commas that a formatter adds after the last of several items."""
    commas = [0]
    for text, following in zip(line, [*line[1:], ""], strict=True):
        if text in ("(", "[", "{"):
            commas.append(0)
        elif text in CLOSING:
            commas.pop()
        elif text == ",":
            commas[-1] += 1
            if following in CLOSING and commas[-1] > 1:
                continue
        yield text
