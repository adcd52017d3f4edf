"""What select is asked for: which source, which of its clusters."""

import os
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from dtst_flow.dataset import bucket_specs, cluster_list, known_clusters
from dtst_flow.dataset.containment import BadBucket, is_relative
from dtst_flow.dataset.known_clusters import KnownClusters
from dtst_flow.dataset.ledger import Ledgers
from dtst_flow.dataset.selection import FILE as SELECTION
from dtst_flow.dataset.selection import SelectionEvidence
from dtst_flow.dataset.state import state_of
from dtst_flow.stages import choosing, wanted
from dtst_flow.stages.choosing import Choice, Options
from dtst_flow.stages.contract import Row, Settings, options_of
from dtst_flow.stages.wanted import UnknownCluster, Wanted


@dataclass(frozen=True)
class Asked:
    """What is asked for.

    Attributes:
        specs: What is named as the source.
        known: The clusters that there are, if any.
        found: Those that are asked for, as they were.
        options: The settings.
    """

    specs: list[str]
    known: KnownClusters | None
    found: list[Wanted]
    options: Options

    @property
    def needs_sizes(self) -> bool:
        """Whether sizes decide what is chosen."""
        ranked_by_size = self.options.best is not None and self.known is None
        return self.options.min_side is not None or ranked_by_size

    def choose(self, rows: list[Row]) -> Choice:
        """Choose among the images of the source."""
        chosen = choosing.of_size(self.found, self.options) if self.known else None
        return choosing.choose(rows, chosen, self.known, self.options)

    def renumbering(self, to: str) -> list[str]:
        """Say what a number means that may be, or is by now, that of another cluster.

        Args:
            to: The folder of the chosen images.
        """
        said = wanted.renumbered(self.found, f"{to}/{SELECTION}")
        for spec in self.specs:
            folder, _, number = spec.rpartition("/")
            if number.isdecimal() and any(_clusterings(Path(), [folder])):
                said.append(
                    f"{spec} is another cluster once numbers change; --from {folder} "
                    f"--clusters {number} stays with the one that it is now"
                )
        return said

    def is_about(self, image: str) -> bool:
        """Tell whether an image of the source is one to choose from."""
        return not self.known or any(image in w.cluster.images for w in self.found)

    def as_clustered(self, rows: list[Row]) -> list[Row]:
        """Give rows the content that their images had when they were clustered."""
        known = {k: v for w in self.found for k, v in w.cluster.images.items()}
        return [
            row | {"digest": known.get(row["path"]) or row["digest"]} for row in rows
        ]


def ask(settings: Settings) -> Asked:
    """Find out what the settings ask for, in the dataset's folder.

    Raises:
        UnknownCluster: A cluster that is not there, or clusters of a source without any.
    """
    options = options_of(Options, settings)
    specs = bucket_specs.parse_specs(settings["from"])
    source, known = next(_clusterings(Path(), specs), ("", None))
    if known is None:
        if flags := options.needs_clusters:
            raise UnknownCluster(
                f"{' and '.join(flags)} needs clusters, and {','.join(specs)!r} has none; "
                f"name a folder with a {cluster_list.FILE}, such as --from cluster"
            )
        return Asked(specs, None, [], options)
    bound = SelectionEvidence(settings["to"]).bound
    try:
        found = wanted.find(known, options.clusters, bound)
    except UnknownCluster as error:
        raise UnknownCluster(f"{source}: {error}") from error
    if not choosing.of_size(found, options):
        raise UnknownCluster(
            f"{source}: no cluster asked for has {options.min_cluster} images"
        )
    return Asked(specs, known, found, options)


def _clusterings(
    dataset: Path, specs: Iterable[str]
) -> Iterator[tuple[str, KnownClusters]]:
    """Yield those of some buckets that are clusterings."""
    for spec in filter(is_relative, specs):
        if known := known_clusters.read(dataset / spec):
            yield spec, known


def sources(dataset: Path, specs: list[str]) -> list[str]:
    """Return the buckets of the images that were clustered, where a clustering is named.

    Of its folders not the files: they are numbered anew by any run.

    Raises:
        BadBucket: It is named together with others, or has no cluster.
    """
    known = dict(_clusterings(dataset, specs))
    if not known:
        return specs
    if len(specs) > 1:
        raise BadBucket(
            f"--from '{','.join(specs)}': {next(iter(known))} has clusters; choose from "
            "one clustering, or from buckets that are none"
        )
    if not known[specs[0]].folders:
        raise BadBucket(f"{specs[0]} has no cluster to choose from")
    return known[specs[0]].folders


def unfit(settings: Settings, files: Collection[str]) -> str:
    """Say that what is asked for cannot be chosen or laid out there, whatever is known."""
    listed = os.path.join(settings["to"], cluster_list.FILE)
    if os.path.lexists(listed):
        return f"--to {settings['to']!r} has clusters ({listed}); choose another folder"
    mine = os.path.join(settings["to"], SELECTION)
    ledgers = Ledgers(settings["to"], state_of(settings["to"]))
    known = SelectionEvidence(settings["to"]).listed is not None
    if os.path.lexists(mine) and not known and SELECTION not in ledgers.paths():
        return f"{mine} was not written by dtst; move it away or choose another --to"
    try:
        ask(settings)
    except UnknownCluster as error:
        return str(error)
    return ""
