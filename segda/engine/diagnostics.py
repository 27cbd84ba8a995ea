"""What is measured of a logged step besides its losses: gradient norms, and the shares of classes.

Nothing here changes a bit of the training: gradients are computed apart from those that the optimizers see, no running
statistic moves and nothing random is drawn. All processes must measure; they wait for one another in `as_log_parts`.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import get_total_norm
from torch.profiler import record_function

from segda.batch import DOMAINS, Domain
from segda.engine.session import Local, Session
from segda.engine.state import TrainingState
from segda.networks.networks import Networks
from segda.objectives.forward_pass import ForwardPass


class Diagnostics:
    """Measures a step while it is made.

    Attributes:
        active: whether the step is measured.
        values: what was measured: norms under `gradients.<player>` and `gradients.<player>.<term>`, and what
            `class_shares` returns.
    """

    def __init__(
        self, state: TrainingState, session: Session | Local, classes: int, labelled: Domain = "source"
    ) -> None:
        """Measure the first step, for others see `begin_step`; with 0 `classes`, their shares are not measured.

        `labelled` is the domain that the labelled samples are of: an oracle's are the target's.
        """
        players = dict(zip(("generator", "discriminator"), state.objective.players(), strict=True))
        self._layers = {name: last_layers(state.modules, player) for name, player in players.items()}
        self._session, self._classes, self._labelled = session, classes, labelled
        self.begin_step(active=True)

    def begin_step(self, active: bool) -> None:
        """Forget the last step; the next one is measured if `active`."""
        self.active, self.values = active, dict[str, Tensor]()

    def measure_terms(self, player: str, losses: Mapping[str, Tensor]) -> None:
        """The norm of each term's gradient, before the backward pass of the player's losses."""
        if self.active:
            with record_function("measuring and logging"):
                norms = term_norms(losses, self._layers[player], self._session.loss_scale())
                self.values |= {f"gradients.{player}.{name}": norm for name, norm in norms.items()}

    def measure_step(self, state: TrainingState, p: ForwardPass) -> None:
        """The players' whole gradients and the classes' shares, after all backward passes and before the optimizers."""
        if self.active:
            with record_function("measuring and logging"):
                for name, optimizer in state.optimizers().items():
                    self.values[f"gradients.{name}"] = player_norm(optimizer, self._session.loss_scale())
                self.values |= class_shares(state.objective.networks, p, self._classes, self._labelled)


def last_layers(modules: Mapping[str, nn.Module], player: Iterable[str]) -> list[nn.Parameter]:
    """The weights at which the terms of a player are compared: of the last layer of each encoder that it trains.

    All terms of a method meet there, and the gradient need not be followed further, so it costs a part of a backward
    pass. For a player without encoders it is the last layer of each of its networks.

    Source: Chen et al. 2018 (GradNorm), section 3, which compares tasks at the last shared layer.
    """
    names = sorted(player)
    encoders = [name for name in names if name.split(".")[0] == "encoder"]
    weights = []
    for name in encoders or names:
        weights += [p for p in modules[name].parameters() if p.requires_grad and p.dim() > 1][-1:]
    return weights


def term_norms(losses: Mapping[str, Tensor], weights: Sequence[nn.Parameter], scale: float) -> dict[str, Tensor]:
    """The norm of each term's gradient at some weights; 0 where a term does not reach them.

    Call it before the backward pass of the losses, which it leaves as it was. It fires no hook of a wrapped network,
    so gradients are not exchanged: with several processes it is the norm of this one's share.

    `losses` are weighted scalars by term; `scale` is that of fp16, whose small gradients would be lost without.
    """
    norms = {}
    for name, loss in losses.items():
        found: Sequence[Tensor | None] = ()
        if weights and loss.requires_grad:
            seed = torch.full_like(loss, scale)
            found = torch.autograd.grad(loss, weights, seed, retain_graph=True, allow_unused=True)
        given = [gradient.float() for gradient in found if gradient is not None]
        norms[name] = get_total_norm(given) / scale if given else loss.new_zeros(())
    return norms


def player_norm(optimizer: torch.optim.Optimizer, scale: float) -> Tensor:
    """The norm of all gradients that an optimizer is about to step on, of all processes and micro-batches together."""
    held = (parameter.grad for group in optimizer.param_groups for parameter in group["params"])
    return get_total_norm([gradient for gradient in held if gradient is not None]) / scale


@torch.no_grad()
def class_shares(networks: Networks, p: ForwardPass, classes: int, labelled: Domain = "source") -> dict[str, Tensor]:
    """The share of each class in what is predicted for a step's images, and in the labels.

    Predictions are those that the terms have computed; where they needed none, the head is asked in evaluation mode.
    Call it after all backward passes.

    Returns:
        `predicted.source` and `predicted.target` (without a head neither) and `labelled.source`, each `[K]`; of a
        labelled target alone, `predicted.target` and `labelled.target`.
    """
    shares: dict[str, Tensor] = {}
    if classes == 0:
        return shares
    label = p.batch.source.label
    if "head" in networks.modules:
        networks.train(False)  # no statistics move, no dropout draws
        for domain in DOMAINS:
            if domain == "source" or p.batch.target is not None:
                logits = p.logits(domain)
                if label is not None and label.dim() == 1:  # one class for the whole image
                    logits = logits.mean(dim=(-2, -1))
                name = labelled if domain == "source" else domain
                shares[f"predicted.{name}"] = _share(logits.argmax(dim=1), classes)
        networks.train()
    if label is not None:
        shares[f"labelled.{labelled}"] = _share(label, classes)
    return shares


def as_log_parts(values: Mapping[str, Tensor], classes: Sequence[str], session: Session) -> dict[str, Any]:
    """`Diagnostics.values` as parts of a log line, the mean over processes; every process must call this.

    Returns:
        `gradients`: a norm by name, `None` where it is not finite. `predicted`, `labelled`: by domain, the share of
        each class that is there.
    """
    if not values:
        return {}
    flat = torch.cat([value.detach().float().to(session.device).reshape(-1) for value in values.values()])
    found = (session.sum(flat) / session.world).split([value.numel() for value in values.values()])
    parts: dict[str, Any] = {}
    for name, numbers in zip(values, (part.tolist() for part in found), strict=True):
        part, _, below = name.partition(".")
        if part == "gradients":
            parts.setdefault(part, {})[below] = _short(numbers[0]) if math.isfinite(numbers[0]) else None
        else:
            present = zip(classes, numbers, strict=True)
            parts.setdefault(part, {})[below] = {title: _short(share) for title, share in present if share > 0}
    return parts


def _short(number: float) -> float:
    """Three digits tell a norm or a share; a log has many."""
    return float(f"{number:.3g}")


def _share(indices: Tensor, classes: int) -> Tensor:
    """Each class's share among indices of any shape; those of no class are not counted."""
    counts = torch.bincount(indices[indices < classes].reshape(-1), minlength=classes).float()
    return counts / counts.sum().clamp(min=1)
