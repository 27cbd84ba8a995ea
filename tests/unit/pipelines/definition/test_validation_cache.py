"""The cache of validated configs: only passed checks are cached, and the cache changes no result."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import segda
from pipelines.__main__ import main
from pipelines.definition import loading as pipelines
from pipelines.definition import pipeline, validation_cache
from pipelines.planning import plan as plans
from segda.artefacts.store import Store
from segda.config import lookup
from segda.errors import ConfigError
from tests.structure import source

REPOSITORY = Path(segda.__file__).parent.parent


@pytest.fixture
def cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the cache, still empty."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("SEGDA_CHECKED", str(folder))
    monkeypatch.setattr(lookup, "_allowed_plugins", set())
    monkeypatch.chdir(tmp_path)
    return folder


def remembered(folder: Path) -> list[str]:
    return sorted(os.listdir(folder)) if folder.is_dir() else []


def load(name: str = "moons", *settings: str) -> pipeline.Pipeline:
    return pipelines.load(name, settings, remembered=True)


def refused(*settings: str) -> tuple[str, str]:
    """The error of `moons` with some settings, with and without the cache."""
    messages = []
    for memory in (True, False):
        with pytest.raises(ConfigError) as error:
            pipelines.load("moons", settings, remembered=memory)
        messages.append(str(error.value))
    return messages[0], messages[1]


def test_a_config_that_passed_is_not_checked_again(cache_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert load().checked
    assert len(remembered(cache_folder)) == 1
    monkeypatch.setattr(pipelines, "check", lambda stages: pytest.fail("checked again"))
    assert not load().checked


@pytest.mark.promise("light-plan")
def test_keys_and_configs_are_equal_with_and_without(cache_folder: Path) -> None:
    first, again = load("streets"), load("streets")
    assert first.checked
    assert not again.checked
    assert list(first.stages) == list(again.stages)
    for name, stage in first.stages.items():
        assert stage.config == again.stages[name].config
        assert stage.references == again.stages[name].references
    planned = [
        [(p.stage, p.key, p.inputs) for p in plans.make_plan(each, Store(Path("runs")))] for each in (first, again)
    ]
    assert planned[0] == planned[1]
    assert all(key for _, key, _ in planned[0])


@pytest.mark.promise("checked-again")
@pytest.mark.parametrize(
    "wrong",
    [
        "stages.source.networks.encoder.widht=3",
        "stages.source.networks.encoder.name=nothing",
        "stages.source.method.terms.nothing={weight: 1}",
        "stages.source.networks.head.name=nothing",
        "stages.evaluate.boundary=true",
        "task.labels=nothing",
        "stages.source.steps=none",
    ],
)
def test_a_wrong_config_is_refused_after_a_right_one_was_remembered(cache_folder: Path, wrong: str) -> None:
    load()
    before = remembered(cache_folder)
    with_memory, without = refused(wrong)
    assert with_memory == without
    assert remembered(cache_folder) == before
    assert not load().checked


@pytest.mark.promise("checked-again")
def test_a_change_of_the_code_is_a_reason_to_check(
    cache_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = [tmp_path / "code" / name for name in ("segda/__init__.py", "segda/data/one.py", "pipelines/two.py")]
    for file in code:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("VERSION = 1\n")
    monkeypatch.setattr(segda, "__file__", str(code[0]))
    marks = [validation_cache.cache_key({"a": 1})]
    assert validation_cache.cache_key({"a": 1}) == marks[0]
    for file in code:
        file.write_text("VERSION = 10\n")
        marks.append(validation_cache.cache_key({"a": 1}))
        seen = file.stat()
        os.utime(file, ns=(seen.st_atime_ns, seen.st_mtime_ns + 1))
        marks.append(validation_cache.cache_key({"a": 1}))
    code[1].with_name("three.py").touch()
    marks.append(validation_cache.cache_key({"a": 1}))
    code[1].unlink()
    marks.append(validation_cache.cache_key({"a": 1}))
    assert len({None, *marks}) == len(marks) + 1


@pytest.mark.promise("checked-again")
def test_another_config_package_or_data_folder_is_a_reason_to_check(
    cache_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    marks = [
        validation_cache.cache_key({"a": 1}),
        validation_cache.cache_key({"a": 2}),
        validation_cache.cache_key({"a": 1.5}),
    ]
    monkeypatch.setattr(validation_cache, "installed_version", lambda package: "9" if package == "timm" else None)
    marks.append(validation_cache.cache_key({"a": 1}))
    monkeypatch.setenv("SEGDA_DATA", "/elsewhere")
    marks.append(validation_cache.cache_key({"a": 1}))
    assert len({None, *marks}) == len(marks) + 1


def test_with_a_plugin_nothing_is_remembered(cache_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    load()
    monkeypatch.setattr(lookup, "_allowed_plugins", {"toy"})
    assert load().checked
    assert load("moons", "seed=3").checked
    assert len(remembered(cache_folder)) == 1


def test_what_lacks_its_weights_is_not_remembered(cache_folder: Path) -> None:
    settings = "stages.source.networks.encoder={name: dilated_resnet, depth: 18, weights: nowhere.safetensors}"
    assert load("streets", settings).stages["source"].missing
    assert remembered(cache_folder) == []


@pytest.mark.promise("validation-cache")
def test_a_folder_that_cannot_be_written_is_done_without(cache_folder: Path) -> None:
    cache_folder.write_text("a file")
    assert load().checked
    assert load().checked
    assert cache_folder.read_text() == "a file"


@pytest.mark.promise("validation-cache")
def test_what_stands_in_a_file_is_not_read_and_a_folder_is_no_fact(cache_folder: Path) -> None:
    load()
    file = cache_folder / remembered(cache_folder)[0]
    assert file.stat().st_size == 0
    file.write_bytes(b"\x80\x04cos\nsystem\n")
    assert not load().checked
    file.unlink()
    file.mkdir()
    assert load().checked


def test_it_stays_small(cache_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(validation_cache, "MAX_FILES", 3)
    for seed in range(5):
        load("moons", f"seed={seed}")
        assert 1 <= len(remembered(cache_folder)) <= 3


def test_links_between_data_sets_are_looked_at_each_time(cache_folder: Path, tmp_path: Path) -> None:
    """Labels of a target must not be trained on, even through a link to its folder."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    job = tmp_path / "job.yaml"
    job.write_text(
        "base: streets\nstages:\n"
        f"  source: {{data: {{name: cityscapes, root: {tmp_path}/link}}}}\n"
        f"  feature: {{target: {{root: {tmp_path}/two}}}}\n"
    )
    (tmp_path / "link").symlink_to(tmp_path / "one")
    load(str(job))
    assert not load(str(job)).checked
    (tmp_path / "link").unlink()
    (tmp_path / "link").symlink_to(tmp_path / "two")
    with pytest.raises(ConfigError, match="is the target of stage 'feature'"):
        load(str(job))


@pytest.mark.promise("light-plan")
def test_a_plan_of_what_passed_loads_nothing_heavy(cache_folder: Path, tmp_path: Path) -> None:
    assert main(["run", "streets", "--plan"]) == 0
    code = f"""
import sys
from pipelines.__main__ import main
assert main(["run", "streets", "--plan"]) == 0
print(sorted(sys.modules.keys() & set({source.HEAVY!r})))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"


def test_before_work_all_is_checked_whatever_is_remembered(
    cache_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    load()

    def refuse(stages: object) -> None:
        raise ConfigError("checked in full")

    monkeypatch.setattr(pipelines, "check", refuse)
    assert main(["run", "moons", "--plan"]) == 0
    assert main(["run", "moons"]) == 2
    assert "checked in full" in capsys.readouterr().err
    assert not Path("runs").exists()
