"""The settings of stage extract_faces."""

from dataclasses import dataclass

from dtst_flow.runtime.verified_read import Reading


@dataclass(frozen=True)
class Options(Reading):
    """The settings of extract-faces that its results depend on.

    Attributes:
        engine: A key of `engines.MODELS`.
        search: mediapipe only: look for small and distant faces as well.
        max_size: The longest side of a crop in pixels, None for the natural size.
        max_faces: Keep the largest so many faces of an image, None for all.
        padding: Fill what is outside the image with its reflection, else with black.
        skip_partial: Drop faces whose crop reaches outside the image.
        min_size: Drop faces with fewer pixels between the eyes, None to keep all.
        min_score: Drop faces with a lower score.
        min_quality: Drop faces of a lower `quality.quality`.
        debug: Draw the faces into a copy of each image under .dtst/debug.
        keep_keys: The photo's keys that crops get, as `photo_keys.travelling` takes them.
    """

    engine: str = "mediapipe"
    search: bool = True
    max_size: int | None = None
    max_faces: int | None = None
    padding: bool = True
    skip_partial: bool = False
    min_size: float | None = None
    min_score: float | None = None
    min_quality: float | None = None
    debug: bool = False
    keep_keys: str | list[str] | None = None
