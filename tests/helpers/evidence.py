"""What files say of whose they are, as runs leave it."""

FACE = {
    "image": "images/photo.jpg",
    "digest": "0" * 32,
    "box": [0.0, 0.0, 9.0, 9.0],
    "points": [[1.0, 1.0]] * 5,
    "size": [9, 9],
    "score": 0.9,
    "engine": "dlib",
    "model": "1" * 32,
}
"""The provenance of a crop, before it is signed."""

CLUSTERS = {
    "parameters": {"model": "dlib", "top": None, "min_cluster_size": 5},
    "clusters": [],
    "noise": [],
    "near_duplicates": [],
}
"""A clusters.json."""
