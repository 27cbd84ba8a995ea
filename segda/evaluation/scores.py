"""The scores of networks on a data set: counts, the scores computed from them, and the protocol."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from segda.errors import ArtefactError
from segda.metrics.boundary import Boundary
from segda.metrics.mean_iou import Confusion


@dataclass(frozen=True)
class Evaluation:
    """The scores of networks on a data set, with all that is needed to compare them with others.

    Attributes:
        confusion: pixel counts over the whole set.
        images: number of images scored.
        protocol: how it was measured; the keys are listed in `evaluate`.
        boundary: counts along the borders of the classes, if scored.
    """

    confusion: Confusion
    images: int
    protocol: dict[str, Any]
    boundary: Boundary | None = None

    def to_json(self) -> dict[str, Any]:
        """Scores, as unrounded fractions with `None` in place of NaN, the protocol and the counts.

        `subspaces` and `categories` are there where the label space has them, `boundary` if it was scored.
        """
        confusion = self.confusion
        content: dict[str, Any] = {
            "scores": {
                "mean_iou": _number(confusion.mean_iou()),
                "pixel_accuracy": _number(confusion.pixel_accuracy()),
                "mean_accuracy": _number(confusion.mean_accuracy()),
                "frequency_weighted_iou": _number(confusion.frequency_weighted_iou()),
            },
            "iou": _numbers(confusion.classes, confusion.iou()),
            "class_accuracy": _numbers(confusion.classes, confusion.class_accuracy()),
            "absent": list(confusion.absent()),
        }
        if self.protocol.get("subspaces"):
            content["subspaces"] = {
                name: {"classes": len(classes), "mean_iou": _number(confusion.mean_iou(classes))}
                for name, classes in self.protocol["subspaces"].items()
            }
        if self.protocol.get("categories"):
            merged = confusion.merged(self.protocol["categories"])
            content["categories"] = {
                "mean_iou": _number(merged.mean_iou()), "iou": _numbers(merged.classes, merged.iou())
            }  # fmt: skip
        if self.boundary is not None:
            content["boundary"] = {
                "mean_iou": _number(self.boundary.mean_iou()),
                "iou": _numbers(self.boundary.classes, self.boundary.iou()),
                "counts": self.boundary.to_json(),
            }
        return {**content, "protocol": self.protocol, "confusion": confusion.to_json()}

    @staticmethod
    def from_json(content: Mapping[str, Any], name: str = "evaluation") -> "Evaluation":
        """The evaluation that `to_json` wrote; scores are taken from the counts again.

        Raises:
            ArtefactError: the confusion matrix or the protocol is missing or damaged.
        """
        try:
            protocol = dict(content["protocol"])
            along = content.get("boundary")
            return Evaluation(
                Confusion.from_json(content["confusion"], name),
                int(protocol["images"]),
                protocol,
                None if along is None else Boundary.from_json(along["counts"], name),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ArtefactError(f"{name}: not an evaluation, {error} is missing or wrong; evaluate again") from error


def _numbers(names: Iterable[str], values: np.ndarray) -> dict[str, float | None]:
    return {name: _number(value) for name, value in zip(names, values.tolist(), strict=True)}


def _number(value: float) -> float | None:
    """JSON has no NaN."""
    return None if np.isnan(value) else float(value)
