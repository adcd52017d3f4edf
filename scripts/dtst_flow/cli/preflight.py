"""What is checked, and said, before Snakemake starts."""

import functools
import sys
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from dtst_flow.cli import foreign
from dtst_flow.cli.console import Refused
from dtst_flow.cli.diagnose import diagnose
from dtst_flow.cli.request import Request, overrides
from dtst_flow.dataset.digests import Known
from dtst_flow.dataset.scan import Listing
from dtst_flow.dataset.state import StateGone
from dtst_flow.models import store
from dtst_flow.models.errors import ModelError
from dtst_flow.planning.config import complete_config
from dtst_flow.planning.plan import (
    NothingToCluster,
    Plan,
    PlanError,
    check_installed,
    check_state_links,
    make_plan,
)
from dtst_flow.planning.preview import Preview, preview
from dtst_flow.planning.schema import BadSettings
from dtst_flow.planning.source_scan import (
    known_files,
    source_fingerprint,
    source_listing,
)
from dtst_flow.planning.staleness import stage_version
from dtst_flow.runtime import run_lock
from dtst_flow.stages.contract import WouldFail


def check_exists(dataset: Path) -> None:
    """Refuse a dataset folder that does not exist."""
    if not dataset.is_dir():
        raise Refused(
            f"there is no dataset folder {dataset}; make it and put a folder of "
            "images into it, or name another one with -d"
        )


@contextmanager
def refusing(dataset: Path) -> Iterator[None]:
    """Turn the errors of what was asked for into a sentence, before anything begins."""
    try:
        yield
    except (NothingToCluster, WouldFail) as error:
        raise click.ClickException(str(error)) from error
    except (BadSettings, PlanError, ModelError, StateGone) as error:
        raise Refused(str(error)) from error
    except run_lock.DatasetBusy as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:
        told = diagnose(dataset) or f"{error.filename or dataset}: {error.strerror}"
        raise click.ClickException(told) from error


@dataclass
class Checked:
    """What can be known of a run before Snakemake starts.

    Attributes:
        config: All settings.
        plan: The plan made of them.
        listing: The source of its first stage.
    """

    config: dict[str, Any]
    plan: Plan
    listing: Listing

    @functools.cached_property
    def known(self) -> Known:
        """What the last run noted of the source's files."""
        with chdir(self.plan.dataset):
            return known_files(self.plan, self.plan.stages[0].name, self.listing)

    def fingerprint(self) -> str:
        """Digest the source, and note what was only touched."""
        stage = self.plan.stages[0].name
        with chdir(self.plan.dataset):
            return source_fingerprint(self.plan, stage, True, self.listing, self.known)

    def forget_files(self) -> None:
        """Free what is known of the source: of a million files half a gigabyte."""
        self.listing = Listing()
        vars(self).pop("known", None)


def check(request: Request) -> Checked:
    """Make the plan, and find all that is wrong with it before Snakemake starts.

    Raises:
        PlanError: It cannot be carried out.
        BadSettings: A setting cannot be used.
        ModelError: Models cannot be found or used.
    """
    config = complete_config(overrides(request))
    plan = make_plan(config)
    check_state_links(plan)
    if not (request.profile or request.passed_on):  # which may ask for environments
        check_installed(plan)
    wanted = [stage.models(plan.settings[stage.name]) for stage in plan.stages]
    with chdir(plan.dataset):
        for stage in plan.stages:
            plan.specs(stage.name)
        store.resolve_all({name: w for models in wanted for name, w in models.items()})
        for stage in plan.stages:
            stage_version(plan, stage.name)
        listing = source_listing(plan, plan.stages[0].name)
    return Checked(config, plan, listing)


def look(request: Request, checked: Checked, settled: bool = False) -> Preview:
    """Look at what a run would start from, and say what of another program's is there.

    Args:
        request: What is asked for.
        checked: What is known of it.
        settled: Whether there is nothing to do: then nothing comes, goes or mixes.

    Raises:
        Refused: Another program's clusters are in the way.
    """
    if settled and checked.plan.stages[0].makes_bucket:
        return Preview(len(checked.listing.images), new=0)
    with chdir(checked.plan.dataset):
        seen = preview(checked.plan, checked.listing, checked.known)
    for note in foreign.notes_of(request.dataset, checked.plan, checked.listing):
        request.voice.say(note)
    return seen


def announce(request: Request, plan: Plan, seen: Preview) -> None:
    """Say what is about to be done; where much would go, ask.

    Raises:
        Refused: Photos are where boxes cannot be written.
        click.ClickException: The user would rather not.
    """
    names = [stage.command for stage in plan.stages]
    source = ",".join(plan.specs(plan.stages[0].name))
    targets = [
        plan.bucket(s.name) if s.makes_bucket else "sidecars" for s in plan.stages
    ]
    if seen.read_only:
        raise Refused(seen.read_only)
    request.voice.say(
        f"{', '.join(names)}: {seen.images} {plan.stages[0].reads.plural} in {source} "
        f"({seen.new} new or changed) -> {' -> '.join(targets)}"
    )
    if said := seen.without_boxes():
        request.voice.say(f"note: {said}")
    if not seen.going:
        return
    request.voice.say(seen.removal("will"))
    much = 2 * seen.going > seen.there
    asks = much and not request.yes and sys.stdin.isatty() and sys.stderr.isatty()
    if asks and not click.confirm("Go on? (--yes answers this)", err=True):
        raise click.ClickException("nothing was changed")
