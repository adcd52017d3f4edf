"""The ``dtst`` command: flags in, one Snakemake run out.

Nothing here is imported by the workflow, and starting it imports neither Snakemake nor
a model library.
"""
