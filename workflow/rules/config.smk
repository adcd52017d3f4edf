# Config: checked before anything is made of it, then completed by the schema's defaults.

import sys
from pathlib import Path

import yaml
from snakemake.exceptions import WorkflowError
from snakemake.utils import validate

sys.path.insert(0, str(Path(workflow.basedir) / "scripts"))

from dtst_flow.planning.schema import BadSettings, check

SCHEMA = Path(workflow.basedir) / "workflow/schemas/config.schema.yaml"

if workflow.is_main_process:
    try:
        check(config, yaml.safe_load(SCHEMA.read_bytes()))
    except BadSettings as error:
        raise WorkflowError(f"config: {error}") from error

validate(config, str(SCHEMA))
