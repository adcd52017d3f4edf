"""Selection, ``selection.json``: which images were chosen, and which clusters that were.

It lies among the chosen images. Where the ledger is lost, it takes its place, and a number
of a cluster means from run to run the cluster that it tells of.
"""

import functools
from collections.abc import Mapping
from typing import Any

from dtst_flow.dataset.cluster_list import Listed, ListEvidence, listed_of
from dtst_flow.utils.files import read_json

FILE = "selection.json"
"""Its name, in the folder of the chosen images."""

KEYS = frozenset({"parameters", "clusters", "images"})
"""What one of ours holds."""


class SelectionEvidence(ListEvidence):
    """What a selection says of the files beside it."""

    file = FILE

    @functools.cached_property
    def content(self) -> dict[str, Any] | None:
        """What it holds; None where it is none of ours."""
        try:
            content = read_json(self.bucket / FILE)
        except (OSError, ValueError, RecursionError):
            return None
        ours = isinstance(content, dict) and content.keys() == KEYS
        return content if ours else None

    @functools.cached_property
    def listed(self) -> dict[str, Listed] | None:
        """The chosen images with a file, by its path."""
        try:
            every = [_listed(row) for row in self.content["images"]]  # type: ignore[index]
        except (LookupError, TypeError, AttributeError):
            return None
        return {one.file: one for one in every if one}

    @functools.cached_property
    def bound(self) -> dict[str, str]:
        """The number of a cluster -> the id that it had when it was first asked for."""
        try:
            rows = self.content["clusters"]  # type: ignore[index]
            return {str(row["asked"]): str(row["id"]) for row in rows if row["bound"]}
        except (LookupError, TypeError):
            return {}


def _listed(row: Mapping[str, Any]) -> Listed | None:
    one = listed_of(row)
    return one if one and "/" not in one.file else None
