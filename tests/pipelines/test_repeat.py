"""Reproducing a result from its record: differences in bytes, packages, commit and threads are reported."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from pipelines.__main__ import main
from pipelines.planning.plan import StagePlan
from pipelines.running import reproduce
from segda.artefacts.store import Store
from tests.pipelines import tiny
from tests.pipelines.test_digits import run

Call = Callable[..., tuple[int, list[str]]]


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Call:
    """Run a command; its exit code and printed lines, errors last."""

    def invoke(*words: object) -> tuple[int, list[str]]:
        capsys.readouterr()
        code = main([str(word) for word in words])
        captured = capsys.readouterr()
        return code, (captured.out + captured.err).splitlines()

    return invoke


def repeated(finished: Path, runs: Path, call: Call, *words: object, path: Path | None = None) -> tuple[int, list[str]]:
    """Reproduce the stage `source` and the stages it depends on."""
    return call("run", "--from-manifest", path or tiny.folder(finished, "source"), "--runs", runs, *words)


@pytest.mark.promise("reproduce")
def test_a_stage_made_again_from_its_manifest_has_the_same_bytes(finished: Path, tmp_path: Path, call: Call) -> None:
    path = tiny.folder(finished, "source") / "manifest.json"
    code, lines = repeated(finished, tmp_path / "again", call, path=path)
    assert code == 0
    assert lines[-2:] == ["streets: equal, 30 files", "source: equal, 2 files"]
    assert not [line for line in lines if line.startswith("warning")]
    folders = sorted(folder.name for folder in (tmp_path / "again").iterdir() if folder.is_dir())
    assert folders == sorted(tiny.folder(finished, stage).name for stage in ("streets", "source"))
    for name in ("head", "encoder"):
        file = Path(tiny.folder(finished, "source").name, "networks", f"{name}.safetensors")
        assert (tmp_path / "again" / file).read_bytes() == (finished / file).read_bytes()


@pytest.mark.promise("reproduce-warns")
def test_what_is_not_as_it_was_is_a_warning(
    finished: Path, tmp_path: Path, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Packages, commit, threads and variables; with every stage finished, nothing runs again."""
    runs = tiny.without(finished, tmp_path / "runs")
    again = Path(shutil.copytree(runs, tmp_path / "again"))
    import importlib.metadata

    version = importlib.metadata.version
    monkeypatch.setattr(
        "pipelines.definition.validation_cache.version",
        lambda name: "0.0.1" if name == "safetensors" else version(name),
    )
    monkeypatch.setattr("pipelines.running.provenance._git", lambda: {"git": "f" * 40, "dirty": True})
    monkeypatch.setattr("torch.get_num_threads", lambda: 7)
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":16:8")
    for stage in ("streets", "source"):
        file = tiny.folder(runs, stage) / "manifest.json"
        content = json.loads(file.read_text())
        content.pop("checksum", None)
        content["provenance"] |= {"git": "e" * 40, "dirty": False, "device": "cuda:0"}
        content["provenance"]["environment"] = {"SEGDA_DATA": "a"}
        file.write_text(json.dumps(content))
    monkeypatch.delenv("SEGDA_DATA", raising=False)
    code, lines = repeated(runs, again, call)
    assert code == 0
    warnings = [line for line in lines if line.startswith("warning: ")]
    now = version("safetensors")
    assert f"warning: package safetensors: {now} when the result was made, 0.0.1 now" in warnings
    assert f"warning: git: {'e' * 40} when the result was made, {'f' * 40} now" in warnings
    assert "warning: dirty: False when the result was made, True now" in warnings
    assert "warning: threads: 1 when the result was made, 7 now" in warnings
    assert "warning: device: cuda:0 when the result was made, cpu now" in warnings
    assert "warning: variable CUBLAS_WORKSPACE_CONFIG: none when the result was made, :16:8 now" in warnings
    assert "warning: variable SEGDA_DATA: a when the result was made, none now" in warnings
    assert not [line for line in warnings if "package torch:" in line]


@pytest.mark.promise("reproduce")
def test_bytes_that_differ_are_said_and_counted(finished: Path, tmp_path: Path, call: Call) -> None:
    runs = tiny.without(finished, tmp_path / "runs")
    file = tiny.folder(runs, "source") / "manifest.json"
    content = json.loads(file.read_text())
    content.pop("checksum", None)
    content["outputs"]["networks/head.safetensors"]["sha256"] = "0" * 64
    file.write_text(json.dumps(content))
    again = Path(shutil.copytree(finished, tmp_path / "again"))
    code, lines = repeated(runs, again, call)
    assert code == 1
    assert lines[-2:] == ["streets: equal, 30 files", "source: differs: 1 of 2 files, networks/head.safetensors first"]


@pytest.mark.promise("reproduce")
def test_a_run_is_made_again_from_its_lock_file(finished: Path, tmp_path: Path, call: Call) -> None:
    """The trained stages are finished already; the report and the seconds of the evaluation may differ."""
    again = tiny.without(finished, tmp_path / "again", "evaluate", "report")
    code, lines = call("run", "--from-manifest", finished / "tiny.lock.json", "--runs", again)
    assert code == 0, lines
    compared = lines[-len(tiny.STAGES) :]
    assert [line.split(":")[0] for line in compared] == list(tiny.STAGES)
    assert all(line.split(": ")[1].startswith("equal, ") for line in compared)
    assert compared[-2].endswith("but for the time in evaluation.json")
    assert compared[-1].endswith("but for the time in report.html")
    scores = json.loads((tiny.folder(again, "evaluate") / "evaluation.json").read_text())
    scores["pixel"]["confusion"]["counts"][0][0] += 1
    recorded = reproduce.read(finished / "tiny.lock.json")
    folder = tiny.folder(again, "evaluate")
    (folder / "evaluation.json").write_text(json.dumps(scores))
    planned = StagePlan("evaluate", "evaluate", recorded.finished["evaluate"].key, "done", folder, "", {})
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest.pop("checksum", None)
    manifest["outputs"]["evaluation.json"]["sha256"] = "0" * 64
    (folder / "manifest.json").write_text(json.dumps(manifest))
    lines, same = reproduce.compare(recorded, [planned], {"evaluate": ("evaluation.json",)})
    assert (lines, same) == (["evaluate: differs: 1 of 3 files, evaluation.json first"], False)


def test_other_data_is_called_so(finished: Path) -> None:
    recorded = reproduce.read(tiny.folder(finished, "source"))
    (before,) = (manifest for name, manifest in recorded.finished.items() if name == "streets")
    inputs = {"data": {"dataset": "x", "fingerprint": "0" * 64}}
    from dataclasses import replace

    difference = reproduce._difference(replace(before, inputs=inputs), replace(before, key="f" * 64, inputs={
        "data": {"dataset": "x", "fingerprint": "12345678abc"}
    }), set())  # fmt: skip
    assert difference == "differs: data is another data set, fingerprint 12345678"
    other = replace(before, key="f" * 64)
    assert "differs: key ffffffff" in str(reproduce._difference(before, other, set()))


@pytest.mark.parametrize(("words", "reason"), [
    (["tiny.yaml"], "and not both"),
    (["--set", "seed=3"], "--set: --from-manifest makes a result again as it was"),
    (["--seed", "3"], "--seed"),
    (["--only", "source"], "--only"),
])  # fmt: skip
def test_what_would_change_the_result_is_refused(
    finished: Path, tmp_path: Path, call: Call, words: list[str], reason: str
) -> None:
    code, lines = repeated(finished, tmp_path / "again", call, *words)
    assert (code, len(lines)) == (2, 1)
    assert reason in lines[0]


def test_what_records_nothing_is_refused(finished: Path, tmp_path: Path, call: Call) -> None:
    (tmp_path / "manifest.json").write_text("[]")
    (tmp_path / "x.lock.json").write_text('{"stages": {}}')
    for path, reason in (
        (tmp_path / "gone", "no record of a result"),
        (tmp_path / "manifest.json", "holds no mapping"),
        (tmp_path / "x.lock.json", "x.lock.json: "),
        (finished / "tiny.lock.json", "is where the result lies"),
    ):
        code, lines = call("run", "--from-manifest", path, "--runs", finished)
        assert (code, len(lines)) == (2, 1), lines
        assert reason in lines[0]
    assert call("run")[0] == 2


def test_how_it_is_run_may_be_chosen(finished: Path) -> None:
    """No option of `runtime` is part of a key."""
    recorded = reproduce.read(tiny.folder(finished, "evaluate"))
    raw = reproduce.with_settings(recorded.raw, ["runtime.workers=2", "runtime.deterministic=true"])
    from pipelines.definition import loading
    from pipelines.planning import plan

    made = plan.make_plan(loading.build("again", raw), Store(finished))
    assert {planned.state for planned in made} == {"done"}
    assert {planned.stage for planned in made} == set(tiny.STAGES) - {"report"}
    assert raw["stages"]["source"]["runtime"]["workers"] == 2
    assert raw["stages"]["source"]["runtime"]["save_every"] == 2


MOONS = """
base: moons
runtime: {workers: 0, cpu: true}
stages: {source: {steps: 5}, dann: {steps: 5}, moons: {train: 40, test: 20}}
"""


@pytest.mark.promise("reproduce")
def test_classification_made_again_has_the_same_bytes(tmp_path: Path, call: Call) -> None:
    runs = run(MOONS, tmp_path)
    code, lines = call("run", "--from-manifest", runs / "tiny.lock.json", "--runs", tmp_path / "again")
    assert code == 0, lines
    stages = json.loads((runs / "tiny.lock.json").read_text())["stages"]
    assert sum(": equal, " in line for line in lines) == len(stages) > 2


def test_a_plan_of_a_record_writes_nothing(finished: Path, tmp_path: Path, call: Call) -> None:
    code, lines = repeated(finished, tmp_path / "again", call, "--plan")
    assert code == 0
    assert [line.split()[0] for line in lines if line.startswith(("streets", "source"))] == ["streets", "source"]
    assert not (tmp_path / "again").exists()
