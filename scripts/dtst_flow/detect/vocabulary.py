"""Vocabulary: which classes of a model the user's names mean."""

import difflib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from dtst_flow.detect import coco
from dtst_flow.detect.base import Prompt
from dtst_flow.detect.detectors import MODELS, open_detector
from dtst_flow.models.errors import ModelError
from dtst_flow.models.store import Weights
from dtst_flow.utils.arrays import decode_vector, encode_vector

OPEN = [name for name, kind in MODELS.items() if kind.text]
"""Detectors that find any class by its name."""

CLOSED = [name for name, kind in MODELS.items() if not kind.text]
"""Detectors that find the classes of COCO."""

MAX_NEAR, MIN_LIKENESS = 3, 0.7
"""Most names shown as near to an unknown one, and the least likeness of such a name."""


class UnknownClass(ModelError):
    """Classes that a model cannot find; the message lists near ones and says which can."""


@dataclass(frozen=True)
class Vocabulary:
    """What the classes that the user names mean to a model.

    Attributes:
        names: The user's name of a class -> the model's.
        prompts: For a model of open vocabulary, what it is to find.
    """

    names: dict[str, str]
    prompts: list[Prompt] = field(default_factory=list)

    def to_value(self) -> dict[str, Any]:
        """Convert to a JSON value."""
        return {
            "names": self.names,
            "prompts": {p.name: encode_vector(p.vector) for p in self.prompts},
        }

    @classmethod
    def of_value(cls, value: dict[str, Any]) -> "Vocabulary":
        """Make one from what `to_value` returned."""
        prompts = [
            Prompt(n, decode_vector(text)) for n, text in value["prompts"].items()
        ]
        return cls(value["names"], prompts)


def learn(weights: Weights, classes: list[str]) -> Vocabulary:
    """Find out what classes mean to a model; texts are read here, once for all images.

    Args:
        weights: The detector's model file.
        classes: Names of classes as the user wrote them.

    Raises:
        UnknownClass: The model cannot find one of the classes.
        NotADetector: The file is no detector.
        ModelError: A package or another model is missing.
    """
    if weights.path.suffix == ".onnx":
        names = open_detector(weights, min_score=1.0).names
        return Vocabulary(match(classes, names, weights.path.name))
    from dtst_flow.detect import pytorch

    model = pytorch.load(weights)
    if not pytorch.is_open(model):
        names = list(model.names.values())
        return Vocabulary(match(classes, names, weights.path.name))
    texts = {name: name.replace("_", " ") for name in classes}
    distinct = sorted(set(texts.values()))
    vectors = pytorch.read_texts(model, distinct)
    return Vocabulary(texts, list(map(Prompt, distinct, vectors)))


def match(classes: Iterable[str], names: Sequence[str], model: str) -> dict[str, str]:
    """Find the model's name of every class.

    Case, hyphens, underscores and runs of blanks do not matter, except where names of
    the model differ by them alone: then the one with exactly this spelling is meant.

    Args:
        classes: Names of classes as the user wrote them.
        names: All that the model knows.
        model: What to call it in a message.

    Returns:
        The user's name -> the model's.

    Raises:
        UnknownClass: The model does not know one of the classes.
    """
    plain = {_plain(name): name for name in reversed(names)}
    exact = set(names)
    matches: dict[str, str] = {}
    faults: list[str] = []
    for name in classes:
        known = name if name in exact else plain.get(_plain(name))
        if known is None:
            faults.append(f"  {name!r}{_hint(name, plain)}")
        else:
            matches[name] = known
    if faults:
        raise UnknownClass(
            f"{model} cannot find:\n{chr(10).join(faults)}\n"
            f"Any class by its name is found by: --model {', '.join(OPEN)}."
        )
    return matches


def _plain(name: str) -> str:
    """Write a name without case, and with one blank between words."""
    return re.sub(r"[\s_-]+", " ", name).strip().casefold()


def _hint(name: str, plain: dict[str, str]) -> str:
    """Say which names are like an unknown one, and whether models trained on COCO know it.

    Args:
        name: The name that the model does not know.
        plain: The model's names: plain -> as the model writes it.
    """
    word = _plain(name)
    near = [known for known in plain if word in known.split()]
    alike = difflib.get_close_matches(word, plain, n=MAX_NEAR, cutoff=MIN_LIKENESS)
    near += [known for known in alike if known not in near]
    hint = (
        f", near is {', '.join(repr(plain[n]) for n in near[:MAX_NEAR])}"
        if near
        else ""
    )
    if word in coco.NAMES and word not in plain:
        hint += f"; trained on it is --model {', '.join(CLOSED)}"
    return hint
