"""Boxes of classes: what sidecars hold under ``classes``, and the crops cut by it.

``"classes": {"flower": [{"score": 0.92, "box": [x0, y0, x1, y1]}]}``, whoever wrote it:
a list of entries for every class, boxes in pixels of the upright image, x right and y
down, (0, 0) the outer corner of the top left pixel. An entry without a score has none;
other keys may stand beside.
"""
