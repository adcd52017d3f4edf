"""Rule extract_classes."""

from dtst_flow.runtime.job import logged
from dtst_flow.stages import extract_classes

if __name__ == "__main__":  # worker processes import this file as well
    with logged(snakemake.log[0]):
        extract_classes.run(
            snakemake.input.manifest,
            snakemake.output.table,
            snakemake.output.failed,
            snakemake.params.bucket,
            extract_classes.Options(**snakemake.params.options),
            snakemake.threads,
        )
