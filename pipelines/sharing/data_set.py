"""Share an exported data set: its files and `dataset.json`, with a data set card, without what a run keeps beside."""

from pathlib import Path

from pipelines.sharing import hub
from pipelines.sharing.card import dataset_card
from segda.errors import ArtefactError, ConfigError
from segda.export import index
from segda.files import link_whole, write_whole

CARD = "README.md"


def share_dataset(folder: str | Path, to: str, *, license: str = "unknown", private: bool = False) -> None:  # noqa: A002
    """Copy a finished export to a folder, or send it to `hf-hub:datasets/owner/name`; its checksums are compared first.

    Args:
        folder: of the export's stage, or one to which it was copied.
        to: a folder that is missing or empty, or a repository of the Hugging Face Hub.
        license: of the images, as the Hub names it; the source data set's own holds as well.
        private: the repository, where it is made.

    Raises:
        ConfigError: `to` names a repository of networks, or none.
        ArtefactError: it is no finished export, or its files are not as it says; it cannot be copied or sent.
    """
    folder = Path(folder)
    repository = hub.parse(to) if hub.is_hub_name(to) else None
    if repository is not None and repository.kind != "dataset":
        raise ConfigError(f"{to}: a data set goes to {hub.PREFIX}{hub.DATASETS}{repository.name}")
    content, differences = index.check(folder)
    if differences:
        first = differences[0]
        raise ArtefactError(f"{folder / first.file}: {first.kind}; export the data set again before it is shared")
    card = dataset_card(content, license_name=license, name=repository and repository.name)
    names = [index.FILE_NAME, *content["files"]]
    if repository is not None:
        tops = {name.split("/")[0] + ("/*" if "/" in name else "") for name in names}
        hub.send(folder, to, private=private, only=sorted(tops), card=card)
        return
    place = Path(to)
    if place.exists() and (not place.is_dir() or any(place.iterdir())):
        raise ArtefactError(f"{to}: is there already, and not empty; name another folder")
    for name in names[1:]:
        link_whole(folder / name, place / name, hard_link=False)
    write_whole(place / CARD, card.encode())
    link_whole(folder / index.FILE_NAME, place / index.FILE_NAME, hard_link=False)  # last: it makes an export finished
