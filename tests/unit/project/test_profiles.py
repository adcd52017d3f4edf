"""What is shipped for SLURM fits the rules."""

import re

import yaml

from helpers.dataset import ROOT


def test_every_rule_that_may_ask_for_a_gpu_goes_where_one_is():
    profile = yaml.safe_load((ROOT / "profiles/slurm/config.yaml").read_text())
    rules = "\n".join(p.read_text() for p in (ROOT / "workflow/rules").glob("*.smk"))
    asking = [
        block.split(":", 1)[0]
        for block in re.split(r"(?m)^rule ", rules)
        if "gpu=GPU" in block
    ]
    sent = profile["set-resources"]
    assert sorted(sent) == sorted(asking) != []
    assert {str(resources) for resources in sent.values()} == {str(sent["detect"])}
