"""What the pages show of clusters and images, as JSON values."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from dtst_flow.review.clustering import Cluster
from dtst_flow.review.decisions import Decisions
from dtst_flow.review.facts import Facts
from dtst_flow.review.groups import alike
from dtst_flow.review.view import View

SORTS = ("size", "doubt", "name", "quality")
SHOWS = ("all", "unnamed", "doubtful", "small")

Value = dict[str, Any]


class Shown:
    """What is shown of one view.

    Args:
        view: The clustering.
        decisions: What is decided about it.
    """

    def __init__(self, view: View, decisions: Decisions) -> None:
        self.clustering = view.clustering
        self.facts: Facts | None = view.facts
        self.decisions = decisions
        self._least = int(view.clustering.parameters.get("min_cluster_size") or 0)

    def names(self) -> list[str]:
        """All names of clusters, also those that no run has seen yet."""
        known = {c.name for c in self.clustering.clusters if c.name}
        return sorted(known | set(self.decisions.names.values()), key=str.casefold)

    def clusters(self, sort: str, show: str, query: str) -> list[int]:
        """The places of the clusters that are asked for, in the order asked for."""
        every = self.clustering.clusters
        wanted = query.strip().casefold()
        places = [
            place
            for place, cluster in enumerate(every)
            if self._is_shown(place, show) and self._matches(place, cluster, wanted)
        ]
        if sort == "doubt":
            places.sort(key=lambda i: (-self._doubt(i), i))
        elif sort == "name":
            names = {i: self._name(i, every[i]) or "" for i in places}
            places.sort(key=lambda i: (not names[i], names[i].casefold(), i))
        elif sort == "quality":
            places.sort(key=lambda i: (-(every[i].quality or 0), i))
        return places

    def _is_shown(self, place: int, show: str) -> bool:
        cluster = self.clustering.clusters[place]
        if show == "unnamed":
            return not self._name(place, cluster)
        if show == "doubtful":
            return self._doubt(place) > 0
        if show == "small":
            return cluster.size <= self._least
        return True

    def _matches(self, place: int, cluster: Cluster, wanted: str) -> bool:
        texts = (self._name(place, cluster) or "", cluster.folder, cluster.id)
        return not wanted or any(wanted in text.casefold() for text in texts)

    def _name(self, place: int, cluster: Cluster) -> str | None:
        return self.decisions.name_of(self.decisions.group(place)) or cluster.name

    def _doubt(self, place: int) -> float:
        """How doubtful a cluster is: the share of doubtful members, or to be the same."""
        near = self.near(place)
        doubtful = self.doubtful(place) / self.clustering.clusters[place].size
        return doubtful + (near is not None)

    def doubtful(self, place: int) -> int:
        """How many members of a cluster are doubtful."""
        cluster = self.clustering.clusters[place]
        if self.facts is None:
            return 0
        return int(self.facts.doubtful[cluster.start : cluster.end].sum())

    def near(self, place: int) -> Value | None:
        """The cluster that is perhaps the same, unless that is decided."""
        found = self.facts.same(place) if self.facts else None
        if found is None or self.decisions.are_decided(place, found[0]):
            return None
        near, distance = found
        return self.short(near) | {"distance": round(distance, 4)}

    def short(self, place: int) -> Value:
        """What a cluster is called and looks like."""
        cluster = self.clustering.clusters[place]
        return {
            "id": cluster.id,
            "folder": cluster.folder,
            "name": self._name(place, cluster),
            "size": cluster.size,
            "medoid": cluster.medoid,
        }

    def short_of(self, n: int) -> Value | None:
        """The same of the cluster of an image, None of one that is in none."""
        place = int(self.clustering.of[n])
        return self.short(place) if place >= 0 else None

    def cluster(self, place: int) -> Value:
        """A cluster."""
        cluster = self.clustering.clusters[place]
        return self.short(place) | {
            "quality": None if cluster.quality is None else round(cluster.quality, 3),
            "doubtful": self.doubtful(place),
            "near": self.near(place),
            "decided": self.decisions.of_cluster(place),
        }

    def members(self, place: int, order: str) -> Sequence[int]:
        """The members of a cluster: the best first, or the most doubtful."""
        cluster = self.clustering.clusters[place]
        numbers = range(cluster.start, cluster.end)
        if order != "doubt":
            return numbers
        if self.facts is None:
            return sorted(numbers, key=lambda n: -self.clustering.distances[n])
        margins = self.facts.other - self.facts.own
        far = self.facts.own[cluster.start : cluster.end]
        near = np.nan_to_num(margins[cluster.start : cluster.end], posinf=0.0)
        by_doubt = np.lexsort((-far, near))
        return [cluster.start + int(i) for i in by_doubt]

    def noise(self) -> tuple[list[list[int]], list[int]]:
        """Images in noise: sets that are alike, and the others, those of no use last."""
        clustering = self.clustering
        sets = alike(clustering, self.facts) if self.facts else []
        together = {n for numbers in sets for n in numbers}
        rest = [n for n in range(clustering.noise, clustering.rejected)]
        rest = [n for n in rest if n not in together]
        rest.sort(key=lambda n: n in clustering.unrecognisable)
        return sets, rest

    def rejected(self) -> list[int]:
        """The images that are not wanted, also those that no run has seen yet."""
        there = range(self.clustering.rejected, len(self.clustering.paths))
        return sorted(self.decisions.rejected.union(there))

    def images(self, numbers: Iterable[int]) -> list[Value]:
        """Images, in the order given."""
        return [self.image(n) for n in numbers]

    def image(self, n: int) -> Value:
        """An image."""
        return {
            "n": n,
            "distance": _number(self.clustering.distances[n]),
            "quality": _number(self.clustering.qualities[n]),
            "doubt": bool(self.facts is not None and self.facts.doubtful[n]),
            "decided": self.decisions.of_image(n),
            "copies": self.clustering.copies.get(n, 0),
        }


def _number(value: np.floating[Any]) -> float | None:
    return None if np.isnan(value) else round(float(value), 4)
