"""JSON texts of others: read without losing a digit, edited without touching the rest.

A number that Python would spell otherwise (``1e400``, ``0.10``, 40 digits) is read as a
`Number`, which is written as it was read. An edit replaces only the values that change, in
the style of the text around them.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

encode = json.JSONEncoder().encode


class Number(float):
    """A number with its spelling.

    Attributes:
        text: As it is spelled; the value is the nearest float, perhaps an infinite one.
    """

    text: str

    def __new__(cls, text: str) -> "Number":
        """Make a number of its spelling."""
        number = super().__new__(cls, text)
        number.text = text
        return number


def _float(text: str) -> float:
    value = float(text)
    return value if repr(value) == text else Number(text)


def _int(text: str) -> int | float:
    try:
        value = int(text)
    except ValueError:  # more digits than Python converts
        return Number(text)
    return value if text != "-0" else Number(text)


def loads(
    text: str | bytes,
    pairs_hook: Callable[[list[tuple[str, Any]]], dict[str, Any]] | None = None,
) -> Any:
    """Parse a text, as `json.loads` does, with numbers as they are spelled.

    Args:
        text: The text; bytes may be in any encoding of Unicode.
        pairs_hook: Makes an object of its pairs.

    Raises:
        ValueError: It is no JSON.
        RecursionError: It has too many levels.
    """
    return json.loads(
        text, parse_float=_float, parse_int=_int, object_pairs_hook=pairs_hook
    )


def spelled(value: Any) -> Any:
    """Give a value from which `digest_value` tells numbers by their spelling."""
    return _replaced(value, lambda number: {"number": number.text})


def dumps(
    value: Any,
    indent: int | str | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    """Write a value in ASCII, as `json.dumps` does, numbers as they were spelled.

    Args:
        value: Any JSON value.
        indent: What each level is indented by, or how many spaces; None for one line.
        separators: Between two members, and after a key.
        sort_keys: Whether members come in the order of their keys.
    """
    comma, colon = separators or (", " if indent is None else ",", ": ")
    unit = " " * indent if isinstance(indent, int) else indent or ""

    def text(value: Any, line: str) -> str:
        if isinstance(value, Number):
            return value.text
        if not value or not isinstance(value, dict | list | tuple):
            return encode(value)
        inner = line + unit
        if isinstance(value, dict):
            pairs = sorted(value.items()) if sort_keys else value.items()
            parts = [f"{encode(key)}{colon}{text(one, inner)}" for key, one in pairs]
            return f"{{{inner}{(comma + inner).join(parts)}{line}}}"
        parts = [text(one, inner) for one in value]
        return f"[{inner}{(comma + inner).join(parts)}{line}]"

    return text(value, "" if indent is None else "\n")


def _replaced(value: Any, stand_in: Callable[[Number], Any]) -> Any:
    if isinstance(value, dict):
        return {key: _replaced(inner, stand_in) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_replaced(inner, stand_in) for inner in value]
    return stand_in(value) if isinstance(value, Number) else value


@dataclass(frozen=True)
class _Member:
    """A member of an object, by places in the text.

    Attributes:
        before: Where what separates it from the member before begins.
        start: Where its key begins.
        colon: What separates key and value.
        value: Where its value begins.
        end: Where its value ends.
        content: The value.
    """

    before: int
    start: int
    colon: str
    value: int
    end: int
    content: Any


@dataclass(frozen=True)
class _Style:
    """How the members of an object are laid out.

    Attributes:
        lead: What comes before the first.
        comma: What comes between two.
        colon: What comes between key and value.
        depth: How deep the object is, 1 for the outermost.
    """

    lead: str = ""
    comma: str = ", "
    colon: str = ": "
    depth: int = 1

    def render(self, value: Any) -> str:
        """Write the value of a member."""
        if "\n" not in self.comma:
            return dumps(value, separators=(self.comma, self.colon))
        newline, level = re.findall(r"(\r?\n)([^\n]*)", self.comma)[-1]
        unit = level[: len(level) // self.depth]
        text = dumps(value, indent=unit, separators=(",", self.colon))
        return text.replace("\n", newline + level)


def edited(text: str, content: dict[str, Any]) -> str:
    """Bring an object to what it is to hold.

    Members that come are added at the end; what is taken out again leaves the text as it
    was before.

    Args:
        text: A text that `loads` gives an object of.
        content: What it is to hold, in this order.
    """
    start = _skip(text, 0)
    changed, end = _edited(text, start, content, depth=1)
    return text[:start] + changed + text[end:]


def _edited(
    text: str, start: int, content: dict[str, Any], depth: int
) -> tuple[str, int]:
    """Edit the object that begins at a place; also gives the place after it."""
    members, close = _members(text, start)
    style = _style_of(text, list(members.values()), depth)
    first = next(iter(members), None)
    pieces = ["{"]
    for key, value in content.items():
        member = members.get(key)
        if len(pieces) == 1:
            pieces.append(style.lead)
        elif member and key != first:
            pieces.append(text[member.before : member.start])
        else:
            pieces.append(style.comma)
        if member is None:
            pieces += [json.dumps(key), style.colon, style.render(value)]
            continue
        pieces.append(text[member.start : member.value])
        if _same(member.content, value):
            pieces.append(text[member.value : member.end])
        elif isinstance(member.content, dict) and isinstance(value, dict):
            pieces.append(_edited(text, member.value, value, depth + 1)[0])
        else:
            pieces.append(style.render(value))
    last = max((member.end for member in members.values()), default=start + 1)
    return "".join([*pieces, text[last : close + 1]]), close + 1


def _members(text: str, start: int) -> tuple[dict[str, _Member], int]:
    """Find the members of the object that begins at a place, and where it ends."""
    decoder = json.JSONDecoder(parse_float=_float, parse_int=_int)
    members: dict[str, _Member] = {}
    before, at = start + 1, _skip(text, start + 1)
    while text[at] != "}":
        key, end = decoder.raw_decode(text, at)
        value = _skip(text, _skip(text, end) + 1)
        content, after = decoder.raw_decode(text, value)
        members[key] = _Member(before, at, text[end:value], value, after, content)
        before, at = after, _skip(text, after)
        if text[at] == ",":
            at = _skip(text, at + 1)
    return members, at


def _style_of(text: str, members: list[_Member], depth: int) -> _Style:
    if not members:
        return _Style(depth=depth)
    first, *more = members
    lead = text[first.before : first.start]
    if more:
        comma = text[more[0].before : more[0].start]
    elif "\n" in lead:
        comma = f",{lead}"
    else:
        comma = ", " if first.colon.endswith(" ") else ","
    return _Style(lead, comma, first.colon, depth)


def _same(one: Any, other: Any) -> bool:
    return dumps(one, sort_keys=True) == dumps(other, sort_keys=True)


def _skip(text: str, at: int) -> int:
    while text[at] in " \t\r\n":
        at += 1
    return at
