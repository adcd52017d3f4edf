"""Rule extract_faces."""

from dtst_flow import faces, models
from dtst_flow.stages import extract_faces
from dtst_flow.stages.job import logged

if __name__ == "__main__":  # worker processes import this file as well
    options = extract_faces.Options(**snakemake.params.options)
    with logged(snakemake.log[0]):
        extract_faces.run(
            snakemake.input.manifest,
            snakemake.output.table,
            snakemake.output.failed,
            snakemake.params.bucket,
            options,
            models.resolve(
                faces.MODELS[options.engine],
                snakemake.config["extract_faces"]["weights"],
            ),
            snakemake.threads,
        )
