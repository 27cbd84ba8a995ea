"""Learning-rate schedules: pure functions of the step, so that a restart has nothing to restore."""

import math


def factor(name: str, step: int, steps: int, *, warmup: int = 0, power: float = 0.9, decay_from: float = 0.5) -> float:
    """What the learning rate is multiplied by at `step`.

    Args:
        name: `constant`, `poly` (`(1 - step / steps) ** power`), `cosine` (`(1 + cos(pi * step / steps)) / 2`) or
            `linear_decay` (1 until the share `decay_from` of the steps, then linearly to 0, as CycleGAN's second
            hundred epochs).
        step: the step about to be made, from 0.
        steps: all steps of the stage.
        warmup: steps over which the factor first rises linearly; step `warmup - 1` is the first without damping.
        power: exponent of `poly`.
        decay_from: start of `linear_decay`, a share of the steps in `[0, 1)`.

    >>> [factor("linear_decay", step, 4) for step in range(4)]
    [1.0, 1.0, 1.0, 0.5]
    """
    progress = step / steps
    rise = min(1.0, (step + 1) / warmup) if warmup else 1.0
    if name == "poly":
        return rise * (1.0 - progress) ** power
    if name == "cosine":
        return rise * (1.0 + math.cos(math.pi * progress)) / 2.0
    if name == "linear_decay":
        return rise * min(1.0, (1.0 - progress) / (1.0 - decay_from))
    return rise
