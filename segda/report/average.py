"""The mean of evaluations of several parts, such as drives that were held out in turn; each counts the same."""

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

MEANS = ("scores", "iou", "class_accuracy", "subspaces", "categories", "boundary")
"""What of an evaluation's JSON is averaged, where all parts have it."""


def average(parts: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """One row's mean over parts, in the form of `Evaluation.to_json`, with the parts themselves below `parts`.

    A score of a class is the mean over the parts in which the class is present, so the mean IoU, the mean of the
    parts' own, need not be the mean over classes. Counts are added up.

    Args:
        parts: name of the part to an evaluation's JSON, all of one label space.
    """
    each = list(parts.values())
    content: dict[str, Any] = {
        key: _mean([evaluation[key] for evaluation in each]) for key in MEANS if all(key in one for one in each)
    }
    counts = [evaluation["confusion"]["counts"] for evaluation in each]
    confusion = {
        "classes": each[0]["confusion"]["classes"],
        "counts": [[sum(cells) for cells in zip(*rows, strict=True)] for rows in zip(*counts, strict=True)],
    }
    protocol = {key: _common(parts, key) for key in dict.fromkeys(key for one in each for key in one["protocol"])}
    return {
        **content,
        "absent": [name for name, score in content["iou"].items() if score is None],
        "protocol": {**protocol, "averaged_over": list(parts)},
        "confusion": confusion,
        "parts": dict(parts),
    }


def _mean(values: Sequence[Any]) -> Any:
    """The mean of numbers, `None` left out, or of each entry of mappings but counts; what is equal in all stays."""
    if isinstance(values[0], Mapping):
        return {key: _mean([value[key] for value in values]) for key in values[0] if key != "counts"}
    present = [value for value in values if value is not None]
    return values[0] if all(value == values[0] for value in values) else statistics.fmean(present)


def _common(parts: Mapping[str, Mapping[str, Any]], key: str) -> Any:
    """The value of a protocol's key, or each part's where they differ."""
    values = {name: evaluation["protocol"].get(key) for name, evaluation in parts.items()}
    first = next(iter(values.values()))
    return first if all(value == first for value in values.values()) else values
