"""A clustering that is shown, and what becomes known of it meanwhile."""

from dataclasses import dataclass, field
from threading import Event, Timer

from dtst_flow.report import NoResult
from dtst_flow.review import facts
from dtst_flow.review.clustering import Clustering
from dtst_flow.review.facts import Facts
from dtst_flow.review.questions import Pairs, candidates
from dtst_flow.review.rows import Rows

PATIENCE = 30.0
"""Seconds that a request waits for what is being read."""

MANY = 10_000
"""Images of which it is felt that something is computed in the background."""

REST = 1.5
"""Seconds for the first view of so many."""


@dataclass
class View:
    """A clustering, and what is known of it as soon as it is computed.

    Attributes:
        bucket: The bucket of the clusters.
        clustering: What clusters.json says.
        rows: What embed knows of its images; None until it is read.
        facts: What the vectors tell; None until it is computed.
        pairs: What may be asked about; None until it is computed.
        fault: Why there will be none of them, if so.
    """

    bucket: str
    clustering: Clustering
    rows: Rows | None = None
    facts: Facts | None = None
    pairs: Pairs | None = None
    fault: str = ""
    _read: Event = field(default_factory=Event)

    def begin(self) -> None:
        """Read and compute in the background; of many images, after the first view."""
        wait = REST if len(self.clustering.paths) > MANY else 0.0
        timer = Timer(wait, self._learn)
        timer.daemon = True
        timer.start()

    def _learn(self) -> None:
        try:
            self.rows = Rows(self.bucket, self.clustering)
            self._read.set()
            known = facts.compute(self.clustering, self.rows)
            self.pairs = candidates(known, self.rows)
            self.facts = known
        except NoResult as error:
            self.fault = str(error)
        except ValueError as error:  # files that changed under our hands
            self.fault = f"the vectors cannot be used: {error}"
        finally:
            self._read.set()

    def known_rows(self) -> Rows | None:
        """The rows; waits until they are read. None where they cannot be."""
        self._read.wait(PATIENCE)
        return self.rows

    def digest_of(self, n: int) -> str | None:
        """The digest of an image's content, if it is known."""
        known = self.clustering.digests[n]
        if known is None and (rows := self.known_rows()):
            known = rows.digests[n]
        return known
