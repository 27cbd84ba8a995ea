"""A folder of shared networks without a run, and a Hub that is a folder."""

import shutil
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest

from pipelines import shared_folder
from pipelines.definition.schema import ComponentConfig, MethodConfig, NetworksConfig
from segda.networks.networks import Networks


def write(networks: Networks, configs: dict[str, dict[str, Any]], folder: Path) -> None:
    """Share networks over three classes."""
    config = shared_folder.SharedConfig(
        run="made", row="here", key="0" * 64,
        task=ComponentConfig(name="segmentation", labels={"name": "own", "classes": ["a", "b", "c"]}),
        classes=["a", "b", "c"], palette=[(1, 2, 3), (4, 5, 6), (7, 8, 9)],
        networks=NetworksConfig.model_validate(configs),
        method=MethodConfig(title="none", terms={"classification": {"weight": 1.0}}), resize=None, bands=None,
        values=None, domain="target", rule="argmax", normalisation=shared_folder.normalisation(networks), data={},
        datasets=[], steps=0, seed=0, packages={},
    )  # fmt: skip
    shared_folder.write(networks, config, "# Card\n", folder)


class Hub:
    """The Hub's client over a folder: repositories are `<kind>/<owner>/<name>` below it."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Stand in for the client."""
        self.root, self.private = root, {}  # type: ignore[var-annotated]
        monkeypatch.setattr(huggingface_hub, "HfApi", lambda: self)
        monkeypatch.setattr(huggingface_hub, "snapshot_download", self.snapshot_download)

    def create_repo(self, repo_id: str, *, repo_type: str, private: bool, exist_ok: bool) -> None:
        assert exist_ok
        (self.root / repo_type / repo_id).mkdir(parents=True, exist_ok=True)
        self.private[repo_id] = private

    def upload_folder(
        self, *, folder_path: Path, repo_id: str, repo_type: str, revision: str | None, **patterns: Any
    ) -> None:
        paths = [path for path in Path(folder_path).rglob("*") if path.is_file()]
        names = [path.relative_to(folder_path).as_posix() for path in paths]
        kept = huggingface_hub.utils.filter_repo_objects(names, **patterns)
        for name in kept:
            place = self.root / repo_type / repo_id / name
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(Path(folder_path) / name, place)

    def upload_file(
        self, *, path_or_fileobj: bytes, path_in_repo: str, repo_id: str, repo_type: str, revision: str | None
    ) -> None:
        (self.root / repo_type / repo_id / path_in_repo).write_bytes(path_or_fileobj)

    def snapshot_download(self, repo_id: str, *, repo_type: str, revision: str | None) -> str:
        folder = self.root / repo_type / repo_id
        if not folder.is_dir():
            raise FileNotFoundError(f"404 Client Error: {repo_id} not found")
        return str(folder)
