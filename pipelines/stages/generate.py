"""Write the embedded `streets` data: a rendered set in GTA5's layout and a camera set in Cityscapes' layout."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import PositiveInt

from pipelines.definition.schema import Inputs, Size, StageConfig

if TYPE_CHECKING:
    from segda.engine.session import Session

VERSION = 1
OUTPUTS = ("rendered", "camera")
#: In keys, whatever the pipeline's task is: nothing that is written depends on it.
TASK = {"name": "segmentation", "labels": "cityscapes"}


class Config(StageConfig):
    """Numbers of scenes, and their `(height, width)` in pixels."""

    rendered: PositiveInt
    camera_train: PositiveInt
    camera_val: PositiveInt
    size: Size


def run(config: Config, inputs: Inputs, folder: Path, session: "Session") -> dict[str, Any]:
    """Write both sets; existing files are kept."""
    from segda.demo.streets.write import write
    from segda.engine import signals
    from segda.terminal.progress import ProgressLine

    scenes = config.rendered + config.camera_train + config.camera_val

    def progress(done: int) -> None:
        line.update(done)
        signals.raise_if_stopped(f"{done} scenes are written")

    if session.is_main:
        with ProgressLine(folder.name, 0, scenes, "images", folder=folder) as line:
            write(
                folder,
                rendered=config.rendered,
                camera_train=config.camera_train,
                camera_val=config.camera_val,
                size=config.size,
                seed=config.seed,
                progress=progress,
            )
    session.barrier()
    return {"scenes": scenes}
