"""Text that others wrote, made fit to be shown."""

LONGEST = 2000
"""Characters of one line shown, at most."""


def printable(text: object, longest: int = LONGEST) -> str:
    """One line for a terminal: what would steer it or hide text is spelled out.

    longest  characters taken of it, at most
    """
    text = str(text)
    cut = f"{text[:longest]}…" if len(text) > longest else text
    if cut.isprintable():
        return cut
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in cut)


def printable_lines(text: object) -> str:
    """`printable` line by line, of text that has its own."""
    return "\n".join(map(printable, str(text).split("\n")))
