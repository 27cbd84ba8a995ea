"""The training loop: steps computed by hand, errors, and checkpoints written in the background."""

import copy
import errno
import itertools
import json
import os
import signal
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch

from segda.batch import Batch
from segda.engine import checkpoint, signals
from segda.engine.fit import Schedule, fit
from segda.engine.health import HealthPolicy
from segda.engine.profiler import Profiler
from segda.engine.recorder import Recorder
from segda.engine.resume import Checkpointer, resume, save
from segda.engine.session import Session
from segda.engine.state import TrainingState
from segda.errors import ArtefactError, TrainingError
from segda.objectives.forward_pass import ForwardPass
from segda.objectives.objective import Objective
from tests.equivalence import setting

RATE = 0.05
REPORT = HealthPolicy()


def training(name: str, **changes: Any) -> TrainingState:
    config = {**setting.method(name), **changes}
    built = setting.networks(config)
    objective = setting.objective_of(config, built)
    players = [
        [parameter for module in sorted(names) for parameter in built.modules[module].parameters()]
        for names in objective.players()
    ]
    optimizers = [torch.optim.SGD(parameters, lr=RATE) if parameters else None for parameters in players]
    for optimizer in optimizers:
        for group in optimizer.param_groups if optimizer else ():
            group["base_rate"] = RATE
    return TrainingState(objective, built.modules, built.modules, *optimizers)


def batches(numbers: Iterator[int]) -> Iterator[Batch]:
    for number in numbers:
        yield setting.batch(2, start=2 * number)


def run(
    trained: TrainingState,
    stream: Iterator[Batch],
    folder: Path,
    *,
    steps: int = 3,
    accumulate: int = 1,
    discriminator_steps: int = 1,
    factor: Callable[[int], float] = lambda step: 1.0 - step / 4,
    save_every: int = 2,
    log_every: int = 1,
    policy: HealthPolicy = REPORT,
    profile: bool = False,
    trackers: Sequence[str] = (),
) -> None:
    session = Session(cpu=True)
    schedule = Schedule(steps, accumulate, discriminator_steps, factor)
    recorder = Recorder(
        folder, "test", trained, session, steps=steps, log_every=log_every, policy=policy, trackers=trackers
    )
    checkpointer = Checkpointer(folder / "checkpoints", session, save_every=save_every, steps=steps)
    profiler = Profiler(folder, recorder.log.progress, trained.step, steps, session.device, enabled=profile)
    fit(trained, stream, session, schedule, recorder, checkpointer, profiler)


@pytest.mark.parametrize("name", setting.NAMES)
def test_three_steps_by_hand(name: str, tmp_path: Path) -> None:
    """Both players' gradients come from the same networks; then both are updated at the scheduled rate and progress."""
    trained = training(name)
    run(trained, batches(itertools.count()), tmp_path)
    by_hand = training(name)
    for number in range(3):
        gradients = setting.step(by_hand.objective, setting.batch(2, start=2 * number), progress=number / 3).gradients
        with torch.no_grad():
            for module_name, module in by_hand.modules.items():
                for key, parameter in module.named_parameters():
                    if not parameter.requires_grad:
                        continue
                    gradient = gradients[f"{module_name}/{key}"]
                    assert gradient is not None
                    parameter -= RATE * (1.0 - number / 4) * gradient
    for module_name, module in by_hand.modules.items():
        for key, parameter in module.named_parameters():
            actual = dict(trained.modules[module_name].named_parameters())[key]
            torch.testing.assert_close(actual, parameter, rtol=1e-7, atol=1e-10)


def test_each_player_is_clipped_by_itself_and_the_log_has_the_norm_before(tmp_path: Path) -> None:
    """Of two micro-batches' mean gradient; the discriminators, without a limit, move as ever."""
    free, clipped = training("cyclegan"), training("cyclegan")
    before = {name: copy.deepcopy(module.state_dict()) for name, module in free.modules.items()}
    assert clipped.generator is not None
    for group in clipped.generator.param_groups:
        group["clip_gradient_norm"] = 1e-3
    for trained, name in ((free, "free"), (clipped, "clipped")):
        run(trained, batches(itertools.count()), tmp_path / name, steps=1, accumulate=2)
    norms = [
        json.loads((tmp_path / name / "log.jsonl").read_text().splitlines()[0])["gradients"]
        for name in ("free", "clipped")
    ]
    assert norms[0] == norms[1]
    assert norms[0]["generator"] > 1e-3
    for name, module in clipped.modules.items():
        for key, value in module.state_dict().items():
            whole, start = free.modules[name].state_dict()[key], before[name][key]
            if name.startswith("discriminator"):
                assert torch.equal(value, whole)
            else:
                factor = 1e-3 / norms[0]["generator"]  # which the log has with three digits
                torch.testing.assert_close(value - start, (whole - start) * factor, rtol=1e-2, atol=1e-12)


@pytest.mark.promise("log-content")
def test_nothing_of_a_step_is_held_while_the_next_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trained = training("cyclegan")
    objective, made = trained.objective, list[weakref.ref[ForwardPass]]()

    def forward(batch: Batch, progress: float) -> ForwardPass:
        assert [each() for each in made] == [None] * len(made)
        begun = Objective.forward(objective, batch, progress)
        made.append(weakref.ref(begun))
        return begun

    monkeypatch.setattr(objective, "forward", forward)
    run(trained, batches(itertools.count()), tmp_path)
    assert len(made) == 3


def test_log_lines_name_losses_rates_and_measures(tmp_path: Path) -> None:
    run(training("cyclegan"), batches(itertools.count()), tmp_path)
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [1, 2, 3]
    assert {"generator.cycle", "discriminator.translation_adversarial"} <= set(lines[0]["losses"])
    assert [line["learning_rate"]["discriminator"] for line in lines] == pytest.approx([0.05, 0.0375, 0.025])
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["step-00000002"]


@pytest.mark.promise("data-wait")
def test_log_lines_say_how_long_data_was_waited_for(tmp_path: Path) -> None:
    def late() -> Iterator[Batch]:
        for number, batch in enumerate(batches(itertools.count())):
            if number == 1:
                time.sleep(0.3)
            yield batch

    run(training("source_only"), late(), tmp_path, log_every=1)
    shares = [json.loads(line)["waiting"] for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert all(0 <= share <= 1 for share in shares)
    assert shares[1] > 0.5 > shares[2], "each line has its own share"


def with_nan(step: int) -> Iterator[Batch]:
    for number, batch in enumerate(batches(itertools.count())):
        if number == step:
            batch.source.image[0, 0, 0, 0] = float("nan")
        yield batch


@pytest.mark.promise("non-finite-loss")
@pytest.mark.parametrize("log_every", [1, 3, 10])
def test_a_loss_that_is_not_finite_is_named(tmp_path: Path, log_every: int) -> None:
    """Names term, step and files, even if losses are checked only after the step that went wrong."""
    with pytest.raises(TrainingError) as caught:
        run(training("source_only"), with_nan(4), tmp_path, steps=9, save_every=3, log_every=log_every)
    message = str(caught.value)
    assert "step 4: the loss generator.classification became nan on s0, s1" in message
    assert "\n" not in message
    assert "learning rate" in message


@pytest.mark.promise("non-finite-checkpoint")
def test_no_checkpoint_is_written_with_what_is_not_finite(tmp_path: Path) -> None:
    with pytest.raises(TrainingError):
        run(training("source_only"), with_nan(4), tmp_path, steps=9, save_every=5, log_every=9)
    assert not (tmp_path / "checkpoints").exists()


@pytest.mark.promise("damaged-artefact")
def test_a_checkpoint_of_another_config_is_refused(tmp_path: Path) -> None:
    session = Session(cpu=True)

    def saved(state: TrainingState, step: int) -> None:
        state.step = step
        save(state, tmp_path, session)

    saved(training("cyclegan"), 2)
    with pytest.raises(ArtefactError, match="step 2"):
        resume(training("source_only"), tmp_path, session)
    saved(training("source_only"), 4)
    with pytest.raises(ArtefactError, match=r"step 4.*delete"):
        resume(training("cyclegan"), tmp_path, session)


def paused_disk(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """A disk that flushes the first checkpoint only once the event is set."""
    go, flush = threading.Event(), os.fsync

    def fsync(descriptor: int) -> None:
        if "checkpoints" in os.readlink(f"/proc/self/fd/{descriptor}"):
            assert go.wait(30), "the training waits for the disk"
        flush(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    return go


@pytest.mark.promise("background-checkpoint")
def test_training_does_not_wait_for_the_disk_and_saves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Steps 3 and 4 run while the checkpoint of step 2 is being written; it contains nothing of them."""
    run(training("cyclegan"), batches(itertools.count()), tmp_path / "waiting", save_every=2, steps=3)
    go, seen = paused_disk(monkeypatch), list[int]()

    def numbers() -> Iterator[int]:
        for number in itertools.count():
            seen.append(number)
            if number == 3:
                assert not (tmp_path / "background" / "checkpoints" / "step-00000002").exists()
                go.set()
            yield number

    run(training("cyclegan"), batches(numbers()), tmp_path / "background", save_every=2, steps=5)
    assert seen == [0, 1, 2, 3, 4]
    files = [
        {path.name: path.read_bytes() for path in (tmp_path / name / "checkpoints" / "step-00000002").iterdir()}
        for name in ("waiting", "background")
    ]
    assert files[0] == files[1]
    assert (tmp_path / "background" / "checkpoints" / "step-00000004").is_dir()


@pytest.mark.promise("background-errors")
@pytest.mark.parametrize(
    ("save_every", "steps"), [(2, 3), (2, 50), (30, 59)], ids=["at the end", "at the next one", "at a later step"]
)
def test_a_checkpoint_that_the_disk_refuses_ends_the_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, save_every: int, steps: int
) -> None:
    seen, flush = [], os.fsync

    def full(descriptor: int) -> None:
        if "checkpoints" in os.readlink(f"/proc/self/fd/{descriptor}"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        flush(descriptor)

    def numbers() -> Iterator[int]:
        for number in itertools.count():
            seen.append(number)
            yield number

    monkeypatch.setattr(os, "fsync", full)
    threads = threading.active_count()
    options: dict[str, Any] = {"save_every": save_every, "steps": steps, "log_every": 10, "factor": lambda step: 0.01}
    with pytest.raises(ArtefactError, match=rf"step-{save_every:08d}: the checkpoint could not be written \(No space"):
        run(training("source_only"), batches(numbers()), tmp_path, **options)
    assert save_every <= len(seen)
    assert len(seen) == 3 or len(seen) < min(steps, 50), "it stops soon"
    assert list((tmp_path / "checkpoints").iterdir()) == []
    assert threading.active_count() == threads


@pytest.mark.promise("background-errors")
def test_an_error_of_the_training_waits_for_the_checkpoint_in_hand(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="became nan"):
        run(training("source_only"), with_nan(2), tmp_path, save_every=2, log_every=1)
    assert checkpoint.load_newest(tmp_path / "checkpoints")[0] == 2
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["step-00000002"]


@pytest.mark.promise("no-generator-graph")
def test_updates_of_the_discriminators_alone_keep_no_graph_of_the_generators(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The result has the same bits as with the graph."""
    parameters = []
    for frozen in (True, False):
        trained = training("i2i")
        folder = tmp_path / str(frozen)
        folder.mkdir()
        if not frozen:
            monkeypatch.setattr(trained.objective, "generators_frozen", nullcontext)
        learning: list[bool] = []
        losses = trained.objective.discriminator_losses

        def watched(p: Any, losses: Any = losses, learning: list[bool] = learning) -> Any:
            learning.append(p.translated("source").requires_grad)
            return losses(p)

        monkeypatch.setattr(trained.objective, "discriminator_losses", watched)
        run(trained, batches(itertools.count()), folder, discriminator_steps=3, factor=lambda step: 0.01)
        assert learning == 3 * [not frozen, not frozen, True]
        assert all(p.requires_grad for module in trained.modules.values() for p in module.parameters())
        parameters.append([p.detach() for name in sorted(trained.modules) for p in trained.modules[name].parameters()])
    assert all(torch.equal(one, two) for one, two in zip(*parameters, strict=True))


def test_discriminators_ahead_take_the_batches_that_come_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two discriminator updates, each on its own two micro-batches, then a step of both players on the next two."""
    trained, seen = training("i2i"), list[tuple[str, int]]()

    def note(player: str) -> None:
        losses = getattr(trained.objective, f"{player}_losses")

        def noted(p: Any) -> Any:
            seen.append((player[0], int(p.batch.source.position[0])))
            return losses(p)

        monkeypatch.setattr(trained.objective, f"{player}_losses", noted)

    note("generator")
    note("discriminator")
    run(trained, batches(itertools.count()), tmp_path, steps=1, accumulate=2, discriminator_steps=2)
    assert seen == [("d", 0), ("d", 2), ("g", 4), ("d", 4), ("g", 6), ("d", 6)]


@pytest.mark.parametrize("log_every", [1, 9])
def test_a_signal_does_not_save_what_is_not_finite(tmp_path: Path, log_every: int) -> None:
    """Even between log lines, where losses are otherwise not checked."""

    def stopping() -> Iterator[Batch]:
        for number, batch in enumerate(with_nan(4)):
            if number == 4:
                os.kill(os.getpid(), signal.SIGTERM)
            yield batch

    with signals.handle_signals(), pytest.raises(TrainingError, match="step 4: the loss"):
        run(training("source_only"), stopping(), tmp_path, steps=9, save_every=9, log_every=log_every)
    assert not (tmp_path / "checkpoints").exists()
    assert "became nan" in (tmp_path / "log.jsonl").read_text().splitlines()[-1]


def test_what_a_signal_leaves_unlogged_is_in_the_next_line(tmp_path: Path) -> None:
    def losses(folder: Path) -> list[Any]:
        return [json.loads(line)["losses"] for line in (folder / "log.jsonl").read_text().splitlines()]

    def stopping() -> Iterator[Batch]:
        for number, batch in enumerate(batches(itertools.count())):
            if number == 1:
                os.kill(os.getpid(), signal.SIGTERM)
            yield batch

    (tmp_path / "whole").mkdir()
    run(training("cyclegan"), batches(itertools.count()), tmp_path / "whole", save_every=9, log_every=3)
    with signals.handle_signals(), pytest.raises(signals.StoppedError, match="test, step 2 of 3 is saved"):
        run(training("cyclegan"), stopping(), tmp_path, save_every=9, log_every=3)
    resumed = training("cyclegan")
    resume(resumed, tmp_path / "checkpoints", Session(cpu=True))
    assert (resumed.step, len(resumed.unlogged_losses)) == (2, 2)
    run(resumed, batches(itertools.count(2)), tmp_path, save_every=9, log_every=3)
    assert losses(tmp_path) == losses(tmp_path / "whole")


def test_the_last_step_needs_no_checkpoint(tmp_path: Path) -> None:
    checkpointer = Checkpointer(tmp_path, Session(cpu=True), save_every=2, steps=6)
    assert [step for step in range(1, 7) if checkpointer.is_due(step)] == [2, 4]


def test_a_checkpoint_of_version_0_1_is_resumed(tmp_path: Path) -> None:
    """It also stores the number of rollbacks and whether the rate was scheduled."""
    session, saved, resumed = Session(cpu=True), training("cyclegan"), training("cyclegan")
    run(saved, batches(itertools.count()), tmp_path, steps=2)
    save(saved, tmp_path / "new", session)
    tensors, plain = checkpoint.read(tmp_path / "new" / "step-00000002")
    checkpoint.save(tmp_path / "old", 2, tensors, {**plain, "roll_backs": [], "scheduled": True})
    resume(resumed, tmp_path / "old", session)
    assert resumed.step == 2
    for name, value in checkpoint.flatten(saved.modules).items():
        assert torch.equal(value, checkpoint.flatten(resumed.modules)[name]), name
