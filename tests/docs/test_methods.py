"""The guide's example is run as it stands: its method and term train on the embedded digits, its own test passes."""

import importlib
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

from pipelines.__main__ import main
from segda import lookup
from tests.structure.source import ROOT

GUIDE = (ROOT / "docs" / "methods.md").read_text(encoding="utf-8")
FILES = re.findall(r"```(?:yaml|python)\n# (\S+)\n(.*?)```", GUIDE, re.DOTALL)


@pytest.fixture
def user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The guide's files in the user's folder, and nothing of the plugin left behind."""
    for name, text in FILES:
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(lookup, "_allowed_plugins", set())
    for name in [name for name in sys.modules if name.split(".")[0] == "extra"]:
        monkeypatch.delitem(sys.modules, name)
    return tmp_path


def its_test(user: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("guide_test", user / "test_charbonnier_entropy.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_guide_holds_a_method_a_term_and_a_test() -> None:
    assert [name for name, _ in FILES] == [
        "configs/methods/dann_certain.yaml", "extra/charbonnier_entropy.py", "test_charbonnier_entropy.py"
    ]  # fmt: skip


def test_the_guides_own_test_passes_and_would_notice(user: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = its_test(user)
    module.test_values()
    module.test_the_gradient_is_that_of_the_equation()
    wrong = module.build
    monkeypatch.setattr(module, "build", lambda weight, power=2.0: wrong(weight=weight, power=power + 1))
    with pytest.raises(AssertionError):
        module.test_the_gradient_is_that_of_the_equation()


def test_the_method_trains_on_the_digits(user: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = re.findall(r"^segda (run digits --plugin .*)$", GUIDE, re.MULTILINE)[0].split()
    small = ["stages.digits.rendered_train=40", "stages.digits.rendered_test=10", "stages.digits.handwritten_test=20"]
    small += ["stages.feature.steps=3", "stages.feature.batch=8", "runtime.log_every=1", "runtime.cpu=true"]
    settings = [part for setting in small for part in ("--set", setting)]
    assert main([*command, *settings, "--only", "digits", "--only", "feature"]) == 0
    assert "extra.charbonnier_entropy" in capsys.readouterr().out
    logged = next((user / "runs").glob("align-*/log.jsonl")).read_text()
    assert "generator.extra.charbonnier_entropy" in logged


def test_the_changes_in_place_plan(user: Path) -> None:
    commands = re.findall(r"^segda (run digits --set .*)$", GUIDE, re.MULTILINE)
    assert len(commands) == 3
    for command in commands:
        parts = [part.strip('"') for part in re.findall(r'"[^"]*"|\S+', command) if part != "--plan"]
        assert main([*parts, "--plan"]) == 0
