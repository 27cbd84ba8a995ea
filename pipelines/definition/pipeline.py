"""A validated pipeline: its stages, their configs and references."""

from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from pipelines.definition.schema import Reference, RuntimeConfig, StageConfig
from segda.config.lookup import nearest
from segda.errors import ConfigError


@dataclass(frozen=True)
class Stage:
    """One stage of a pipeline: its name, module, validated config, references, and weights files that do not exist."""

    name: str
    module: ModuleType
    config: StageConfig
    references: dict[str, Reference]
    missing: tuple[Path, ...] = ()

    @property
    def kind(self) -> str:
        """The stage's module name."""
        return self.config.kind


@dataclass(frozen=True)
class Pipeline:
    """A validated pipeline.

    Attributes:
        name: the file's stem, and `-seed<k>` for a seed other than 0; the run's name, too.
        raw: the resolved config as plain data, for people.
        runtime: settings of the launch itself, such as device and workers.
        stages: in an order in which each stage follows those it refers to.
        checked: whether all checks were made now; else some are known to have passed before.
    """

    name: str
    raw: dict[str, Any]
    runtime: RuntimeConfig
    stages: dict[str, Stage]
    checked: bool = True

    def stage(self, name: str) -> Stage:
        """The stage called `name`.

        Raises:
            ConfigError: there is none.
        """
        if name not in self.stages:
            raise ConfigError(f"no stage {name!r} in {self.name}; {nearest(name, self.stages)}")
        return self.stages[name]
