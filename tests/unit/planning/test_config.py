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


def test_a_number_is_one_however_it_is_spelled():
    """So that a flag, which gives 1.0, computes nothing anew after a file with 1."""
    spelled = [
        complete_config({"cluster": {"max_distance": value}}) for value in (1, 1.0)
    ]
    assert repr(spelled[0]) == repr(spelled[1])
    assert complete_config({"detect": {"threshold": 0.5}})["detect"]["threshold"] == 0.5
