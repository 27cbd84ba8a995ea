"""Write the adapted data set: every source image in the target's look, with its label.

`layout: segda` has images in `images/` and 8-bit PNG labels in `labels/`, which hold class indices of the label space,
255 where ignored. Where the label is one class for the whole image, `dataset.json` holds it and there is no `labels/`.
The other layouts are in `data/`, for other trainers. Each file is written under a temporary name and renamed, so a
killed export resumes; `dataset.json`, with every file's checksum, is written last.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.definition.schema import Inputs
from pipelines.stages.export.config import Config, check

if TYPE_CHECKING:
    from segda.engine.session import Session

__all__ = ["OPTIONAL", "OUTPUTS", "VERSION", "Config", "check", "run"]

VERSION = 3
OUTPUTS = ("images", "labels", "data", "agreement.json", "dataset.json")
#: Written or not by the layout, the kind of labels, and whether there is a judge.
OPTIONAL = ("images", "labels", "data", "agreement.json")


def run(config: Config, inputs: Inputs, folder: Path, session: "Session") -> dict[str, Any]:
    """Translate and write the whole set, each process its share."""
    from pipelines.stages.export import publishing
    from segda.artefacts.manifest import read_json
    from segda.export import agreement, index

    # A run killed between the last file of the export and the manifest has nothing left to write.
    if not session.on_main(lambda: index.is_whole(folder)):
        publishing.export(config, inputs, folder, session)
    session.barrier()

    def count() -> dict[str, Any]:
        agreement.remove(folder)
        content = index.load(folder)
        counted = {"images": len(content["keys"]), "dropped": len(content["dropped"])}
        if config.lost_pixels == "keep":
            return counted
        return {**counted, "ignored_pixels": read_json(folder / agreement.FILE_NAME)["ignored"]["pixels"]}

    return session.on_main(count)
