"""The version of a piece of this package's code, taken from the code itself.

Snakemake tracks a rule's script but not the modules it imports, and a record
made by other code must not be found again; both take this digest.
"""

import ast
import functools
from pathlib import Path

from dtst_flow.files import digest, digest_value

PACKAGE = Path(__file__).parent


@functools.cache
def version(module: str) -> str:
    """Digest of a module of this package and all it imports from the package.

    module  its name without the package's, such as ``faces.dlib``

    Raises ValueError for one that does not exist.
    """
    if _file(module) is None:
        raise ValueError(f"there is no module {module} in {PACKAGE.name}")
    seen: dict[str, str] = {}
    _collect(module, seen)
    return digest_value(seen)


def _collect(module: str, seen: dict[str, str]) -> None:
    found = _look_into(module)
    if found is None or module in seen:
        return
    seen[module], imported = found
    for name in imported:
        _collect(name, seen)


@functools.cache
def _look_into(module: str) -> tuple[str, tuple[str, ...]] | None:
    """Digest of a module alone and what it may import from the package."""
    path = _file(module)
    if path is None:
        return None
    source = path.read_bytes()
    imported = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(
            PACKAGE.name
        ):
            parent = node.module.removeprefix(PACKAGE.name).lstrip(".")
            imported += [parent]
            imported += [f"{parent}.{name.name}".lstrip(".") for name in node.names]
    return digest(source), tuple(imported)


def _file(module: str) -> Path | None:
    base = PACKAGE.joinpath(*module.split("."))
    candidates = (base / "__init__.py", base.with_suffix(".py"))
    return next((path for path in candidates if module and path.is_file()), None)
