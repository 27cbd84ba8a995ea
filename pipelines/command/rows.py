"""Which finished networks a run offers for scoring: the rows of its evaluation, or any stage that published a head."""

from collections.abc import Sequence
from pathlib import Path

from segda.artefacts import manifest as manifests
from segda.artefacts.manifest import Manifest
from segda.artefacts.store import Store
from segda.errors import ArtefactError
from segda.lookup import nearest


def rows_of(store: Store, run: str, wanted: Sequence[str] = ()) -> dict[str, tuple[Path, Manifest]]:
    """Row name to the folder and manifest of the stage whose networks it scores.

    Args:
        store: where results lie.
        run: the name of a run, its lock file, or the folder of one finished stage.
        wanted: rows of the run's evaluation or names of stages; all finished rows when empty.

    Raises:
        ArtefactError: no such run or row, or a stage is not finished.
    """
    if (Path(run) / manifests.FILE_NAME).is_file():
        manifest = manifests.verify(Path(run))
        if not _has_head(Path(run)):
            raise ArtefactError(
                f"{run}: a finished {manifest.kind!r} stage without a segmentation network; name a stage that trains "
                "a head, such as supervise or align"
            )
        if any(name != manifest.stage for name in wanted):
            raise ArtefactError(f"{run}: holds stage {manifest.stage!r} alone; leave out --stage, or name the run")
        return {manifest.stage: (Path(run), manifest)}
    store, run = store.locate(run)
    lock = store.read_lock(run)
    folders = {stage: store.root / entry["folder"] for stage, entry in lock["stages"].items() if entry["folder"]}
    choices = {stage: folder for stage, folder in folders.items() if _has_head(folder)}
    offered: dict[str, Path] = {}
    for stage in lock["config"]["stages"].values():
        if stage["kind"] == "evaluate":
            rows = {row: folders.get(reference["from"]) for row, reference in stage["rows"].items()}
            offered.update({row: folder for row, folder in rows.items() if folder and _has_head(folder)})
    offered = offered or choices
    # A stage may be named even if it is no row.
    choices = {**choices, **offered}
    for name in wanted:
        if name not in choices:
            raise ArtefactError(f"{run}: no finished row or stage {name!r}; {nearest(name, choices)}")
    chosen = {name: choices[name] for name in wanted} if wanted else offered
    if not chosen:
        raise ArtefactError(f"{run}: no finished stage with a segmentation network; run it first: segda run {run}")
    return {name: (folder, manifests.verify(folder)) for name, folder in chosen.items()}


def _has_head(folder: Path) -> bool:
    return (folder / manifests.FILE_NAME).is_file() and (folder / "networks" / "head.safetensors").is_file()
