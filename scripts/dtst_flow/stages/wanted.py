"""Which clusters a user means: by id, by name, by folder or number, by size."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass

from dtst_flow.dataset.known_clusters import Cluster, KnownClusters, named_one_by_one

MAX_SHOWN = 10
"""Clusters that are named where one is not known."""


MOST_NEAR = 3
"""Clusters that may have been meant, at most."""


class UnknownCluster(Exception):
    """A cluster that is asked for and is not there; the message says which there are."""


@dataclass(frozen=True)
class Wanted:
    """A cluster that is asked for.

    Attributes:
        cluster: The cluster.
        asked: What was said for it, None where all are meant.
        bound: Whether that is a folder or a number, which from then on means this one.
    """

    cluster: Cluster
    asked: str | None = None
    bound: bool = False


def find(
    known: KnownClusters, asked: str | list[str] | None, bound: Mapping[str, str]
) -> list[Wanted]:
    """Find the clusters that are asked for.

    Args:
        known: All that there are.
        asked: Ids, names, folders or numbers, a comma list or a list; None for all.
        bound: The ids of the clusters that folders and numbers were when they were first
            asked for.

    Returns:
        The clusters, for each word those that it means.

    Raises:
        UnknownCluster: A word means none.
    """
    words = named_one_by_one(asked)
    if not words:
        return [Wanted(cluster) for cluster in known.clusters]
    return [wanted for word in words for wanted in _meant(known, word, bound)]


def _meant(known: KnownClusters, word: str, bound: Mapping[str, str]) -> list[Wanted]:
    """The clusters that a word means; several may have one name."""
    if word in bound:
        for cluster in known.clusters:
            if cluster.id == bound[word]:
                return [Wanted(cluster, word, bound=True)]
        raise UnknownCluster(_gone(known, word, bound[word]))
    for found in (
        [c for c in known.clusters if c.id == word],
        [c for c in known.clusters if c.name == word],
        [c for c in known.clusters if (c.name or "").casefold() == word.casefold()],
    ):
        if found:
            return [Wanted(cluster, word) for cluster in found]
    numbered = _numbered(known, word)
    if numbered is None:
        raise UnknownCluster(f"there is no cluster {word!r}{_hint(known, word)}")
    return [Wanted(numbered, word, bound=True)]


def _numbered(known: KnownClusters, word: str) -> Cluster | None:
    """The cluster of a folder, or of a number by size."""
    of_folder = (c for c in known.clusters if c.folder == word)
    ranked = (c for c in known.clusters if _is_number_of(word, c))
    return next(of_folder, None) or next(ranked, None)


def _gone(known: KnownClusters, word: str, id_: str) -> str:
    now = _numbered(known, word)
    there = (
        f"; what has that number now is {now.spelled}, ask for its id" if now else ""
    )
    return (
        f"{word!r} was cluster {id_} when it was first asked for, which is no more (dtst "
        f"diff tells what became of it){there}"
    )


def _hint(known: KnownClusters, word: str) -> str:
    if not known.clusters:
        return "; there is none at all"
    words = {
        other: cluster
        for cluster in known.clusters
        for other in (cluster.id, cluster.folder, cluster.name)
        if other
    }
    folded = {other.casefold(): other for other in words}
    within = [other for other in folded if word.casefold() in other]
    near = (within or difflib.get_close_matches(word.casefold(), folded))[:MOST_NEAR]
    if near:
        named = dict.fromkeys(words[folded[other]].spelled for other in near)
        return f"; near to that are {', '.join(named)}"
    some = [cluster.spelled for cluster in known.clusters[:MAX_SHOWN]]
    rest = len(known.clusters) - MAX_SHOWN
    more = f" and {rest} more" if rest > 0 else ""
    return f"; there are {', '.join(some)}{more}"


def renumbered(wanted: list[Wanted], file: str) -> list[str]:
    """Say which numbers have become those of other clusters since they were asked for.

    Args:
        wanted: The clusters that were found.
        file: What remembers them.
    """
    said = [
        f"{w.asked!r} is {w.cluster.spelled}"
        for w in wanted
        if w.bound and w.asked and not _is_number_of(w.asked, w.cluster)
    ]
    if not said:
        return []
    return [
        f"{', '.join(said)}, as when first asked for; to choose by the numbers of now, "
        f"delete {file}"
    ]


def _is_number_of(word: str, cluster: Cluster) -> bool:
    return word == cluster.folder or (word.isdecimal() and int(word) == cluster.rank)
