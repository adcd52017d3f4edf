"""Make text that others wrote safe to show."""

from collections.abc import Sequence

LONGEST = 2000
"""Most characters of a line that are shown."""

MOST = 20
"""Most sentences of one kind that are shown."""


def printable(text: object, longest: int = LONGEST) -> str:
    """Write text as one line for a terminal.

    Characters that would control the terminal or hide text are written as escapes.

    Args:
        text: The text, or an object whose `str` gives it.
        longest: Most characters of it that are shown.
    """
    text = str(text)
    cut = f"{text[:longest]}…" if len(text) > longest else text
    if cut.isprintable():
        return cut
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in cut)


def printable_lines(text: object) -> str:
    """Apply `printable` to each line of a text."""
    return "\n".join(map(printable, str(text).split("\n")))


def capped(sentences: Sequence[str], where: str, most: int = MOST) -> list[str]:
    """Cut many sentences of one kind short.

    Args:
        sentences: All of them.
        where: Where all of them are, in words.
        most: Most of them that are shown.
    """
    more = len(sentences) - most
    end = [f"and {more:,} more, all {where}"] if more > 0 else []
    return [*sentences[:most], *end]
