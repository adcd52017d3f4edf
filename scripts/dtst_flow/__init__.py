"""dtst-flow: from folders of photos to structured image datasets.

The rooms, highest first; each imports only rooms below it (``lint-imports`` holds that):

cli          flags in, one Snakemake run out
forecast     how much is left to compute, and what that takes
planning     what a config asks for, and what is stale: all that the Snakefile decides
report       what a run did in plain words, and a page about the clusters
stages       one module per stage: options, records, work, words
annotations  boxes in sidecars, who wrote them, the crops they ask for
runtime      around a job: run lock, log, worker pool, progress, failures
faces, detect, embed   models behind one interface each
cluster      embeddings in, groups out
models       where weights come from
dataset      the user's folder: scan, inventory, sidecars, which files are ours
cache        results by content: nothing is computed twice
imaging      decode, encode, perceptual hash
utils        files, locks, links, text, GPUs: know nothing of datasets
"""

import os

# Libraries that models run on report on their use unless told not to before they load.
# Every process of ours imports this package first; what the user set stays.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # ONNX Runtime
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")  # huggingface_hub, of open_clip

__version__ = "0.1.0"
