"""Vocabulary: which of its classes a model means by the names that the user gives."""

import difflib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

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

NEAR, LIKE = 3, 0.7
"""Most names shown as near to an unknown one, and the least likeness of such a name."""


class UnknownClass(ModelError):
    """Classes that a model cannot find; the message lists near ones and says which can."""


@dataclass(frozen=True)
class Vocabulary:
    """What the classes asked for mean to a model.

    names    class as asked for -> as the model calls it
    prompts  of a model of open vocabulary: what it is to find
    """

    names: dict[str, str]
    prompts: list[Prompt] = field(default_factory=list)

    def to_value(self) -> dict:
        """As a JSON value."""
        return {
            "names": self.names,
            "prompts": {p.name: encode_vector(p.vector) for p in self.prompts},
        }

    @classmethod
    def of_value(cls, value: dict) -> "Vocabulary":
        """From what `to_value` gives."""
        prompts = [
            Prompt(n, decode_vector(text)) for n, text in value["prompts"].items()
        ]
        return cls(value["names"], prompts)


def learn(weights: Weights, asked: list[str]) -> Vocabulary:
    """Ask a model for classes: texts are read here, once for all images.

    Raises UnknownClass, NotADetector, and ModelError for what is missing.
    """
    if weights.path.suffix == ".onnx":
        names = open_detector(weights, least=1.0).names
        return Vocabulary(match(asked, names, weights.path.name))
    from dtst_flow.detect import pytorch

    model = pytorch.load(weights)
    if not pytorch.is_open(model):
        names = list(model.names.values())
        return Vocabulary(match(asked, names, weights.path.name))
    texts = {name: name.replace("_", " ") for name in asked}
    distinct = sorted(set(texts.values()))
    vectors = pytorch.read_texts(model, distinct)
    return Vocabulary(texts, list(map(Prompt, distinct, vectors)))


def match(asked: Iterable[str], names: Sequence[str], model: str) -> dict[str, str]:
    """Find the model's name of every class asked for.

    Case, hyphens, underscores and runs of blanks do not matter, unless names of the model
    differ by them alone; then the one spelled just so is meant.

    names  all that the model knows
    model  what to call it

    Returns class as asked for -> name. Raises UnknownClass.
    """
    plain = {_plain(name): name for name in reversed(names)}
    exact = set(names)
    found, faults = {}, []
    for name in asked:
        known = name if name in exact else plain.get(_plain(name))
        if known is None:
            faults.append(f"  {name!r}{_hint(name, plain)}")
        else:
            found[name] = known
    if faults:
        raise UnknownClass(
            f"{model} cannot find:\n{chr(10).join(faults)}\n"
            f"Any class by its name is found by: --model {', '.join(OPEN)}."
        )
    return found


def _plain(name: str) -> str:
    return re.sub(r"[\s_-]+", " ", name).strip().casefold()


def _hint(name: str, plain: dict[str, str]) -> str:
    """Names like it, and whether the models trained on COCO have it."""
    word = _plain(name)
    near = [known for known in plain if word in known.split()]
    alike = difflib.get_close_matches(word, plain, n=NEAR, cutoff=LIKE)
    near += [known for known in alike if known not in near]
    hint = f", near is {', '.join(repr(plain[n]) for n in near[:NEAR])}" if near else ""
    if word in coco.NAMES and word not in plain:
        hint += f"; trained on it is --model {', '.join(CLOSED)}"
    return hint
