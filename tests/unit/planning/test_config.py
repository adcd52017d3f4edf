"""The complete config is the one that the Snakefile gets."""

import pytest
import yaml
from snakemake.utils import validate

from dtst_flow.planning.config import complete_config, read_schema
from dtst_flow.planning.schema import BadSettings
from helpers.dataset import ROOT

GIVEN = {
    "root": "/data",
    "dataset": "crowd",
    "path": "cluster",
    "cluster": {"from": "faces", "top": 3},
}


def test_it_is_what_snakemake_makes_of_it():
    config = yaml.safe_load((ROOT / "config/config.yaml").read_text())
    config |= GIVEN | {"cluster": config["cluster"] | GIVEN["cluster"]}
    validate(config, str(ROOT / "workflow/schemas/config.schema.yaml"))
    assert complete_config(GIVEN) == config


def test_what_is_given_comes_first_then_config_yaml_then_the_schema():
    config = complete_config(GIVEN)
    assert config["cluster"]["top"] == 3
    assert config["cluster"]["min_cluster_size"] == 5
    assert config["shard_size"] == read_schema()["properties"]["shard_size"]["default"]


def test_text_is_read_by_the_types_of_the_schema():
    assert complete_config({"cluster": {"top": "3"}})["cluster"]["top"] == 3


@pytest.mark.parametrize(
    ("given", "hint"),
    [
        ({"clutser": {}}, "did you mean 'cluster'"),
        ({"cluster": 3}, "cluster: 3"),
        ({"cluster": {"topp": 3}}, "did you mean 'top'"),
        ({"dataset": ""}, "dataset: "),
    ],
)
def test_what_cannot_be_used_is_refused(given, hint):
    with pytest.raises(BadSettings, match=hint):
        complete_config(given)
