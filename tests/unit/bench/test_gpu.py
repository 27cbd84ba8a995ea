"""The GPU benchmark, dry on the CPU: what both sides compute, the settings, the time, the table."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from tests.pipelines import tiny
from tools.bench import gpu as bench
from tools.bench.gpu import LOOP, SEGDA, Row, Setting, Side, Work
from tools.bench.inputs import noise

FP32 = bench.SETTINGS[0]
MEASURED = {SEGDA: Side((2.0, 1.0, 4.0), 1.5), LOOP: Side((3.0, 3.0, 3.0), 1.25)}


@pytest.fixture
def works(tmp_path: Path) -> list[Work]:
    """Those of the benchmark on small networks and images."""
    job = str(tiny.write(tmp_path))
    translate, _, evaluate = bench.WORKS
    return [
        translate._replace(case=translate.case._replace(pipeline=job, stage="translate"), size=(32, 32), batch=2),
        evaluate._replace(case=evaluate.case._replace(pipeline=job, stage="source"), size=(64, 96)),
    ]


def states(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What is assembled from here on."""
    found: list[Any] = []
    stage_of = bench.stage_of

    def kept(*args: str) -> Any:
        memory, config = stage_of(*args)
        assembled = memory.assembled

        def assemble(config: Any) -> Any:
            torch.manual_seed(0)
            found.append(assembled(config))
            return found[-1]

        monkeypatch.setattr(memory, "assembled", assemble)
        return memory, config

    monkeypatch.setattr(bench, "stage_of", kept)
    return found


def test_the_dry_run_writes_the_table_into_the_page(works: list[Work], tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(bench.PAGE.read_text(encoding="utf-8"), encoding="utf-8")
    bench.run(page, works[:1], budget=120)
    text = page.read_text(encoding="utf-8")
    assert text.startswith("# Benchmarks on a GPU")
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("| ")]
    assert [row[1] for row in rows] == ["setting", *(setting.title for setting in bench.SETTINGS)]
    assert [rows[1][index] for index in (0, 3, 4, 6)] == ["translate 32x32, batch 2", "", "1", ""]
    assert float(rows[1][7]) > 0, rows[1]
    assert {cell for row in rows[2:] for cell in (row[2], row[5])} == {"not on this device"}


def test_both_sides_update_alike(works: list[Work], monkeypatch: pytest.MonkeyPatch) -> None:
    """With every setting that a CPU has; what the steps compute is compared in double precision in test_steps.py."""
    built = states(monkeypatch)
    setting = Setting("", "no", layout=torch.channels_last)
    batch = next(noise(2, (32, 32)))
    for side in (SEGDA, LOOP):
        bench.begin(works[0], setting, side, batch)()
    ours, theirs = (dict(state.modules["encoder.source"].named_parameters()) for state in built)
    for name, value in ours.items():
        assert value.grad is not None
        assert theirs[name].grad is not None
    kernels = [value for value in ours.values() if value.dim() == 4]
    assert all(value.is_contiguous(memory_format=torch.channels_last) for value in kernels)
    assert all(group["fused"] for optimizer in built[0].optimizers().values() for group in optimizer.param_groups)


def test_both_sides_predict_the_same(works: list[Work], monkeypatch: pytest.MonkeyPatch) -> None:
    built = states(monkeypatch)
    batch = next(noise(1, (64, 96)))
    ours, theirs = (bench.begin(works[1], FP32, side, batch)() for side in (SEGDA, LOOP))
    assert isinstance(ours, torch.Tensor)
    assert isinstance(theirs, torch.Tensor)
    assert ours.shape == (1, 64, 96)
    assert torch.equal(ours, theirs)
    assert ours.is_inference()
    assert not any(module.training for state in built for module in state.modules.values())


@pytest.mark.parametrize("position", [0, 1])
def test_the_loop_computes_in_half_precision(position: int, works: list[Work], monkeypatch: pytest.MonkeyPatch) -> None:
    built = states(monkeypatch)
    work, found = works[position], list[torch.dtype]()
    step = bench.begin(work, Setting("", "bf16"), LOOP, next(noise(work.batch, work.size)))
    for module in built[0].modules.values():
        for layer in module.modules():
            if isinstance(layer, nn.Conv2d):
                layer.register_forward_hook(lambda layer, given, output: found.append(output.dtype))
    step()
    assert set(found) == {torch.bfloat16}


def test_both_sides_are_compiled(works: list[Work], monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: list[tuple[set[str], set[str]]] = []
    monkeypatch.setattr(bench, "compile_networks", lambda modules, but: compiled.append((set(modules), set(but))))
    monkeypatch.setattr(bench, "differentiated_twice", lambda terms: {"discriminator.target"})
    for side in (SEGDA, LOOP):
        bench.begin(works[0], Setting("", "no", compiled=True), side, next(noise(2, (32, 32))))
    assert compiled[0] == compiled[1]
    assert compiled[0][1] == {"discriminator.target"} < compiled[0][0]


def test_a_side_that_fails_is_named_and_the_other_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = Counter[str]()

    def begin(work: Work, setting: Setting, side: str, batch: object) -> Any:
        if side == SEGDA:
            try:
                raise RuntimeError("no\nmemory")
            finally:
                raise ValueError("a recording was broken")
        return lambda: calls.update([side])

    monkeypatch.setattr(bench, "begin", begin)
    sides = bench.measure(bench.WORKS[0]._replace(size=(8, 8)), FP32, deadline=0).sides
    assert sides[SEGDA] == Side(failed="RuntimeError: no memory")
    assert len(sides[LOOP].milliseconds) == 1, "no time for a second turn"
    assert calls[LOOP] == bench.WARM_UP + bench.STEPS


def test_turns_end_before_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]

    def step() -> None:
        now[0] += 1

    monkeypatch.setattr(bench.time, "time", lambda: now[0])
    monkeypatch.setattr(bench, "begin", lambda *args: step)
    work = bench.WORKS[0]._replace(size=(8, 8))
    warm = 100 + 2 * bench.WARM_UP
    row = bench.measure(work, FP32, deadline=warm + 3 * 2 * bench.STEPS + bench.RESERVE)
    assert [len(side.milliseconds) for side in row.sides.values()] == [3, 3]
    row = bench.measure(work, FP32, deadline=1e9)
    assert [len(side.milliseconds) for side in row.sides.values()] == [bench.TURNS] * 2


def test_the_time_is_divided_among_the_rows_that_are_left(monkeypatch: pytest.MonkeyPatch) -> None:
    now, limits = [0.0], list[float]()

    def fresh(function: object, work: Work, setting: Setting, deadline: float, *, limit: float) -> Row:
        assert deadline == now[0] + limit
        limits.append(limit)
        if len(limits) == 2:
            now[0] += limit
            raise TimeoutError("not done after 30 s")
        now[0] += 10
        return Row(work, setting, MEASURED)

    monkeypatch.setattr(bench.time, "time", lambda: now[0])
    monkeypatch.setattr(bench, "in_fresh_process", fresh)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    rows = list(bench.rows(bench.WORKS, 600))
    assert len(rows) == 20
    assert limits[:3] == [30, 590 / 19, pytest.approx((590 - 590 / 19) / 18)]
    assert limits[-1] == pytest.approx(600 - 590 / 19 - 180), "the last gets what all others left"
    assert rows[1].sides == dict.fromkeys((SEGDA, LOOP), Side(failed="TimeoutError: not done after 30 s"))
    assert rows[2].sides == MEASURED


def test_a_line_by_hand() -> None:
    row = Row(bench.WORKS[1], bench.SETTINGS[1], MEASURED, "1980 MHz, 2619 MHz")
    assert bench.line(row, Side((5.0, 6.0, 70.0))) == (
        "| align 512x512, batch 4 | TF32 | 2 (1 to 4) | 1.5 | 3 | 3 (3 to 3) | 1.25 | 1.5 | 1980 MHz, 2619 MHz |\n"
    )
    row = row._replace(sides={SEGDA: Side(failed="Error: a|b"), LOOP: Side((1.0,))}, clocks="")
    assert bench.line(row, Side()) == "| align 512x512, batch 4 | TF32 | Error: a/b |  |  | 1 (1 to 1) |  |  |  |\n"


def test_the_works_are_shipped_stages() -> None:
    for work in bench.WORKS:
        memory, config = bench.stage_of(work.case.pipeline, work.case.stage)
        assert {"translate": "translate", "align": "align", "evaluate": "supervise"}[work.name] == config.kind
