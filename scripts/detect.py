"""Rule detect."""

from dtst_flow.detect import detectors
from dtst_flow.models import store
from dtst_flow.runtime.job import logged
from dtst_flow.stages import detect as stage
from dtst_flow.utils import gpu

if __name__ == "__main__":  # worker processes import this file as well
    settings = snakemake.config["detect"]
    with logged(snakemake.log[0]):
        gpu.hold(snakemake.resources.gpu)
        stage.run(
            snakemake.input.manifest,
            snakemake.input.get("vocabulary"),
            snakemake.output.table,
            snakemake.output.failed,
            stage.Options(**snakemake.params.options),
            None
            if settings["clear"]
            else store.resolve(
                detectors.MODELS[settings["model"]].weights, settings["weights"]
            ),
            snakemake.threads,
        )
