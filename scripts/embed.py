"""Rule embed."""

from dtst_flow.embed import embedders
from dtst_flow.models import store
from dtst_flow.runtime.job import logged
from dtst_flow.stages import embed as stage
from dtst_flow.utils import gpu

if __name__ == "__main__":  # worker processes import this file as well
    cluster = snakemake.config["cluster"]
    with logged(snakemake.log[0]):
        gpu.hold(snakemake.resources.gpu)
        stage.run(
            snakemake.input.manifest,
            snakemake.output.table,
            snakemake.output.array,
            snakemake.output.failed,
            stage.Options(**snakemake.params.options),
            store.resolve(embedders.registered(cluster), cluster["weights"]),
            snakemake.threads,
            fresh=not cluster["cache"],
        )
