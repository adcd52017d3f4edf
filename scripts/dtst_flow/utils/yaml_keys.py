"""Keys that are in a mapping of a YAML file twice, of which YAML takes the last."""

from typing import Any

import yaml

MERGE = "tag:yaml.org,2002:merge"
"""The tag of the key ``<<``."""


def told_twice(text: str) -> str | None:
    """Tell of a key that is in one mapping twice.

    Args:
        text: The content of a YAML file.

    Returns:
        A sentence that names the key and its lines; None without one.

    Raises:
        yaml.YAMLError: The text is no YAML.
    """
    todo: list[Any] = [yaml.compose(text, yaml.SafeLoader)]
    seen: set[int] = set()
    while todo:
        node = todo.pop()
        if id(node) in seen:  # an alias may lead to what it is in
            continue
        seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            todo += reversed(node.value)
        elif isinstance(node, yaml.MappingNode):
            if fault := _twice_in(node):
                return fault
            todo += reversed([value for _, value in node.value])
    return None


def _twice_in(mapping: yaml.MappingNode) -> str | None:
    lines: dict[tuple[str, str], int] = {}
    for key, _ in mapping.value:
        if not isinstance(key, yaml.ScalarNode) or key.tag == MERGE:
            continue
        line = key.start_mark.line + 1
        if before := lines.get((key.tag, key.value)):
            lines_of = (
                f"line {line}" if before == line else f"lines {before} and {line}"
            )
            return f"'{key.value}' is there twice, in {lines_of}; leave one of them"
        lines[key.tag, key.value] = line
    return None
