"""Compiled modules of the package hdbscan, without what the package imports first.

That is scikit-learn and with it much of scipy, none of which they use: more than half of
the time that a job takes for a small dataset.
"""

import importlib
import sys
from importlib.util import find_spec
from types import ModuleType
from typing import Any

PACKAGE = "hdbscan"


def compiled_module(name: str) -> Any:
    """Import a module of hdbscan's that is compiled.

    Args:
        name: Its name in the package.

    Returns:
        The module. The package itself is imported as usual by whoever imports it.
    """
    spec = find_spec(PACKAGE)
    if PACKAGE in sys.modules or spec is None:
        return importlib.import_module(f"{PACKAGE}.{name}")
    package = ModuleType(PACKAGE)
    package.__path__ = list(spec.submodule_search_locations or [])
    sys.modules[PACKAGE] = package
    try:
        return importlib.import_module(f"{PACKAGE}.{name}")
    finally:
        del sys.modules[PACKAGE]
