"""The command line: fast help, one-line errors, exit codes, several processes."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

import segda
from pipelines.__main__ import main
from pipelines.command_line import COMMANDS, EXAMPLES, parser
from segda.config.loading import shipped

REPOSITORY = Path(segda.__file__).parent.parent


def call(
    *words: str, folder: Path | None = None, code: str = "", module: Sequence[str] = ("pipelines",)
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code] if code else [sys.executable, "-m", *module, *words]
    path = os.pathsep.join([str(REPOSITORY), str(folder or REPOSITORY)])
    environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    environment.pop("SEGDA_DATA", None)
    return subprocess.run(command, capture_output=True, text=True, cwd=folder or REPOSITORY, env=environment)


def test_help_loads_nothing_heavy() -> None:
    code = f"""
import sys
from pipelines.__main__ import main
for words in {[["--help"], ["--version"], *([name, "--help"] for name in COMMANDS)]!r}:
    try:
        main(words)
    except SystemExit as ended:
        assert not ended.code
print(sorted(sys.modules.keys() & {{"torch", "pydantic", "numpy", "cv2", "yaml", "rich", "accelerate"}}))
"""
    result = call(code=code)
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("name", COMMANDS)
def test_help_ends_with_examples_that_are_commands(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit):
        main([name, "--help"])
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    examples = lines[lines.index(EXAMPLES) + 1 :]
    assert 2 <= len(examples) <= 4
    for example in examples:
        program, command, *words = shlex.split(example.split(" > ")[0])
        assert (program, command) == ("segda", name)
        assert parser().parse_args([command, *words]).command == name


def test_help_lists_each_command_on_its_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit):
        main(["--help"])
    out = capsys.readouterr().out
    assert [name for name in COMMANDS if not re.search(rf"^    {name} +\S", out, re.MULTILINE)] == []


def test_help_is_quick() -> None:
    """In CPU time, which hardly depends on other load."""
    seconds = []
    for _ in range(3):
        before = os.times()
        call("--help")
        after = os.times()
        seconds.append(after.children_user + after.children_system - before.children_user - before.children_system)
    assert min(seconds) < 0.5


def test_a_bare_pipeline_name_means_run(toy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["job.yaml", "--plan"]) == 0
    bare = capsys.readouterr().out
    assert main(["run", "job.yaml", "--plan"]) == 0
    assert capsys.readouterr().out == bare
    assert "toy.write" in bare
    assert "The code itself is not part of a key" in bare


def test_run_status_and_skip(toy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["job.yaml"]) == 0
    assert "[1/3] first: run (no result for key" in capsys.readouterr().out
    assert main(["job.yaml"]) == 0
    assert "[3/3] total: done" in capsys.readouterr().out
    for words in (["status"], ["status", "job"], ["status", "runs"]):
        assert main(words) == 0
        title, *lines = capsys.readouterr().out.splitlines()
        assert title == "job"
        assert [line.split()[:2] for line in lines] == [["first", "done"], ["second", "done"], ["total", "done"]]


def test_status_without_a_lock_file_says_what_lies_there(toy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status"]) == 0
    assert capsys.readouterr().out == "no runs in runs; start one with: segda run NAME\n"
    main(["job.yaml"])
    Path("runs/job.lock.json").unlink()
    capsys.readouterr()
    assert main(["status"]) == 0
    lost, title, *rows = capsys.readouterr().out.splitlines()
    assert lost == "3 results in runs, but no run's lock file; the run writes it again: segda run NAME"
    assert title.startswith("in no run")
    assert sorted(row.split()[0] for row in rows) == ["first", "second", "total"]
    main(["job.yaml"])
    capsys.readouterr()
    assert main(["status"]) == 0
    assert capsys.readouterr().out.count("done in") == 3


def test_status_forgets_nothing(toy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A result of an earlier config, one that was replaced, a pack, and a run whose lock file is damaged."""
    main(["job.yaml", "--set", "stages.total.rows={one: {from: first}}"])
    main(["job.yaml"])
    main(["job.yaml", "--force", "total"])
    Path("runs/packs/folder-01234567").mkdir(parents=True)
    capsys.readouterr()
    assert main(["status"]) == 0
    out = capsys.readouterr().out
    run, others = out.split("in no run")
    assert [line.split()[0] for line in run.splitlines()] == ["job", "first", "second", "total"]
    rows = [line.split() for line in others.splitlines()[1:]]
    assert [(row[0], row[1]) for row in rows] == [("total", "done"), ("total", "replaced,"), ("pack", "done")]

    Path("runs/job.lock.json").write_text("{")
    assert main(["status"]) == 1
    out = capsys.readouterr().out
    assert "job: runs/job.lock.json: damaged" in out
    assert out.count("done in") == 5


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["stauts"], "no command or pipeline 'stauts'; did you mean 'status'?"),
        (["rnu"], "no command or pipeline 'rnu'; did you mean 'run'?"),
        (["run", "streets", "--sead", "1"], "segda run: unknown option '--sead'; did you mean '--seed'?"),
        (["stretes"], "no pipelines config called 'stretes'; did you mean 'streets'?"),
        (["run", "streets", "--onyl", "source"], "segda run: unknown option '--onyl'; did you mean '--only'?"),
        (["run", "streets", "--mixed_precision", "no"], "did you mean '--mixed-precision'?"),
        (["evaluate", "streets", "--dat", "gta5", "--spilt", "val"], "did you mean '--split'?"),
        (["evaluate", "streets", "--dta", "gta5"], "segda evaluate: unknown option '--dta'; did you mean '--data'?"),
        (["predict", "streets", "photos", "-out", "seen"], "unknown option '-out'; did you mean '--out'?"),
        (["--versoin"], "segda: unknown option '--versoin'; did you mean '--version'?"),
        (["check", "gta5", "--root", "gta"], "gta: no such folder, given in place of the root of 'gta5'"),
        (["train", "streets"], "no command 'train' (there are run, status, check, pack,"),
        (["run", "streets.yml"], "streets.yml: no such file; looked for streets.yml; did you mean 'streets'?"),
        (["run", "jobs/own"], "jobs/own: no pipelines config there; expected the path of a .yaml file"),
        (["run", "jobs/onw.yaml"], "looked for jobs/onw.yaml; did you mean 'jobs/own.yaml'?"),
        (["run", "jobs/own"], "did you mean 'jobs/own.yaml'?"),
        (["check", "runs/exprt-01234567"], "did you mean 'runs/export-01234567'?"),
        (["status", "runs/export-01234568"], "error: runs/export-01234568: no such run; runs in runs: none"),
        (["clean", "--all", "--runs", "ruins"], "ruins: no such folder; name the folder of results by --runs"),
        (["table", "moons.json"], "moons.json: no such file; correct the path, or write one"),
        (["status", "one", "two"], "segda status: unexpected 'two'"),
        (["run", "streets", "--processes", "two"], "argument --processes: invalid int value: 'two'"),
    ],
)
def test_a_near_miss_is_one_line(
    words: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("runs/export-01234567").mkdir(parents=True)
    Path("jobs").mkdir()
    Path("jobs/own.yaml").write_text("base: streets\n")
    assert main(words) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")
    assert message in line


def test_a_pipeline_may_be_called_nearly_like_a_command(toy: Path) -> None:
    Path("configs/pipelines").mkdir(parents=True)
    Path("configs/pipelines/packs.yaml").write_text(Path("job.yaml").read_text())
    assert main(["packs", "--plan"]) == 0


def test_a_run_that_is_nearly_named_is_suggested(toy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["job.yaml"])
    capsys.readouterr()
    for command in ("status", "report"):
        assert main([command, "jib"]) == 2
        assert "no such run; did you mean 'job'? runs in runs: job" in capsys.readouterr().err


@pytest.mark.promise("status-verify")
def test_status_sees_damage(toy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["job.yaml"])
    file = next(Path("runs").glob("toy.sum-*/sum.txt"))
    file.write_text("8")
    assert main(["status"]) == 0
    assert main(["status", "--verify"]) == 1
    assert "another content" in capsys.readouterr().out


@pytest.mark.promise("one-line-errors")
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nowhere"], "no pipelines config called 'nowhere'"),
        (["job.yaml", "--set", "stages.first.valeu=1"], "stages.first.valeu: unknown key; did you mean 'value'?"),
        (["job.yaml", "--set", "x"], "expected a.b=value"),
        (["job.yaml", "--only", "frist"], "did you mean 'first'?"),
        (["job.yaml", "--seed", "-1"], "seed: found -1"),
        (["job.yaml", "--processes", "0"], "--processes: 0; expected at least 1"),
        (["job.yaml", "--set", "stages.first.fail_on=0"], "told to fail on process 0"),
        (["job.yaml", "--runs", "job.yaml"], "job.yaml: cannot be made"),
        (["status", "nowhere"], "no such run"),
        (["check", "camvdi"], "did you mean 'camvid'?"),
        (["check", "camvid"], "set SEGDA_DATA"),
        (["check", "camvid", "--root", "gone"], "gone: no such folder"),
        (["evaluate", "nowhere", "--data", "camvid"], "no such run"),
        (["report", "nowhere"], "no such run"),
    ],
)
def test_an_error_is_one_line_and_exit_code_2(
    toy: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    assert main(words) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("error: ")
    assert message in lines[0]


@pytest.mark.promise("tracebacks")
def test_debug_shows_where(toy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["nowhere", "--debug"]) == 2
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.promise("tracebacks")
def test_an_error_in_the_code_keeps_its_traceback(toy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = (toy / "toy" / "sum.py").read_text().replace("def run(", "def run(missing_argument, ")
    (toy / "toy" / "sum.py").write_text(text)
    assert main(["job.yaml"]) == 1
    assert "TypeError" in capsys.readouterr().err


@pytest.mark.promise("interrupt")
def test_an_interrupt_is_one_line_and_130(
    toy: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*arguments: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("pipelines.commands.run.execute", interrupted)
    assert main(["job.yaml"]) == 130
    assert capsys.readouterr().err == "interrupted; the same command goes on from the last checkpoint\n"


@pytest.mark.promise("full-gpu")
def test_a_full_gpu_is_one_line_with_a_remedy(
    toy: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: object) -> int:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of …")

    monkeypatch.setattr("pipelines.commands.run.execute", full)
    assert main(["job.yaml"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: CUDA out of memory; raise the stage's `accumulate`")


@pytest.mark.promise("yaml-runs-no-code")
def test_a_yaml_alone_runs_no_foreign_code(toy: Path) -> None:
    result = call("job.yaml", folder=toy)
    assert result.returncode == 2
    assert result.stderr == (
        "error: stages.first.kind: 'toy.write' is code outside segda; allow it by name: --plugin toy\n"
    )


@pytest.mark.promise("exit-code-of-processes")
@pytest.mark.distributed
def test_two_processes_run_and_fail_as_one(toy: Path) -> None:
    # Like the console script, started with a path that begins with a folder whose own modules must not be imported.
    for name in ("segda/__init__.py", "pipelines/__init__.py", "yaml/__init__.py", "logging.py", "random.py"):
        (toy / name).parent.mkdir(exist_ok=True)
        (toy / name).write_text("raise ImportError('of the current folder')")

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        arguments = ["job.yaml", "--plugin", "toy", "--processes", "2", *words]
        code = f"import sys; sys.argv[1:] = {arguments}; from segda_command import main; main()"
        return call(code=code, folder=toy)

    result = run()
    assert result.returncode == 0, result.stderr
    processes, *lines = result.stdout.splitlines()
    assert processes.startswith("2 processes on ")
    assert [line.split(":")[0] for line in lines] == ["[1/3] first", "[2/3] second", "[3/3] total"]
    manifest = next((toy / "runs").glob("toy.write-*/manifest.json")).read_text()
    assert '"world_size": 2' in manifest

    failed = run("--set", "stages.first.fail_on=1")
    assert failed.returncode == 2
    assert failed.stderr == "error: told to fail on process 1\n"


def test_the_module_finds_its_own_packages(toy: Path) -> None:
    """`python -m` puts the current folder first: only a package called `pipelines` there could be in its way."""
    for name in ("segda/__init__.py", "yaml/__init__.py", "argparse.py", "logging.py"):
        (toy / name).parent.mkdir(exist_ok=True)
        (toy / name).write_text("raise ImportError('of the current folder')")
    (toy / "pipelines").mkdir()  # without an __init__.py it is no package
    result = call("job.yaml", "--plan", "--plugin", "toy", folder=toy)
    assert result.returncode == 0, result.stderr
    assert "toy.write" in result.stdout


def test_a_config_that_hides_a_shipped_one_is_named(toy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hiding = Path("configs/methods/self_training.yaml")
    hiding.parent.mkdir(parents=True)
    shutil.copy(shipped("methods") / hiding.name, hiding)
    Path("configs/data").mkdir()
    Path("configs/data/gta5.yaml").write_text("{name: gta5, root: elsewhere}")
    told = "used in place of what segda ships by that name; rename it if that is not meant"
    assert main(["streets", "--plan"]) == 0
    assert f"{hiding}: {told}\n" in capsys.readouterr().out
    assert main(["streets", "--set", "stages.feature.steps=-1"]) == 2  # the file may be why
    assert f"({hiding}: {told})" in capsys.readouterr().err
    assert main(["check", "gta5"]) == 2
    error = capsys.readouterr().err
    assert f"configs/data/gta5.yaml: {told}" in error
    Path("configs/data/gta5.yaml").rename("configs/data/gta5.yml")
    assert main(["check", "gta5"]) == 2
    assert f"configs/data/gta5.yml: {told}" in capsys.readouterr().err
    assert str(hiding) not in error
    assert main(["digits", "--plan"]) == 0  # it uses none of them
    assert told not in capsys.readouterr().out


def test_a_run_begins_with_the_configs_that_hide_shipped_ones(toy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("configs/pipelines").mkdir(parents=True)
    shutil.move("job.yaml", "configs/pipelines/streets.yaml")
    for _ in range(2):  # the second finds everything done
        assert main(["streets", "--plugin", "toy"]) == 0
        first, *others = capsys.readouterr().out.splitlines()
        assert first.startswith("configs/pipelines/streets.yaml: used in place of")
        assert any(line.startswith("[1/3] first: ") for line in others)


@pytest.mark.distributed
def test_the_entry_point_works_under_a_launcher(toy: Path) -> None:
    launcher = ["torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "pipelines"]
    result = call("job.yaml", "--plugin", "toy", folder=toy, module=launcher)
    assert result.returncode == 0, result.stderr
    assert result.stdout.count("[1/3] first: run") == 1
