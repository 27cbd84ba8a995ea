"""Going back to the last good checkpoint, in a way that a restart repeats exactly.

The training goes on from the checkpoint with the batches that come next, so those that it met since are not met
again, and with half the learning rates for the rest: a training is a function of its seed and step, and would else come
to the same end. Chowdhery et al. 2022 (PaLM), section 5.1, pass over batches likewise; the rates are ours. What was
done stands in the log and in every later checkpoint.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from segda.engine import checkpoint
from segda.engine.session import Session
from segda.errors import TrainingError


class RollBack(NamedTuple):
    """One of them.

    Attributes:
        noticed: steps that had been made.
        to: steps of the checkpoint.
        because: the trouble.
    """

    noticed: int
    to: int
    because: str

    def to_json(self) -> dict[str, Any]:
        """For the log, the manifest and checkpoints."""
        return self._asdict()


def rate(done: Sequence[RollBack]) -> float:
    """What the learning rates are multiplied by."""
    return float(0.5 ** len(done))


def passed_over(done: Sequence[RollBack]) -> int:
    """How many steps' batches were met before a roll back and will not be met again."""
    return sum(back.noticed - back.to for back in done)


def drop(folder: Path, since: int, noticed: int, because: str, done: int, most: int, session: Session) -> None:
    """Remove the checkpoints of `since` and later ones, so that the newest is from before the trouble.

    Args:
        folder: of the checkpoints.
        since: the first step that shows the trouble.
        noticed: steps made.
        because: the trouble.
        done: roll backs so far.
        most: how many there may be.
        session: the processes; every one must call this.

    Raises:
        TrainingError: there were `most` roll backs already, or no earlier checkpoint is left.
    """
    if done >= most:
        raise TrainingError(
            f"step {noticed}: {because}; the training was rolled back {done} times already and stops here: lower the "
            "learning rate or mend the data, then run again with --force"
        )
    left = session.broadcast(checkpoint.drop_from(folder, since) if session.is_main else None)
    if not left:
        raise TrainingError(
            f"step {noticed}: {because}; there is no checkpoint from before step {since} to roll back to: lower the "
            "learning rate or mend the data, then run again with --force"
        )
