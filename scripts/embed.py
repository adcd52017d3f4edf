"""Rule embed."""

from dtst_flow import device, embed, models
from dtst_flow.stages import embed as stage
from dtst_flow.stages.job import logged

if __name__ == "__main__":  # worker processes import this file as well
    cluster = snakemake.config["cluster"]
    with logged(snakemake.log[0]):
        device.hold(snakemake.resources.gpu)
        stage.run(
            snakemake.input.manifest,
            snakemake.output.table,
            snakemake.output.array,
            snakemake.output.failed,
            stage.Options(**snakemake.params.options),
            models.resolve(embed.registered(cluster), cluster["weights"]),
            snakemake.threads,
            fresh=not cluster["cache"],
        )
