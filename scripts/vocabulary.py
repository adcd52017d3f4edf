"""Rule vocabulary."""

from dtst_flow.detect import detectors
from dtst_flow.models import store
from dtst_flow.runtime.job import logged
from dtst_flow.stages import detect as stage
from dtst_flow.utils import gpu

settings = snakemake.config["detect"]
with logged(snakemake.log[0]):
    gpu.hold(0)  # a few texts are read faster than a GPU is had
    stage.learn(
        snakemake.params.classes,
        store.resolve(detectors.MODELS[settings["model"]].weights, settings["weights"]),
        snakemake.output.vocabulary,
    )
