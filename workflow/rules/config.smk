# Config: read by the schema's types and checked, completed by its defaults, and made a plan.

import os
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

HOME = Path(str(workflow.current_basedir)).parents[1]
if not HOME.is_dir():
    raise WorkflowError(
        "dtst-flow must be in a folder on this disk, a checkout or the installed package: "
        "its jobs import modules from there"
    )
# Before all else: the package of this checkout, whatever is installed.
sys.path.insert(0, str(HOME / "scripts"))
# Jobs run in the dataset's folder; what is there is data, no modules to import.
os.environ.update(PYTHONSAFEPATH="1")

from dtst_flow.planning import devices
from dtst_flow.planning.config import settled
from dtst_flow.planning.home import home
from dtst_flow.planning.plan import (
    PlanError,
    check_installed,
    check_state_links,
    make_plan,
)
from dtst_flow.planning.schema import BadSettings
from dtst_flow.runtime import events
from dtst_flow.utils.folders import can_be_made
from dtst_flow.utils.yaml_keys import told_twice

if not home().samefile(HOME):
    raise WorkflowError(
        f"dtst_flow was imported from {home()} before, but this is the workflow of {HOME}"
    )


def refused(sentence):
    """The error that ends Snakemake; a dtst that started it is told the sentence alone."""
    if workflow.is_main_process:
        events.tell("error", text=sentence)
    return WorkflowError(sentence)


def planned(function, *values):
    """Call a function of the plan; what is wrong with the config ends Snakemake."""
    try:
        return function(*values)
    except PlanError as error:
        raise refused(str(error)) from error
    except OSError as error:
        raise refused(f"{error.filename or PLAN.dataset}: {error.strerror}") from error


for path in workflow.overwrite_configfiles if workflow.is_main_process else ():
    if fault := told_twice(Path(path).read_text("utf-8-sig", "replace")):
        raise refused(f"config file {path}: {fault}")


try:
    config.update(settled(config))
except BadSettings as error:
    raise refused(f"config: {error}") from error


cores = workflow.resource_settings.cores
if workflow.is_main_process and cores is not None and cores < 1:
    # With none Snakemake waits for ever; with fewer, jobs work on nothing.
    raise refused("--cores: a number from 1 on, or all")

# In a home that cannot be written to, the folders that our profile names for environments
# cannot be made; Snakemake's default is one in the dataset's folder.
for prefix in ("conda_prefix", "apptainer_prefix"):
    folder = getattr(workflow.deployment_settings, prefix)
    ours = folder and Path(folder).is_relative_to(Path("~/.cache").expanduser())
    if ours and not can_be_made(Path(folder)):
        setattr(workflow.deployment_settings, prefix, None)

PLAN = planned(make_plan, config)
config.update(PLAN.settings)
if workflow.is_main_process:
    planned(check_state_links, PLAN)

# The rules whose jobs ask for a GPU. Only the process that starts the run may look for one;
# on a node it is told by the environment, as profiles are, which see no config.
DEPLOYED = bool(workflow.deployment_settings.deployment_method)
if workflow.is_main_process and not DEPLOYED:
    planned(check_installed, PLAN)
if workflow.is_main_process or config["gpu"] is not None:
    GPU = devices.rules_on_gpu(PLAN, config["gpu"], DEPLOYED)
else:
    GPU = frozenset(os.environ.get("DTST_GPU", "").split())
os.environ.update(DTST_GPU=" ".join(sorted(GPU)))

if config["container"] and "://" not in config["container"]:
    config["container"] = str(Path(config["container"]).resolve())
