"""The parts of every stage's config: strict and frozen."""

from pathlib import Path
from typing import Any, Literal, Protocol

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    field_validator,
    model_validator,
)

from pipelines.definition.labels import DESCRIPTION
from pipelines.definition.optimizer import OptimizerConfig, ScheduleConfig
from pipelines.definition.sampling import SamplingConfig
from pipelines.definition.strict import StrictConfig
from segda.artefacts.manifest import Manifest
from segda.data import workers as cores
from segda.data.dataset import Dataset
from segda.data.unreadable import Skipped
from segda.engine.health import Limits, OnBadHealth
from segda.label_space import Labels

Size = tuple[PositiveInt, PositiveInt]
"""Height and width in pixels."""


class Reference(StrictConfig):
    """An output of an earlier stage of the same pipeline: `{from: stage, output: name}`."""

    stage: str = Field(alias="from")
    output: str | None = None

    def path(self, folder: Path) -> Path:
        """The output in the stage's folder, or the folder itself."""
        return folder / self.output if self.output else folder


class ComponentConfig(BaseModel):
    """A component chosen by name; all other keys bind to the signature of its module's `build`."""

    model_config = ConfigDict(extra="allow", frozen=True)
    name: str

    @property
    def options(self) -> dict[str, Any]:
        """The keys that bind to the signature of `build`."""
        return dict(self.__pydantic_extra__ or {})


class DataConfig(ComponentConfig):
    """A data set: reader, folder, split, and the size for training and prediction.

    Attributes:
        name: a reader of `segda/data/readers`.
        root: folder (relative to `SEGDA_DATA`), or the output of an earlier stage.
        split: which part of the set.
        resize: `(height, width)` that images and labels are resized to before cropping; `None` keeps each file's own.
            Scores are always taken at the labels' own size.
        on_bad_file: what is done with a file that cannot be read: `fail`, or `skip` it and report it.
    """

    root: str | Reference
    split: str = "train"
    resize: Size | None = None
    on_bad_file: Literal["fail", "skip"] = "fail"

    @property
    def options(self) -> dict[str, Any]:
        """The reader's options: without what a data set's YAML says of its label space, which is read by `labels`."""
        return {name: value for name, value in super().options.items() if name not in DESCRIPTION}


Sources = DataConfig | list[DataConfig]
"""A labelled data set, or several that are drawn from as one."""


class NetworksConfig(StrictConfig):
    """The networks that a stage may build; only those that the method's terms need are built."""

    encoder: ComponentConfig
    head: ComponentConfig | None = None
    decoder: ComponentConfig | None = None
    sampler: ComponentConfig | None = None
    rebuilder: ComponentConfig | None = None
    discriminators: dict[
        Literal["image", "feature", "logits", "conditional", "latent", "pair", "class_feature"], ComponentConfig
    ] = {}


class MethodConfig(StrictConfig):
    """A method is a table of weighted terms, or a transfer that needs no training.

    Attributes:
        title: the method's name in reports.
        source: where the method is published.
        tied: one encoder for both domains; `partly`: its first layers are each domain's own.
        frozen: networks that never learn, such as `encoder.source`; they are built, started from `init` and published.
        labels: `target` marks an oracle, the only method that may be trained on labels of the target domain.
        terms: term name to its weight and options.
        transfer: a component of `segda/transfer` that gives an image the look of another one, instead of terms.
    """

    title: str = ""
    source: str = ""
    tied: bool | Literal["partly"] = True
    frozen: list[str] = []
    labels: Literal["source", "target"] = "source"
    terms: dict[str, dict[str, Any]] = {}
    transfer: ComponentConfig | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> "MethodConfig":
        if bool(self.terms) == (self.transfer is not None):
            problem = "both are given" if self.terms else "neither is given"
            raise ValueError(f"{problem}; give `terms` for a method that trains, `transfer` for one that does not")
        return self


class AugmentConfig(StrictConfig):
    """Random changes to training images. Geometry moves the label along; photometry changes the image only.

    Attributes:
        flip: mirror half of the samples.
        scale: range of a random resize factor before the crop.
        rotate: largest angle of a random rotation, in degrees.
        shift: largest random shift in either direction, as a share of the side.
        fill: of pixels that padding, rotation and shift leave empty: mid-grey, or black for digits.
        photometry: options of `segda.data.augmentation.photometry.Photometry`; `None` for none.
        photometry_of: whose images it changes: of `both` domains, or of the `source` alone, so that a teacher labels
            target images as they are. What their student sees, the terms of self-training change themselves.
    """

    flip: bool = True
    scale: tuple[PositiveFloat, PositiveFloat] | None = None
    rotate: float = Field(default=0.0, ge=0, le=180)
    shift: float = Field(default=0.0, ge=0, lt=1)
    fill: Literal["grey", "black"] = "grey"
    photometry: dict[str, Any] | None = None
    photometry_of: Literal["both", "source"] = "both"

    @field_validator("scale")
    @classmethod
    def _ascending(cls, scale: tuple[float, float] | None) -> tuple[float, float] | None:
        if scale is not None and scale[0] > scale[1]:
            raise ValueError("the smaller factor first")
        return scale


class RuntimeConfig(StrictConfig):
    """How a stage is run. Nothing here changes what is computed, so nothing here enters a stage's key.

    The exception is `pack` where `TrainingConfig.scales_packs`.

    Attributes:
        workers: processes that load data, besides the training one; by default as many as there are processors left
            over, 1 to 8. An export decodes and encodes in so many threads.
        pack: read training batches from packs of the data sets, which are made first where they are not there.
        mixed_precision: `auto` is bf16 on a GPU that has it and fp32 everywhere else.
        save_every: steps between checkpoints.
        log_every: steps between lines of `log.jsonl`.
        trackers: training stages send what they log to these, too, with pictures at checkpoints.
        cpu: stay on the CPU although there is a GPU.
        deterministic: take no kernel that gives other bits each time; a launch's own, not a stage's.
        on_bad_health: `report` trouble in a training and go on, or `stop` it; a loss that is not finite always does.
        health: where trouble begins; see `segda.engine.health.Limits`.
        gather_statistics: with several processes, take the statistics of a batch (batch normalisation, CORAL, MMD)
            over the samples of all, as one process does, at the price of more exchange.
        compile: let `torch.compile` translate the networks of training stages; rounding is then another one.
        fit_memory: try each training stage's first steps, and raise its `accumulate` until they fit into memory.
        profile: each training stage says of a few of its steps where their time went.
        recompute: compute activations anew in the backward pass rather than keep them, which takes less memory and
            about a third more time; see `segda.engine.activation_checkpointing`.
    """

    workers: NonNegativeInt | None = None
    pack: bool = False
    mixed_precision: Literal["auto", "no", "fp16", "bf16"] = "auto"
    save_every: PositiveInt = 200
    log_every: PositiveInt = 10
    trackers: tuple[Literal["tensorboard", "wandb"], ...] = ()
    cpu: bool = False
    deterministic: bool = False
    on_bad_health: OnBadHealth = "report"
    health: Limits = Limits()
    gather_statistics: bool = False
    fit_memory: bool = False
    profile: bool = False
    recompute: bool = False
    compile: bool = False

    @field_validator("health", mode="before")
    @classmethod
    def _of_version_0_1(cls, health: Any) -> Any:
        """Manifests of version 0.1.0 name two limits otherwise, and have a third one."""
        if not isinstance(health, dict):
            return health
        renamed = {"too_sure": "saturated", "deluded": "collapsed"}
        return {renamed.get(name, name): value for name, value in health.items() if name != "roll_backs"}

    def loading(self, processes: int) -> int:
        """How many processes load data for each of a launch's `processes`."""
        return cores.loading(cores.here(processes)) if self.workers is None else self.workers


class StageConfig(StrictConfig):
    """What all stages have. `task`, `seed` and `runtime` come from the top of the pipeline."""

    kind: str
    task: ComponentConfig
    seed: NonNegativeInt = 0
    runtime: RuntimeConfig = RuntimeConfig()


class TrainingConfig(StageConfig):
    """What the training stages share.

    Attributes:
        method: the table of weighted terms.
        steps: updates of each player.
        batch: samples of each domain in one step, over all processes and micro-batches together.
        accumulate: micro-batches that one step is computed in, to save memory.
        discriminator_steps: updates of the discriminators for each of the other networks; Wasserstein critics take 5.
        crop: `(height, width)` of training crops; `None` trains on whole (resized) images.
        sampling: which source samples and crops are drawn.
        ema: decay of the exponential moving average of the networks; when set, the average is what is published.
        ema_warmup: the decay begins at `1 / (1 + ema_warmup)` and rises to `ema` over some ten times as many steps.
        average_with: earlier stages; what is published is the mean of what they published and what this stage would,
            all counting the same. All must have begun from one network: means of others are worth nothing.
    """

    method: MethodConfig
    networks: NetworksConfig
    steps: PositiveInt
    batch: PositiveInt = 1
    accumulate: PositiveInt = 1
    discriminator_steps: PositiveInt = 1
    crop: Size | None = None
    sampling: SamplingConfig = SamplingConfig()
    augment: AugmentConfig = AugmentConfig()
    optimizer: OptimizerConfig = OptimizerConfig()
    discriminator_optimizer: OptimizerConfig = OptimizerConfig()
    schedule: ScheduleConfig = ScheduleConfig()
    ema: float | None = Field(default=None, gt=0, lt=1)
    ema_warmup: NonNegativeFloat = 9.0
    average_with: list[Reference] = []

    @property
    def labelled(self) -> list[DataConfig]:
        """The labelled sets: `data` of a supervised stage, else `source`."""
        return [data for data, with_labels in data_fields(self).values() if with_labels]

    @model_validator(mode="after")
    def _sampling_fits(self) -> "TrainingConfig":
        weights, sets = self.sampling.weights, len(self.labelled)
        if not sets:
            raise ValueError("its list of labelled data sets is empty; name at least one")
        if weights is not None and len(weights) != sets:
            raise ValueError(f"sampling.weights has {len(weights)} entries, expected one for each of {sets} data sets")
        if self.sampling.largest_class is not None and self.crop is None:
            raise ValueError("sampling.largest_class chooses among crops; set `crop`, or leave it out")
        return self

    @property
    def scales_packs(self) -> bool:
        """Whether the stage scales at random what its packs hold resized.

        From files, images are resampled once, to `resize` times the factor: other pixels, so `pack` is in the key.
        """
        resized = any(data.resize is not None for data, _ in data_fields(self).values())
        return self.runtime.pack and not self.reads_pairs and self.augment.scale is not None and resized

    @property
    def reads_pairs(self) -> bool:
        """Whether the stage reads pairs, whose sizes are compared before anything is resized, and so no packs."""
        return False


class MatchConfig(StrictConfig):
    """Draw with each source crop a target crop that looks like it; see `segda.data.matched_crops`.

    Attributes:
        network: an earlier stage whose encoder describes the crops.
        neighbours: the target crop is one of so many nearest ones.
    """

    network: Reference
    neighbours: PositiveInt = 10


class AdaptingConfig(TrainingConfig):
    """What stages that learn from a labelled source and an unlabelled target share.

    Attributes:
        source: the labelled set: the source itself, or an exported adapted one; or several such sets.
        target: the unlabelled set; its labels are never opened.
        init: an earlier stage whose networks of equal name are started from.
        judge: an earlier stage whose encoder and head classify images without learning, for terms that need them.
        paired: sample i of the target is the counterpart of sample i of the source.
        match: draw crops of both domains that look alike; `None` draws them independently.
    """

    source: Sources
    target: DataConfig
    init: Reference | None = None
    judge: Reference | None = None
    paired: bool = False
    match: MatchConfig | None = None

    @property
    def reads_pairs(self) -> bool:
        """As `paired` says."""
        return self.paired

    @model_validator(mode="after")
    def _pairs_are_plain(self) -> "AdaptingConfig":
        if self.paired and (len(self.labelled) > 1 or self.sampling != SamplingConfig()):
            raise ValueError("paired: pairs are drawn from one source, each once an epoch; leave `sampling` out")
        return self

    @model_validator(mode="after")
    def _matches_are_drawn_by_match_alone(self) -> "AdaptingConfig":
        chosen = {
            "paired": self.paired,
            "sampling.rare_classes": self.sampling.rare_classes,
            "sampling.largest_class": self.sampling.largest_class,
            "augment.scale": self.augment.scale,
            "augment.rotate": self.augment.rotate,
            "augment.shift": self.augment.shift,
        }
        other = next((name for name, value in chosen.items() if value), None)
        if self.match is not None and other is not None:
            raise ValueError(f"match: chooses the crops of both domains by what they show; leave `{other}` out")
        return self


class Inputs(Protocol):
    """What a running stage knows besides its config."""

    def folder(self, reference: Reference) -> Path:
        """The finished folder (or the named output in it) that a reference points to."""

    def manifest(self, reference: Reference) -> Manifest:
        """The manifest of the stage that a reference points to."""

    def root(self, data: DataConfig) -> Path:
        """The folder of a data set's files."""

    def open(self, data: DataConfig, labels: Labels, with_labels: bool) -> Dataset:
        """A data set, whose labels are read in the label space `labels`, or not at all."""

    def skipped(self, field: str) -> list[Skipped]:
        """The unreadable files of the data set in a field of the config, where it has `on_bad_file: skip`."""


def data_fields(config: StageConfig) -> dict[str, tuple[DataConfig, bool]]:
    """The data sets that a stage opens, by path in the config, each with whether its labels are opened.

    A field called `target` is opened without labels: no adapting stage may read them.
    """
    found: dict[str, tuple[DataConfig, bool]] = {}
    for name in type(config).model_fields:
        value = getattr(config, name)
        several = {f"{name}.{index}": each for index, each in enumerate(value)} if isinstance(value, list) else {}
        for path, data in (several or {name: value}).items():
            if isinstance(data, DataConfig):
                found[path] = data, name != "target"
    return found
