"""What answers to the review's questions are worth: BCubed F, against random pairs.

    python tests/benchmarks/questions.py DATASET [--bucket cluster] [--count 20]

DATASET was made by ``dtst run faces --from 'images/*' --max-faces 1`` of photos in folders
named after who is in them. All questions are answered rightly. Random pairs are asked about
ten times; the mean is told.
"""

import argparse
import os
import random
from collections.abc import Callable, Iterator
from itertools import count, islice
from pathlib import Path

from dtst_flow.cluster.label_file import Cells, Label
from dtst_flow.cluster.metrics import bcubed
from dtst_flow.dataset import sidecars
from dtst_flow.review import clustering, facts, questions
from dtst_flow.review.actions import Action, CannotBeDone
from dtst_flow.review.clustering import Clustering
from dtst_flow.review.decisions import Decisions
from dtst_flow.review.rows import Rows

TRIES = 10

Asking = Callable[[Decisions], tuple[int, int] | None]


def people(found: Clustering) -> list[str]:
    """Who is on each image: the folder of its photo is named so."""
    photos = (sidecars.read(path)["provenance"]["image"] for path in found.paths)
    return [Path(photo).parent.name for photo in photos]


def decided(found: Clustering, lines: list[Cells]) -> Decisions:
    return Decisions(found, [Label(i, *cells) for i, cells in enumerate(lines, 1)])


def score(decisions: Decisions, known: list[str]) -> float:
    """BCubed F of what is decided."""
    alone = count(-1, -1)
    clusters = len(decisions.clustering.clusters)
    several = {decisions.group_of(line.image) for line in decisions.lines}
    groups = [decisions.group_of(n) for n in range(len(known))]
    shown = [g if g < clusters or g in several else next(alone) for g in groups]
    return bcubed(shown, known)[2]


def answered(found: Clustering, known: list[str], ask: Asking) -> Iterator[float]:
    """Yield the F before any answer, and after each."""
    lines: list[Cells] = []
    while True:
        decisions = decided(found, lines)
        yield score(decisions, known)
        if (pair := ask(decisions)) is None:
            return
        action = Action(decisions)
        try:
            action.answer(*pair, known[pair[0]] == known[pair[1]])
        except CannotBeDone:
            continue
        lines = [cells for cells in lines if cells not in action.edit.remove]
        lines += action.edit.add


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--bucket", default="cluster")
    parser.add_argument("--count", type=int, default=20)
    parser.add_argument("--show", action="store_true", help="tell each question")
    options = parser.parse_args()
    os.chdir(options.dataset)
    found = clustering.read(options.bucket)
    rows = Rows(options.bucket, found)
    told = facts.compute(found, rows)
    pairs = questions.candidates(told, rows)
    known = people(found)

    def useful(decisions: Decisions) -> tuple[int, int] | None:
        for question in questions.ask(pairs, told, decisions, (), 1):
            if options.show:
                same = known[question.a] == known[question.b]
                print(f"  {question.kind:8} {question.distance:.3f} {same}")
            return question.a, question.b
        return None

    print(f"{len(known)} images, {len(found.clusters)} clusters, BCubed F")
    curve = list(islice(answered(found, known, useful), options.count + 1))
    print(f"questions: {curve[0]:.4f} at first, {curve[-1]:.4f} after {len(curve) - 1}")
    last = []
    for seed in range(TRIES):
        drawn = random.Random(seed)

        def at_random(decisions: Decisions, drawn=drawn) -> tuple[int, int]:
            a, b = drawn.sample(range(len(known)), 2)
            return a, b

        scores = answered(found, known, at_random)
        last.append(list(islice(scores, options.count + 1))[-1])
    print(f"random pairs: {sum(last) / len(last):.4f} after {options.count}")


if __name__ == "__main__":
    main()
