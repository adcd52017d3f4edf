"""All stages. A new one is a module here, a rule file, and a section of the schema."""

from dtst_flow.stages import (
    cluster,
    detect,
    extract_classes,
    extract_faces,
    extract_frames,
    select,
)
from dtst_flow.stages.contract import Stage

STAGES: dict[str, Stage] = {
    stage.name: stage
    for stage in (
        extract_frames.STAGE,
        extract_faces.STAGE,
        detect.STAGE,
        extract_classes.STAGE,
        cluster.STAGE,
        select.STAGE,
    )
}
"""Section of the config -> stage, in the order of use."""
