"""Checking settings, which may be a stranger's, before any use is made of them."""

import difflib
import math
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any

import yaml

from dtst_flow.utils.files import GARBAGE, digest, read_json, to_json, write_atomic
from dtst_flow.utils.folders import user_cache
from dtst_flow.utils.text import printable

MAX_VALUES = 10_000
"""Values in all settings. Aliases let a few lines of YAML stand for billions."""

MAX_SHOWN = 200
"""Characters shown of what is wrong, at most."""

MEMO = "settings.json"
"""Name of the list of what was right, in the user's cache."""

MAX_KNOWN = 100
"""How many settings it has at most, the last."""

JSON_TYPES: dict[str, tuple[type, ...]] = {
    "null": (type(None),),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
}
"""Type of a JSON schema -> the types of YAML's values."""


class BadSettings(Exception):
    """A setting that cannot be used; the message names it and says what would do."""


def check(settings: dict[str, Any], schema: dict[str, Any]) -> None:
    """Refuse settings that a JSON schema does, and what no schema can refuse.

    Raises:
        BadSettings: In one line, what cannot be used.
    """
    for number, (name, value) in enumerate(_values(settings)):
        if number == MAX_VALUES:
            raise BadSettings(
                f"there are more than {MAX_VALUES} values; aliases of YAML?"
            )
        if isinstance(value, float) and not math.isfinite(value):
            raise BadSettings(f"{name}: {value} is no finite number")
        if isinstance(value, str) and "\0" in value:
            raise BadSettings(f"{name}: no name has a NUL character")
    known, name = _read_memo(), _name_of(settings, schema)
    if name and name in known:
        return
    for error in _validator(schema).iter_errors(settings):
        raise BadSettings(_sentence(error))
    with suppress(OSError):
        write_atomic(user_cache() / MEMO, to_json([*known, name][-MAX_KNOWN:]))


def _name_of(settings: dict[str, Any], schema: dict[str, Any]) -> str:
    """Name settings and their schema, with the type of each value; deep ones have none."""
    with suppress(RecursionError):
        return digest(repr((settings, schema)).encode("utf-8", "surrogatepass"))
    return ""


def _read_memo() -> list[str]:
    """Return digests of settings that were right, with their schemas.

    To load what checks them takes a fifth of what a run costs that has nothing to do.
    """
    with suppress(*GARBAGE):
        return [
            name for name in read_json(user_cache() / MEMO) if isinstance(name, str)
        ]
    return []


def read_texts(settings: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """Read settings that came as text by the types that a JSON schema wants.

    Snakemake hands over what stands inside of ``--config name='{...}'`` as text. Text that
    is no value of the type wanted stays as it is, for `check` to refuse.
    """
    properties, others = (
        schema.get("properties", {}),
        schema.get("additionalProperties"),
    )
    others = others if isinstance(others, dict) else {}
    return {
        name: _read_text(value, properties.get(name, others))
        for name, value in settings.items()
    }


def _read_text(value: Any, wanted: dict[str, Any]) -> Any:
    if isinstance(value, dict):
        return read_texts(value, wanted)
    types = wanted.get("type", ())
    types = {types} if isinstance(types, str) else set(types)
    if (
        not isinstance(value, str)
        or "string" in types
        or value in wanted.get("enum", ())
    ):
        return value
    try:
        meant = yaml.safe_load(value)
    except (yaml.YAMLError, ValueError, RecursionError):
        return value
    kinds = {name for name, kind in JSON_TYPES.items() if type(meant) in kind}
    return meant if kinds & types or meant in wanted.get("enum", ()) else value


def near(word: str, known: Iterable[str]) -> str:
    """Return a hint at what may have been meant, or what there is."""
    close = difflib.get_close_matches(word, known, n=1)
    if close:
        return f"; did you mean '{close[0]}'?"
    return f"; it has {', '.join(known)}"


def _values(settings: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield every value with the names that lead to it. Raises BadSettings."""
    todo: list[tuple[str, Any]] = [("", settings)]
    while todo:
        name, value = todo.pop()
        yield printable(name, MAX_SHOWN) or "the settings", value
        if isinstance(value, dict):
            for key, inner in value.items():
                if not isinstance(key, str):
                    raise BadSettings(
                        f"the name {printable(repr(key), MAX_SHOWN)} is no text; in YAML, put it in quotes"
                    )
                key = printable(key, MAX_SHOWN)
                todo.append((f"{name}.{key}" if name else key, inner))
        elif isinstance(value, list | tuple):
            todo += [(name, inner) for inner in value]


def _validator(schema: dict[str, Any]) -> Any:
    from jsonschema import Draft202012Validator
    from jsonschema.validators import extend

    def is_whole(_: object, value: object) -> bool:
        return isinstance(value, int) and not isinstance(value, bool)

    types = Draft202012Validator.TYPE_CHECKER.redefine("integer", is_whole)
    make: Any = extend
    return make(Draft202012Validator, type_checker=types)(schema)


def _sentence(error: Any) -> str:
    """A `jsonschema.ValidationError` in one line."""
    names = (part for part in error.absolute_path if isinstance(part, str))
    name = printable(".".join(names), MAX_SHOWN)
    if error.validator == "additionalProperties":
        known = error.schema["properties"]
        odd = next(key for key in error.instance if key not in known)
        has = f"'{name}' has" if name else "there is"
        return f"{has} no setting '{printable(odd, MAX_SHOWN)}'{near(odd, known)}"
    fault = printable(error.message, MAX_SHOWN)
    if error.validator == "type" and "string" in error.validator_value:
        fault += "; in YAML, put it in quotes"
    return f"{name}: {fault}"
