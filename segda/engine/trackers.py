"""What a training logs, sent to TensorBoard or Weights & Biases, too. No tracker changes a training or ends it."""

import os
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import torch
from torch import Tensor

from segda.batch import DOMAINS, Domain
from segda.engine.session import Session
from segda.errors import reason
from segda.files import write_whole
from segda.label_space import LabelSpace
from segda.objectives.forward_pass import ForwardPass

DRAWN = 4
"""Samples of each domain that are drawn."""

WAIT = {"init_timeout": 30, "finish_timeout": 60}
"""Seconds that wandb may take to begin and to end, where its server cannot be reached."""


class Trackers:
    """The trackers of one training: begun and ended by `with`, in the main process alone.

    One that fails is left out from then on, which is said once; the training and the other trackers go on.
    """

    def __init__(
        self, names: Sequence[str], folder: Path, start: int, config: Mapping[str, Any], session: Session,
        say: Callable[[str], None],
    ) -> None:  # fmt: skip
        """Nothing is begun yet.

        Args:
            names: of `tensorboard` and `wandb`.
            folder: the stage's, in which trackers keep their files.
            start: steps made before; what was tracked of later ones is made again.
            config: the stage's, as plain data.
            session: the processes.
            say: prints a line.
        """
        self._names, self._folder, self._start, self._config = names, folder, start, config
        self._session, self._say = session, say
        self._running: dict[str, Any] = {}

    def __enter__(self) -> "Trackers":
        for name in self._names if self._session.is_main else ():
            with self._surviving(name):
                self._running[name] = (self._tensorboard if name == "tensorboard" else self._wandb)()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for name, tracker in list(self._running.items()):
            with self._surviving(name):
                tracker.finish()

    def log(self, step: int, values: Mapping[str, Any]) -> None:
        """Track a line of the log: every number in `values`, named by its path, such as `losses/generator.cycle`."""
        numbers = dict(_numbers(values))
        for name, tracker in list(self._running.items()):
            with self._surviving(name):
                tracker.log(numbers, step=step)

    def draw(self, step: int, forward: ForwardPass, labelled: Domain) -> None:
        """Track pictures of what a step has computed; `labelled` is the domain of its labelled samples."""
        for name, tracker in list(self._running.items()):
            options = {"dataformats": "NHWC"} if name == "tensorboard" else {}
            with self._surviving(name):
                tracker.log_images(pictures(forward, labelled), step=step, **options)

    @contextmanager
    def _surviving(self, name: str) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # of another package, whatever it may be
            self._running.pop(name, None)
            self._say(f"tracker {name} is left out from here on ({reason(error)}); log.jsonl has every number")

    def _tensorboard(self) -> Any:
        """Events of steps that are made again are hidden by TensorBoard, and by its readers."""
        tracker = self._session.start_tracker(
            "tensorboard", "tensorboard", self._folder, purge_step=self._start + 1 if self._start else None
        )
        self._say(f"tracker tensorboard: tensorboard --logdir {self._folder.parent}")
        return tracker

    def _wandb(self) -> Any:
        """The same run of wandb as before the stage was stopped; it takes a step once, and drops those made again."""
        file = self._folder / "wandb" / "run-id"
        if not file.is_file():
            write_whole(file, secrets.token_hex(4).encode())
        tracker = self._session.start_tracker(
            "wandb", os.environ.get("WANDB_PROJECT", "segda"), dir=str(self._folder), name=self._folder.name,
            id=file.read_text(), resume="allow", config=dict(self._config), allow_val_change=True,
            settings={"console": "off", "silent": True, **WAIT},
        )  # fmt: skip
        run = tracker.tracker
        self._say(f"tracker wandb: {f'offline, wandb sync {Path(run.dir).parent}' if run.offline else run.url}")
        return tracker


def _numbers(values: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, float]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _numbers(value, f"{above}{name}/")
        elif value is not None:
            yield f"{above}{name}", float(value)


def pictures(forward: ForwardPass, labelled: Domain) -> dict[str, np.ndarray]:
    """Strips of some samples of each domain: the image, its label, and what the step's terms have made of it.

    Nothing is computed by networks. `labelled` is the domain of the labelled samples.

    Returns:
        uint8 RGB `[N, H, W, 3]` by name, which says what stands from left to right, such as
        `source/image-label-predicted`. A domain of which there is nothing but images is left out, and so are points.
    """
    strips = {}
    for domain, samples in zip(DOMAINS, forward.batch, strict=True):
        if samples is None or min(samples.image.shape[-2:]) == 1:
            continue
        columns = {"image": _photographs(samples.image)}
        if "label_map" in forward.task.offers:
            columns |= _maps(forward, domain, forward.task.space)
        for title in ("translated", "cycled", "reconstructed", "sampled"):
            made = forward.computed((title, domain))
            if made is not None and made.shape[-2:] == samples.image.shape[-2:]:
                columns[title] = _photographs(made)
        if len(columns) > 1:
            name = labelled if domain == "source" else domain
            strips[f"{name}/{'-'.join(columns)}"] = np.concatenate(list(columns.values()), axis=2)
    return strips


def _maps(forward: ForwardPass, domain: Domain, space: LabelSpace) -> dict[str, np.ndarray]:
    """Label and predicted classes in their colours, at the image's size."""
    samples, maps = forward.samples(domain), {}
    if samples.label is not None:
        maps["label"] = samples.label[:DRAWN]
    scales, logits = forward.computed(("scales", domain)), forward.computed(("logits", domain))
    if scales is not None or logits is not None:
        found = (logits if scales is None else scales[0])[:DRAWN].detach().float()
        size = tuple(samples.image.shape[-2:])
        maps["predicted"] = torch.nn.functional.interpolate(found, size, mode="bilinear").argmax(dim=1)
    return {title: space.colorize(indices.cpu().numpy()) for title, indices in maps.items()}


def _photographs(images: Tensor) -> np.ndarray:
    pixels = (images[:DRAWN].detach().float().clamp(-1, 1) + 1) * 127.5
    return pixels.round().byte().permute(0, 2, 3, 1).cpu().numpy()
