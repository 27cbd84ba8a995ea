"""The Hugging Face Hub, by its own client: fetch a repository, or send a folder to one."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, NamedTuple

from segda.errors import ArtefactError, ConfigError, SegdaError, reason

PREFIX = "hf-hub:"
DATASETS = "datasets/"
Kind = Literal["model", "dataset"]


class HubName(NamedTuple):
    """A repository of the Hub: `owner/name`, its kind, and a branch, tag or commit."""

    name: str
    kind: Kind
    revision: str | None


def is_hub_name(text: str) -> bool:
    """Whether a text begins with `hf-hub:`."""
    return text.startswith(PREFIX)


def parse(text: str) -> HubName:
    """`hf-hub:owner/name`, `hf-hub:owner/name@revision`, or `hf-hub:datasets/owner/name` for a data set.

    >>> parse("hf-hub:owner/name@v1")
    HubName(name='owner/name', kind='model', revision='v1')

    Raises:
        ConfigError: it names no repository.
    """
    name, _, revision = text.removeprefix(PREFIX).partition("@")
    kind: Kind = "dataset" if name.startswith(DATASETS) else "model"
    name = name.removeprefix(DATASETS)
    if len(name.split("/")) != 2 or not all(name.split("/")):
        raise ConfigError(f"{text}: expected {PREFIX}owner/name, or {PREFIX}{DATASETS}owner/name for a data set")
    return HubName(name, kind, revision or None)


def fetch(text: str) -> Path:
    """The folder into which a repository was downloaded, or lay already; it is the Hub client's cache.

    Raises:
        ConfigError: `text` names no repository.
        ArtefactError: it cannot be fetched.
    """
    hub = parse(text)
    with _explained(text):
        from huggingface_hub import snapshot_download

        return Path(snapshot_download(hub.name, repo_type=hub.kind, revision=hub.revision))


def send(
    folder: Path, text: str, *, private: bool = False, only: Sequence[str] | None = None, card: str | None = None
) -> None:
    """Send a folder's files to a repository, which is made where it is missing.

    Args:
        folder: of the files; hidden ones are left out.
        text: names the repository, and a branch if it is not the main one.
        private: the repository, where it is made.
        only: shell patterns of the paths that are sent; `None` for all.
        card: the README.md, where the folder has none.

    Raises:
        ConfigError: `text` names no repository.
        ArtefactError: it cannot be sent.
    """
    hub = parse(text)
    with _explained(text):
        from huggingface_hub import HfApi

        api = HfApi()
        place: dict[str, Any] = {"repo_id": hub.name, "repo_type": hub.kind, "revision": hub.revision}
        api.create_repo(hub.name, repo_type=hub.kind, private=private, exist_ok=True)
        patterns = None if only is None else list(only)
        api.upload_folder(folder_path=folder, **place, allow_patterns=patterns, ignore_patterns=[".*"])
        if card is not None:
            api.upload_file(path_or_fileobj=card.encode(), path_in_repo="README.md", **place)


@contextmanager
def _explained(text: str) -> Iterator[None]:
    """Turn what the client raises, of a dozen classes of several packages, into one line."""
    try:
        yield
    except SegdaError:
        raise
    except Exception as error:
        raise ArtefactError(
            f"{text}: {type(error).__name__}: {reason(error)}; check the name, the connection and, for what is not "
            "public, `hf auth login`"
        ) from error
