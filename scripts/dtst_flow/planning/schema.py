"""Checking settings, which may be a stranger's, before any use is made of them."""

import difflib
import math
from collections.abc import Iterator
from typing import Any

from dtst_flow.utils.text import printable

MAX_VALUES = 10_000
"""Values in all settings. Aliases let a few lines of YAML stand for billions."""

MAX_SHOWN = 200
"""Characters shown of what is wrong, at most."""


class BadSettings(Exception):
    """A setting that cannot be used; the message names it and says what would do."""


def check(settings: dict, schema: dict) -> None:
    """Refuse settings that a JSON schema does, and what no schema can refuse.

    Raises BadSettings, one line.
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
    for error in _validator(schema).iter_errors(settings):
        raise BadSettings(_sentence(error))


def near(word: str, known: Any) -> str:
    """A hint at what may have been meant, or what there is."""
    close = difflib.get_close_matches(word, known, n=1)
    if close:
        return f"; did you mean '{close[0]}'?"
    return f"; it has {', '.join(known)}"


def _values(settings: dict) -> Iterator[tuple[str, Any]]:
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


def _validator(schema: dict):
    from jsonschema import Draft202012Validator
    from jsonschema.validators import extend

    def is_whole(_, value: object) -> bool:
        return isinstance(value, int) and not isinstance(value, bool)

    types = Draft202012Validator.TYPE_CHECKER.redefine("integer", is_whole)
    return extend(Draft202012Validator, type_checker=types)(schema)


def _sentence(error) -> str:
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
