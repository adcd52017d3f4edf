"""Rule vocabulary."""

from dtst_flow import detect, device, models
from dtst_flow.stages import detect as stage
from dtst_flow.stages.job import logged

settings = snakemake.config["detect"]
with logged(snakemake.log[0]):
    device.hold(0)  # a few texts are read faster than a GPU is had
    stage.learn(
        snakemake.params.classes,
        models.resolve(detect.MODELS[settings["model"]].weights, settings["weights"]),
        snakemake.output.vocabulary,
    )
