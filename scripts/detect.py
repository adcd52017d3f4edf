"""Rule detect."""

from dtst_flow import detect, device, models
from dtst_flow.stages import detect as stage
from dtst_flow.stages.job import logged

if __name__ == "__main__":  # worker processes import this file as well
    settings = snakemake.config["detect"]
    with logged(snakemake.log[0]):
        device.hold(snakemake.resources.gpu)
        stage.run(
            snakemake.input.manifest,
            snakemake.input.get("vocabulary"),
            snakemake.output.table,
            snakemake.output.failed,
            stage.Options(**snakemake.params.options),
            None
            if settings["clear"]
            else models.resolve(
                detect.MODELS[settings["model"]].weights, settings["weights"]
            ),
            snakemake.threads,
        )
