"""Rule vocabulary."""

from dtst_flow import detect, models
from dtst_flow.stages import detect as stage
from dtst_flow.stages.job import logged

settings = snakemake.config["detect"]
with logged(snakemake.log[0]):
    stage.learn(
        snakemake.params.classes,
        models.resolve(detect.MODELS[settings["model"]].weights, settings["weights"]),
        snakemake.output.vocabulary,
    )
