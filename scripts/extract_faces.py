"""Rule extract_faces."""

from dtst_flow.faces import engines
from dtst_flow.models import store
from dtst_flow.runtime.job import logged
from dtst_flow.stages import extract_faces

if __name__ == "__main__":  # worker processes import this file as well
    options = extract_faces.Options(**snakemake.params.options)
    with logged(snakemake.log[0]):
        extract_faces.run(
            snakemake.input.manifest,
            snakemake.output.table,
            snakemake.output.failed,
            snakemake.params.bucket,
            options,
            store.resolve(
                engines.MODELS[options.engine],
                snakemake.config["extract_faces"]["weights"],
            ),
            snakemake.threads,
        )
