"""The encoder's features of things stay close to those of its pretrained weights.

Equation: `mean over the positions ij of M of |f_s(x)_ij - f_0(x)_ij|_2`; `f` is the coarsest map, `f_0` the encoder
with its pretrained weights, frozen, in evaluation mode; `M` are the positions of whose pixels one of the classes has a
share of at least r.
Source: Hoyer et al. 2022 (DAFormer, 2111.14887), the feature distance of thing classes: r = 0.75, weight 0.005. Ours:
the mean is taken within each image first, so that it does not depend on how a batch is split; an image without such a
position counts 0.
**Gradients:** the source encoder; none to the pretrained one.

With a stride of 32 hardly a position of a small image passes 0.75: use a stride of 16, or a lower share. `f_0` is built
from the config of the encoder, whatever `init` the training starts from; checkpoints do not hold it.
"""

from dataclasses import dataclass

from torch import Tensor

from segda.config.lookup import nearest
from segda.errors import ConfigError
from segda.losses.feature_distance import cells_of, feature_distance
from segda.objectives.forward_pass import ForwardPass
from segda.objectives.term import Term


@dataclass(frozen=True)
class FeatureDistance(Term):
    """Distance of source features from those of the pretrained encoder.

    Attributes:
        classes: names of the classes where it is taken; empty for the `things` of the label space.
        share: of the pixels below a position that one of these classes must have.
    """

    classes: tuple[str, ...] = ()
    share: float = 0.75

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise ConfigError(f"terms.feature_distance.share: found {self.share}, expected a share above 0, at most 1")

    def needs(self) -> set[str]:
        """Encoder, the same with its pretrained weights, and labels for every pixel."""
        return {"encoder", "pretrained", "label_map"}

    def generator(self, p: ForwardPass) -> Tensor:
        """The mean over source images."""
        return feature_distance(p.z("source"), p.pretrained_z(), self._mask(p))

    def measures(self, p: ForwardPass) -> dict[str, Tensor]:
        """The share of positions where the distance is taken."""
        return {"positions": self._mask(p).float().mean()}

    def _mask(self, p: ForwardPass) -> Tensor:
        """Bool `[B, h, w]` at the size of z."""
        height, width = p.z("source").shape[-2:]
        size = (int(height), int(width))
        return p.once(("feature_distance", "mask"), lambda: cells_of(p.label(), self._indices(p), size, self.share))

    def _indices(self, p: ForwardPass) -> list[int]:
        space = p.task.space
        names = self.classes or space.things
        if not names:
            raise ConfigError(
                f"terms.feature_distance.classes: label space {space.name!r} says of no class that it has things; "
                f"list some of {', '.join(space.classes)}"
            )
        for name in names:
            if name not in space.classes:
                raise ConfigError(
                    f"terms.feature_distance.classes: {name!r} is no class of label space {space.name!r}; "
                    f"{nearest(name, space.classes)}"
                )
        return [space.classes.index(name) for name in names]


build = FeatureDistance
