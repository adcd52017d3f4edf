"""dtst-flow: from folders of photos to structured image datasets.

The rooms, lowest first; a room never imports one above it:

files, images, sidecars      what lies on disk
inventory, records, ledger   which images there are, what is known of them, which files are ours
models                       where weights come from
faces, embed                 the models themselves, each kind behind one interface
cluster                      grouping embeddings and laying the groups out as folders
stages                       one module a rule: shard manifest in, shard table out
cli                          the ``dtst`` command
"""

__version__ = "0.1.0"
