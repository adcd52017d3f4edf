"""dtst-flow: from folders of photos to structured image datasets.

The rooms, lowest first; a room never imports one above it:

files, arrays, place, sidecars  what lies on disk
images, jpeg                   pixels, read and written
perceptual                     what an image coarsely looks like, in 64 bits
code, packs, records, ledger   what is known of images, which files are ours
stems, inventory               which images there are, and in which shards
paths                          which stages follow each other
models                         where weights come from
faces, embed, detect           the models themselves, each kind behind one interface
classes                        boxes in sidecars and the crops cut by them
cluster                        grouping embeddings, and what becomes of the groups
stages                         one module a rule: shard manifest in, shard table out
summary                        what a run did, in plain words
report                         a page to look at what was found
cli                            the ``dtst`` command
"""

__version__ = "0.1.0"
