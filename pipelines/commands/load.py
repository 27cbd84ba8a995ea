"""Fetch shared networks or a data set from the Hugging Face Hub, and say what they are and where they lie."""

import argparse
from collections.abc import Sequence
from pathlib import Path

EXAMPLES = (
    "segda load hf-hub:me/night",
    "segda load network",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments to its parser."""
    parser.add_argument(
        "name", metavar="NAME", help="hf-hub:owner/name, hf-hub:datasets/owner/name, or a folder that was shared"
    )


def execute(args: argparse.Namespace, argv: Sequence[str]) -> int:
    """Fetch and describe."""
    from pipelines.sharing import hub
    from segda.export import index
    from segda.terminal.escape import escape

    folder = hub.fetch(args.name) if hub.is_hub_name(args.name) else Path(args.name)
    is_data = (folder / index.FILE_NAME).is_file()
    lines = _of_dataset(index.load(folder)) if is_data else _of_networks(folder, args.name)
    print(escape("\n".join([*lines, f"folder      {folder}"])))
    return 0


def _of_dataset(content: dict[str, object]) -> list[str]:
    keys = content.get("keys")
    return [
        f"data set    {len(keys) if isinstance(keys, list) else 'no'} images, layout {content.get('layout')}",
        f"labels      {content.get('space')}",
    ]


def _of_networks(folder: Path, name: str) -> list[str]:
    """What shared networks are, a line each.

    Raises:
        ArtefactError: the folder holds none.
    """
    from pipelines import shared_folder
    from segda.errors import ArtefactError

    if not shared_folder.is_shared(folder):
        raise ArtefactError(f"{name}: neither shared networks nor a data set; segda share RUN --to FOLDER writes them")
    config = shared_folder.read(folder)
    size = "each image's own" if config.resize is None else "{}x{} (height x width)".format(*config.resize)
    head = config.networks.head
    return [
        f"networks    {config.run}: {config.row}, trained by {config.method.title}",
        f"classes     {len(config.classes)}: {', '.join(config.classes)}",
        f"encoder     {config.networks.encoder.name}, head {head.name if head else 'none'}",
        f"input size  {size}",
        f"predict     segda predict {name} IMAGES -o predictions",
    ]
