"""What the page asks for, checked word by word."""

from collections.abc import Callable, Mapping
from typing import Any

from dtst_flow.review.actions import Action, CannotBeDone, Edit
from dtst_flow.review.decisions import Decisions

LONGEST_NAME = 100
"""Most characters of a name."""


def edit_of(decisions: Decisions, asked: Mapping[str, Any]) -> Edit:
    """Turn what the page asks for into an edit of labels.csv.

    Args:
        decisions: What is decided already.
        asked: `action`, and what it is about.

    Raises:
        CannotBeDone: It cannot be done.
        ValueError: It is not as the page asks.
    """
    action, about = Action(decisions), _About(decisions, asked)
    calls: dict[str, Callable[[], None]] = {
        "merge": lambda: action.merge(about.places()),
        "name": lambda: action.name(about.place(), about.name()),
        "reject": lambda: action.reject(about.images()),
        "unreject": lambda: action.unreject(about.images()),
        "keep": lambda: action.keep(about.places()),
        "move": lambda: action.move(about.images(), about.target()),
        "new": lambda: action.new(about.images(), about.name()),
        "out": lambda: action.out(about.images()),
        "answer": lambda: action.answer(*about.pair(), about.same()),
    }
    call = calls.get(str(asked.get("action")))
    if call is None:
        raise ValueError(f"action is one of {', '.join(calls)}")
    call()
    return _settled(action.edit, decisions)


def _settled(edit: Edit, decisions: Decisions) -> Edit:
    """The edit without what it would add and is there, or would take out and add."""
    there = {line.cells for line in decisions.lines}
    add = list(dict.fromkeys(edit.add))
    remove = [cells for cells in dict.fromkeys(edit.remove) if cells not in add]
    return Edit([cells for cells in add if cells not in there], remove)


def pair_of(decisions: Decisions, asked: Mapping[str, Any]) -> tuple[int, int]:
    """The two images of the question that is answered. Raises ValueError."""
    return _About(decisions, asked).pair()


class _About:
    """What an action is about, as the page says it. All raise ValueError."""

    def __init__(self, decisions: Decisions, asked: Mapping[str, Any]) -> None:
        self.decisions = decisions
        self.clustering = decisions.clustering
        self.asked = asked

    def images(self) -> list[int]:
        """The images named, and those of the clusters named."""
        numbers = list(map(self._number, self._list("images")))
        for place in map(self._place, self._list("clusters")):
            cluster = self.clustering.clusters[place]
            members = range(cluster.start, cluster.end)
            numbers += [n for n in members if n not in self.decisions.taken_out]
        if not numbers:
            raise ValueError("no image is named")
        return numbers

    def places(self) -> list[int]:
        """The clusters named."""
        places = list(map(self._place, self._list("clusters")))
        if not places:
            raise ValueError("no cluster is named")
        return places

    def place(self) -> int:
        """The cluster named."""
        return self._place(self.asked.get("cluster"))

    def name(self) -> str:
        """The name given, "" for none."""
        name = self.asked.get("name") or ""
        if not isinstance(name, str) or len(name) > LONGEST_NAME:
            raise ValueError(f"a name is a text of {LONGEST_NAME} characters at most")
        name = " ".join(name.split())
        if not name.isprintable():
            raise ValueError("a name has only what can be printed")
        return name

    def target(self) -> int:
        """The image that stands for the cluster named by its id or its name."""
        to = self.asked.get("to")
        place = self.clustering.place(to) if isinstance(to, str) else None
        if place is not None:
            head = self.decisions.stands_for(place)
        else:
            head = self._named(to)
        if head is None:
            raise CannotBeDone(f"there is no cluster {to!r}")
        return head

    def _named(self, name: object) -> int | None:
        for n, given in self.decisions.names.items():
            if given == name:
                return n
        for place, cluster in enumerate(self.clustering.clusters):
            if cluster.name == name:
                return self.decisions.stands_for(place)
        return None

    def pair(self) -> tuple[int, int]:
        """The two images of a question, by its key."""
        numbers = str(self.asked.get("key")).split("-")
        if len(numbers) != 2 or not all(x.isascii() and x.isdecimal() for x in numbers):
            raise ValueError("there is no such question")
        a, b = (self._number(int(x)) for x in numbers)
        if a == b:
            raise ValueError("there is no such question")
        return a, b

    def same(self) -> bool:
        """The answer to a question."""
        if self.asked.get("answer") not in ("yes", "no"):
            raise ValueError("an answer is yes, no or skip")
        return bool(self.asked["answer"] == "yes")

    def _list(self, key: str) -> list[Any]:
        value = self.asked.get(key) or []
        if not isinstance(value, list):
            raise ValueError(f"{key} is a list")
        return value

    def _number(self, value: object) -> int:
        if not isinstance(value, int) or isinstance(value, bool):
            raise ValueError("an image is a whole number")
        if not 0 <= value < len(self.clustering.paths):
            raise ValueError(f"there is no image {value}")
        return value

    def _place(self, value: object) -> int:
        place = self.clustering.place(value) if isinstance(value, str) else None
        if place is None:
            raise ValueError(f"there is no cluster {value!r}")
        return place
