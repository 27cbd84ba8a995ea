"""What `optimizer`, `discriminator_optimizer` and `schedule` of a training stage take."""

from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat

from pipelines.definition.strict import StrictConfig

Decay = Annotated[float, Field(ge=0, lt=1)]
"""The share of a running mean that stays in each step."""


class OptimizerConfig(StrictConfig):
    """One player's optimizer.

    Attributes:
        encoder_factor: of the learning rate of (pretrained) encoders; 0.1 is a head ten times as fast.
        clip_gradient_norm: gradients are clipped to this norm, taken over all of the player's networks together.
        weight_decay_on: `weights` spares biases, normalisations and embeddings of positions.
        layer_decay: the rate of each layer of a plain transformer is this share of that of the next one.
    """

    name: Literal["adam", "adamw", "sgd"] = "adam"
    learning_rate: PositiveFloat = 2e-4
    betas: tuple[Decay, Decay] = (0.5, 0.999)
    momentum: Decay = 0.9
    weight_decay: NonNegativeFloat = 0.0
    encoder_factor: PositiveFloat = 1.0
    clip_gradient_norm: PositiveFloat | None = None
    weight_decay_on: Literal["all", "weights"] = "all"
    layer_decay: float = Field(default=1.0, gt=0, le=1)


class ScheduleConfig(StrictConfig):
    """The learning rate over the steps, as a factor of its first value.

    Attributes:
        name: `constant`; `poly`: `(1 - progress) ** power`; `cosine`: half a wave from 1 to 0; `linear_decay`: 1 until
            `decay_from`, then linearly to 0.
        warmup: steps over which the rate first rises linearly from 0.
        power: exponent of `poly`.
        decay_from: progress in `[0, 1)` at which `linear_decay` begins.
    """

    name: Literal["constant", "poly", "cosine", "linear_decay"] = "constant"
    warmup: NonNegativeInt = 0
    power: PositiveFloat = 0.9
    decay_from: float = Field(default=0.5, ge=0, lt=1)
