"""Write the adapted data set: every source image in the target's look, with its label, complete or refused.

`layout: segda` is a data set of its own: images in `images/`, 8-bit PNG labels in `labels/` holding class indices of
the label space, 255 where ignored. Where the label is one class for the whole image, `dataset.json` holds it and there
is no `labels/`. The other layouts lie in `data/`, for other trainers. Each file is written under a temporary name and
renamed, so a killed export goes on where it stopped; `dataset.json`, with every file's checksum, is written last.
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
#: Which of them are written depends on the layout, the kind of labels, and whether there is a judge.
OPTIONAL = ("images", "labels", "data", "agreement.json")


def run(config: Config, inputs: Inputs, folder: Path, session: "Session") -> dict[str, Any]:
    """Translate and write the whole set, each process its share."""
    from pipelines.stages.export import publishing
    from segda.export import agreement, index

    # A death between the last file of an export and its manifest leaves nothing to do.
    if not session.on_main(lambda: index.is_whole(folder)):
        publishing.export(config, inputs, folder, session)
    session.barrier()

    def counted() -> dict[str, int]:
        agreement.remove(folder)
        content = index.load(folder)
        return {"images": len(content["keys"]), "dropped": len(content["dropped"])}

    return session.on_main(counted)
