"""A predictor that knows where its networks come from, and can be shared."""

import shutil
from dataclasses import dataclass, fields
from pathlib import Path
from tempfile import TemporaryDirectory

from pipelines import shared_folder as shared
from pipelines.definition.schema import ComponentConfig, MethodConfig, NetworksConfig
from pipelines.networks import without_weights
from pipelines.sharing import card, hub
from segda.artefacts.manifest import Manifest
from segda.errors import ArtefactError
from segda.evaluation.predict import Predictor


@dataclass(frozen=True, kw_only=True)
class LoadedPredictor(Predictor):
    """What `segda.load` returns.

    Attributes:
        row: the row of the run's evaluation, or the stage.
        folder: of the stage, or the one that `save_pretrained` wrote.
        manifest: of the stage: config, inputs, provenance.
    """

    row: str
    folder: Path
    manifest: Manifest

    @classmethod
    def of(cls, predictor: Predictor, row: str, folder: Path, manifest: Manifest) -> "LoadedPredictor":
        """A stage's predictor with its origin."""
        own = {field.name: getattr(predictor, field.name) for field in fields(Predictor)}
        return cls(**own, row=row, folder=folder, manifest=manifest)

    def save_pretrained(self, folder: str | Path, *, license: str = "unknown", name: str | None = None) -> Path:  # noqa: A002
        """Write `model.safetensors`, `config.json` and a model card, which `segda.load` opens anywhere.

        Args:
            folder: where; made if it is missing.
            license: of the networks, as the Hub names it, such as `apache-2.0`.
            name: of the repository on the Hub for which the folder is meant, for the card.

        Raises:
            ArtefactError: the folder holds other files of these names, or cannot be written.
        """
        folder = Path(folder)
        if not shared.is_shared(self.folder):
            config = self._config()
            text = card.model_card(config, card.scores_of(self.folder), license_name=license, name=name)
            shared.write(self.networks, config, text, folder)
        elif folder.resolve() != self.folder.resolve():
            if folder.exists() and any(folder.iterdir()):
                raise ArtefactError(f"{folder}: is there already, and not empty; name another folder")
            shutil.copytree(self.folder, folder, dirs_exist_ok=True)
        return folder

    def push_to_hub(self, name: str, *, license: str = "unknown", private: bool = False) -> None:  # noqa: A002
        """Send what `save_pretrained` writes to the repository `owner/name` of the Hugging Face Hub.

        Raises:
            ConfigError: `name` is none.
            ArtefactError: it cannot be sent: no connection, or not logged in (`hf auth login`).
        """
        repository = hub.parse(f"{hub.PREFIX}{name.removeprefix(hub.PREFIX)}")
        with TemporaryDirectory() as temporary:
            folder = self.save_pretrained(Path(temporary, "network"), license=license, name=repository.name)
            hub.send(folder, f"{hub.PREFIX}{name.removeprefix(hub.PREFIX)}", private=private)

    def _config(self) -> shared.SharedConfig:
        config, space = self.manifest.config, self.label_space
        provenance, networks = self.manifest.provenance, without_weights(config["networks"])
        return shared.SharedConfig(
            run=str(provenance.get("run", "")), row=self.row, key=self.manifest.key,
            task=ComponentConfig(**config["task"]), classes=list(space.classes), palette=list(space.palette),
            networks=NetworksConfig(encoder=networks["encoder"], head=networks["head"]),
            method=MethodConfig.model_validate(config["method"]), resize=self.resize, bands=self.pictures.bands,
            values=self.pictures.values, domain=self.domain, rule=self.task.prediction_rule,
            normalisation=shared.normalisation(self.networks), data=shared.data_names(self.manifest),
            datasets=shared.datasets(self.folder),
            steps=config.get("steps"), seed=config.get("seed", 0),
            packages={name: str(version) for name, version in (provenance.get("packages") or {}).items()},
        )  # fmt: skip
