"""Images in noise that are alike, and how far apart images of one kind are."""

from dtst_flow.report import alike as near
from dtst_flow.review.clustering import Clustering
from dtst_flow.review.facts import Facts

MOST = 200
"""Most sets of images that are shown."""


def reach(clustering: Clustering, facts: Facts) -> float:
    """The cosine distance within which two images most often show the same."""
    return near.reach(clustering.parameters, facts.spreads)


def alike(clustering: Clustering, facts: Facts) -> list[list[int]]:
    """Sets of images in noise, each near to one of them; the largest sets first."""
    found = near.sets(facts.alike, reach(clustering, facts))[:MOST]
    return [[int(facts.singles[i]) for i in numbers] for numbers in found]
