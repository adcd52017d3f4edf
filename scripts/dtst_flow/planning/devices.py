"""Which rules' jobs ask for a GPU, and why one that is here is not used."""

from collections.abc import Iterator

from dtst_flow.planning.plan import Plan
from dtst_flow.utils import gpu


def rules_on_gpu(
    plan: Plan, wanted: bool | None, elsewhere: bool = False
) -> frozenset[str]:
    """Return the rules whose jobs ask for a GPU: jobs that do run one at a time.

    Args:
        plan: What is to be run.
        wanted: The setting `gpu`: None where a GPU is to be used if one is here, and the
            library that runs the model can use it.
        elsewhere: Whether jobs run in environments of their own, whose libraries are not
            those installed here.
    """
    if wanted is False or (wanted is None and not gpu.count()):
        return frozenset()
    return frozenset(
        rule
        for rule, runtimes in _runtimes(plan)
        if wanted or elsewhere or not all(map(gpu.fault, runtimes))
    )


def unused_gpu(plan: Plan, wanted: bool | None, elsewhere: bool = False) -> str:
    """Say that models do not run on a GPU though one is here or was asked for.

    Args:
        plan: What is to be run.
        wanted: As for `rules_on_gpu`.
        elsewhere: Likewise.

    Returns:
        A sentence that says what would change it; empty where all models do, or none can.
    """
    if wanted is False or elsewhere or not (wanted or gpu.count()):
        return ""
    working = {stage.rule for stage in plan.stages}
    faults = {
        rule: [gpu.fault(runtime) for runtime in runtimes]
        for rule, runtimes in _runtimes(plan)
        if rule in working
    }
    said = [f"{rule}: {' and '.join(why)}" for rule, why in faults.items() if all(why)]
    if not said:
        return ""
    asked = "a GPU was asked for" if wanted else "this machine has a GPU"
    return f"{asked}, but models run on the CPU; {'; '.join(said)}"


def _runtimes(plan: Plan) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield the rules that may run on a GPU, with what does that."""
    for stage in plan.stages:
        for rule, runtimes in stage.runtimes(plan.settings[stage.name]).items():
            if runtimes:
                yield rule, runtimes
