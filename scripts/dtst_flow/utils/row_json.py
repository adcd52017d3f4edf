"""JSON of our own rows and records, of which there may be millions: by orjson.

Its values are those of Python's own module, which takes what orjson does not: names that
are not valid UTF-8, numbers of more than 64 bits, infinite ones when they are read.
"""

import json
from typing import Any

import orjson

from dtst_flow.utils.files import to_json


def dumps(value: Any) -> bytes:
    """Write a JSON value, its numbers finite, on one line."""
    try:
        return orjson.dumps(value)
    except TypeError:
        return to_json(value)


def loads(text: bytes) -> Any:
    """Read a JSON value. Raises ValueError and RecursionError, as `json.loads` does."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return json.loads(text)
