"""The text of the pipeline that `segda init` writes."""

import json
import re
import textwrap
from collections.abc import Mapping
from typing import Any, NamedTuple

LONGEST_SIDE = 512
CROP = 256
DIVISOR = 32
"""Sizes are multiples of this, the largest stride of the encoders."""

_PLAIN = re.compile(r"[A-Za-z][\w /.-]*\w|[A-Za-z]")
_WIDTH = 120
_SPACE = "\0"  # of text, where no line may break


class Domain(NamedTuple):
    """One of the two data sets: its entry in the pipeline, without size, and the size of most of its images."""

    entry: Mapping[str, Any]
    size: tuple[int, int]
    about: str


class Start(NamedTuple):
    """What the pipeline is written for.

    Attributes:
        name: of the pipeline.
        schema: path of the JSON schema, for editors.
        labels: the label space, or the YAML file of one.
        source: the labelled set.
        target: the unlabelled set.
        scored: the options by which the target's labels are read, `None` where it has none.
        encoder: one of smp's encoders, or `small`.
    """

    name: str
    schema: str
    labels: str
    source: Domain
    target: Domain
    scored: Mapping[str, Any] | None
    encoder: str


def text(start: Start) -> str:
    """The YAML, with comments."""
    sizes = [working_size(domain.size) for domain in (start.source, start.target)]
    crop = [min(CROP, *(size[axis] for size in sizes)) for axis in (0, 1)]
    source, target = (
        flow({**domain.entry, "resize": size}, 6)
        for domain, size in zip((start.source, start.target), sizes, strict=True)
    )
    scored = None if start.scored is None else flow({**start.scored, "resize": sizes[1]}, 6)
    rate, factor = ("0.001", ", encoder_factor: 0.3") if start.encoder != "small" else ("0.003", "")
    gentle = "0.0005" if start.encoder != "small" else "0.001"
    return "\n".join([
        f"# yaml-language-server: $schema={start.schema}",
        f"# {start.name}: from labelled images to other, unlabelled ones; written by segda init.",
        "#",
        f"# Source: {start.source.about}",
        f"# Target: {start.target.about}",
        "#",
        f"# Run:    segda run {start.name}.yaml --plan      what would run; nothing is run",
        f"#         segda run {start.name}.yaml             stopped or killed, the same command goes on",
        f"#         segda predict {start.name} PICTURES -o predictions --stage adapted",
        *_after(start),
        "#",
        "# The numbers are for a laptop, or a GPU of 4 GB. On a GPU of 11 GB or more change those marked (*): twice",
        "# the size and crop, batch 8, steps 20000 and 20000, ema 0.999, and a larger encoder, such as resnet50.",
        f"# The largest crops that fit: segda run {start.name}.yaml --plan --memory 11GB",
        f"title: {flow(start.name)}",
        f"task: {{name: segmentation, labels: {flow(start.labels)}}}",
        "seed: 0  # a run with another one is a run of its own: --seed 1",
        "runtime: {save_every: 100, log_every: 10}",
        "",
        "stages:",
        "  # Trained on the source alone: the baseline.",
        "  source:",
        "    kind: supervise",
        f"    data: &source  # (*) resize: height and width that training and prediction work at\n      {source}",
        "    method: source_only",
        "    networks: &networks",
        *_networks(start.encoder),
        "    steps: 800  # (*)",
        "    batch: 4  # (*)",
        f"    crop: {crop}  # (*) height and width, multiples of {DIVISOR}; no larger than both sizes",
        f"    optimizer: {{name: adamw, learning_rate: {rate}{factor}, betas: [0.9, 0.999], weight_decay: 0.0001}}",
        "    schedule: {name: poly, warmup: 20}",
        "    augment: &augment",
        "      flip: true  # false where left and right mean something",
        "      scale: [0.75, 1.5]",
        "      # strong changes, so that no class is known by the source's colours alone",
        "      photometry:",
        "        {brightness: 0.4, contrast: 0.4, saturation: 0.5, hue: 0.1, grey: 0.2, blur: 1.0, probability: 0.8}",
        "    sampling: &sampling {rare_classes: {temperature: 0.2}}  # more crops with rare classes",
        "",
        "  # Goes on from there with the target's images: it learns the predictions of its own moving average.",
        "  # Other methods: segda list methods",
        "  adapted:",
        "    kind: align",
        "    source: *source",
        f"    target: &target\n      {target}",
        "    init: {from: source}",
        "    method: self_training",
        "    networks: *networks",
        "    steps: 800  # (*)",
        "    batch: 4  # (*)",
        f"    crop: {crop}  # (*)",
        f"    optimizer: {{name: adamw, learning_rate: {gentle}{factor}, betas: [0.9, 0.999], weight_decay: 0.0001}}",
        "    schedule: {name: poly, warmup: 20}",
        "    augment: {<<: *augment, photometry_of: source}  # the teacher sees the target's images as they are",
        "    sampling: *sampling",
        "    ema: 0.99  # (*) of the moving average; 0.999 for long trainings",
        *_scoring(scored),
        "",
    ])  # fmt: skip


def working_size(size: tuple[int, int]) -> list[int]:
    """Height and width at which a laptop trains: in proportion, no side above `LONGEST_SIDE`."""
    factor = min(1.0, LONGEST_SIDE / max(size))
    return [max(DIVISOR, DIVISOR * round(side * factor / DIVISOR)) for side in size]


def _after(start: Start) -> list[str]:
    if start.scored is not None:
        return [
            f"#         segda report {start.name}               the scores again, and the page with pictures",
            "#         The target's labels score the rows, and train nothing.",
        ]
    return [
        "#         Without labels of the target nothing can be scored: look at the predictions, or label a few images",
        f"#         and score them: segda evaluate {start.name} --data FILE.yaml",
    ]


def _networks(encoder: str) -> list[str]:
    if encoder == "small":
        return [
            "      encoder: {name: small, width: 24}  # (*) begins at random; a pretrained one of smp is better",
            "      head: {name: small, width: 32}",
        ]
    return [
        "      # (*) ImageNet's weights are downloaded once; offline: a FILE (after segda import FILE), or null",
        f"      encoder: {{name: smp, encoder: {flow(encoder)}, weights: imagenet}}",
        "      head: {name: smp, decoder: fpn}",
    ]


def _scoring(scored: str | None) -> list[str]:
    if scored is None:
        return []
    return [
        "",
        "  evaluate:",
        "    kind: evaluate",
        f"    data: &scored\n      {scored}",
        "    rows:",
        "      source only: {from: source}",
        "      adapted: {from: adapted}",
        "",
        "  report:",
        "    kind: report",
        "    evaluation: {from: evaluate}",
        "    source: *source",
        "    data: *scored",
        "    before: {from: source}",
        "    after: {from: adapted}",
    ]


def flow(value: Any, indent: int = 0) -> str:
    """A value as YAML in one line, or in lines of up to 120 columns where it stands `indent` columns to the right."""
    line = _flow(value)
    if indent:
        line = textwrap.fill(
            line, _WIDTH, initial_indent=" " * indent, subsequent_indent=" " * (indent + 1), break_long_words=False,
            break_on_hyphens=False,
        ).strip()  # fmt: skip
    return line.replace(_SPACE, " ")


def _flow(value: Any) -> str:
    if isinstance(value, Mapping):
        spaces = (" " if isinstance(each, Mapping | list | tuple) else _SPACE for each in value.values())
        parts = (f"{_flow(key)}:{space}{_flow(value[key])}" for key, space in zip(value, spaces, strict=True))
        return "{" + ", ".join(parts) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_flow, value)) + "]"
    if isinstance(value, str):
        plain = _PLAIN.fullmatch(value) and value.lower() not in ("true", "false", "null")
        return (value if plain else json.dumps(value, ensure_ascii=False)).replace(" ", _SPACE)
    return json.dumps(value)
