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
    path = _file(module)
    if path is None or module in seen:
        return
    source = path.read_bytes()
    seen[module] = digest(source)
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(
            PACKAGE.name
        ):
            parent = node.module.removeprefix(PACKAGE.name).lstrip(".")
            _collect(parent, seen)
            for name in node.names:
                _collect(f"{parent}.{name.name}".lstrip("."), seen)


def _file(module: str) -> Path | None:
    base = PACKAGE.joinpath(*module.split("."))
    candidates = (base / "__init__.py", base.with_suffix(".py"))
    return next((path for path in candidates if module and path.is_file()), None)
