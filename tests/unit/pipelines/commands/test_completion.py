"""Completion in a real bash, and the words that the shells ask for."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.__main__ import main
from pipelines.commands import completion
from segda.artefacts.store import Store
from segda.config.loading import names
from tests.structure import source

pytest.importorskip("shtab")

STAGES = {"first": {"kind": "align", "method": {"title": "DANN"}}, "rows": {"kind": "evaluate"}}

TYPED = """
source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
_segda
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a run, and with a pipeline and a damaged run of its own."""
    monkeypatch.chdir(tmp_path)
    entries = {
        name: {"kind": stage["kind"], "folder": None, "key": "", "state": "run"} for name, stage in STAGES.items()
    }
    Store(Path("runs")).write_lock("job", {"schema": 1, "run": "job", "stages": entries, "config": {"stages": STAGES}})
    Path("runs/broken.lock.json").write_text("{")
    Path("configs/pipelines").mkdir(parents=True)
    Path("configs/pipelines/own.yaml").touch()
    return tmp_path


def test_the_words_are_those_of_here_and_of_segda(folder: Path) -> None:
    assert {"own", "streets", "gta5_to_cityscapes"} <= set(completion.words("pipelines"))
    assert {"gta5", "cityscapes"} <= set(completion.words("data"))
    assert completion.words("runs") == ["broken", "job"]
    assert completion.words("stages") == ["first", "rows"]
    settings = completion.words("settings")
    assert "stages.first.method=dann" in settings
    assert len(settings) == len(names("methods"))


@pytest.mark.parametrize(("typed", "expected"), [
    ("ru", ["run"]),
    ("run ow", ["own"]),
    ("run own --pl", ["--plan", "--plugin"]),
    ("run own --mixed-precision b", ["bf16"]),
    ("run own --only fi", ["first"]),
    ("status jo", ["job"]),
    ("evaluate job --stage ro", ["rows"]),
    ("evaluate job --data gt", ["gta5"]),
    ("run own --set stages.first.method = dann", ["dann", "dann_tutorial"]),
    ("run own --set stages.first.method=dann_", ["stages.first.method=dann_tutorial"]),
    ("completion z", ["zsh"]),
    ("report job --runs ru", ["runs"]),
])  # fmt: skip
def test_bash_completes(typed: str, expected: list[str], folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bash = shutil.which("bash") or pytest.skip("bash, whose completion is tested here, is not on this machine's path")
    assert main(["completion", "bash"]) == 0
    Path("script").write_text(capsys.readouterr().out)
    command = Path("bin/segda")
    command.parent.mkdir()
    command.write_text(f'#!{bash}\nexec "{sys.executable}" -m pipelines "$@"\n')
    command.chmod(0o755)
    environment = {**os.environ, "PYTHONPATH": str(source.ROOT), "PATH": f"{folder / 'bin'}:{os.environ['PATH']}"}
    words = ["segda", *typed.split()]
    done = subprocess.run(
        [bash, "-c", TYPED, bash, "./script", *words], capture_output=True, text=True, env=environment
    )
    assert (done.stderr, sorted(done.stdout.split())) == ("", sorted(expected))


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_ask_for_the_same_words(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    script = capsys.readouterr().out
    for kind in completion.KINDS:
        assert f"{'_segda_words' if shell == 'zsh' else 'segda completion --words'} {kind}" in script
    program = shutil.which(shell)
    if program is not None:
        assert subprocess.run([program, "-n"], input=script, text=True).returncode == 0


def test_without_its_package_it_says_which(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setitem(sys.modules, "shtab", None)
    assert main(["completion", "bash"]) == 2
    assert capsys.readouterr().err == "error: completion needs shtab; run `pip install 'segda[completion]'`\n"
    assert main(["completion"]) == 2
    assert "expected the name of a shell, bash, zsh, fish" in capsys.readouterr().err
