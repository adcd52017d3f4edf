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
        if "gpu=int(" in block
    ]
    sent = profile["set-resources"]
    assert sorted(sent) == sorted(asking) != []
    for rule, resources in sent.items():
        where = f"'gpu' if '{rule}' in '$DTST_GPU' else ''"
        assert resources == {"slurm_partition": where}
        for asking_rules, partition in ((f"a {rule}", "gpu"), ("", ""), ("a b", "")):
            assert eval(where.replace("$DTST_GPU", asking_rules)) == partition
