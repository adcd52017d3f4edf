"""All stages. A new one is a module here, a rule file, and a section of the schema.

Each is loaded when it is asked for: most runs and jobs are of one, and to load all takes a
tenth of a second.
"""

import functools
from collections.abc import Iterator, Mapping
from importlib import import_module

from dtst_flow.stages.contract import TABLES, Stage


class _Stages(Mapping[str, Stage]):
    """The stages by their names."""

    def __getitem__(self, name: str) -> Stage:
        if name not in TABLES:
            raise KeyError(name)
        return _load(name)

    def __iter__(self) -> Iterator[str]:
        return iter(TABLES)

    def __len__(self) -> int:
        return len(TABLES)


@functools.cache
def _load(name: str) -> Stage:
    stage: Stage = import_module(f"{__package__}.{name}").STAGE
    return stage


STAGES: Mapping[str, Stage] = _Stages()
"""Section of the config -> stage, in the order of use."""
