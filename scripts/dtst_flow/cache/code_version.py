"""The version of a piece of this package's code, computed from the code itself.

Snakemake tracks a rule's script but not the modules it imports, and a record made by other
code must not be found again; both use this digest.

Only the code's tokens count: comments, docstrings, blank lines, the width of indents and the
line breaks within brackets do not. Every Python from 3.11 on gives the same digest.
"""

import ast
import functools
import io
import token
import tokenize
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from dtst_flow.utils.files import digest, digest_value

PACKAGE = Path(__file__).parents[1]

WITHOUT_EFFECT = frozenset(
    {
        "detect.detectors",
        "embed.embedders",
        "faces.engines",
        "models.download",
        "models.errors",
        "models.registry",
        "models.store",
        "runtime",
        "utils.array_types",
    }
)
"""Modules and rooms on which no result depends, whoever imports them: which models exist,
where their weights come from (their digests count), and how a job is run."""

LAYOUT = frozenset({token.COMMENT, token.NL, token.ENCODING, token.ENDMARKER})
"""Tokens that do not count."""

CLOSING = frozenset(")]}")


def code_version(*modules: ModuleType) -> str:
    """Digest modules of this package and all that they import from the package.

    Args:
        modules: The modules, as objects.

    Returns:
        The digest, in hexadecimal.
    """
    seen: dict[str, str] = {}
    for module in modules:
        _collect(module.__name__.removeprefix(f"{PACKAGE.name}."), seen)
    return digest_value(seen)


def _collect(module: str, seen: dict[str, str]) -> None:
    if module in seen or {module, module.partition(".")[0]} & WITHOUT_EFFECT:
        return
    code = _read(module)
    if code is None:
        return
    seen[module], imported = code
    for name in imported:
        _collect(name, seen)


@functools.cache
def _read(module: str) -> tuple[str, tuple[str, ...]] | None:
    """Give the digest of a module alone, and what it may import from the package."""
    path = _file(module)
    if path is None:
        return None
    source = path.read_text("utf-8")
    imported = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(
            PACKAGE.name
        ):
            parent = (node.module or "").removeprefix(PACKAGE.name).lstrip(".")
            imported += [parent]
            imported += [f"{parent}.{name.name}".lstrip(".") for name in node.names]
    return digest("\0".join(significant(source)).encode()), tuple(imported)


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
