"""Boxes of classes: what sidecars hold under ``classes``, and the crops cut from it.

``"classes": {"flower": [{"score": 0.92, "box": [x0, y0, x1, y1]}]}``, whoever wrote it:
a list of entries for every class. Boxes are in pixels of the upright image, x to the right
and y down, (0, 0) is the outer corner of the top left pixel. The score may be missing, and
an entry may have other keys.
"""
