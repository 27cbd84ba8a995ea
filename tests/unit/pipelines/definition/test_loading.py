"""Loading a pipeline: settings, defaults, references, and one-line errors."""

from pathlib import Path

import pytest

from pipelines.definition import loading as pipelines
from segda.errors import ConfigError

HEAD = "task: {name: segmentation, labels: cityscapes}\nstages:\n"


def test_stages_come_in_the_order_in_which_they_run(toy: Path) -> None:
    (toy / "job.yaml").write_text(
        HEAD + "  last: {kind: toy.write, init: {from: middle}}\n"
        "  middle: {kind: toy.write, init: {from: first}}\n  first: {kind: toy.write}\n"
    )
    assert list(pipelines.load("job.yaml").stages) == ["first", "middle", "last"]


def test_task_and_seed_reach_every_stage(toy: Path) -> None:
    loaded = pipelines.load("job.yaml", seed=3)
    assert {stage.config.seed for stage in loaded.stages.values()} == {3}
    assert loaded.stage("first").config.task.options == {"labels": "cityscapes"}
    assert loaded.name == "job-seed3"
    assert pipelines.load("job.yaml").name == "job"


def test_defaults_lie_below_the_stages_of_their_kind(toy: Path) -> None:
    text = HEAD + "  a: {kind: toy.write}\n  b: {kind: toy.write, value: 7}\ndefaults: {toy.write: {value: 5}}\n"
    (toy / "job.yaml").write_text(text)
    loaded = pipelines.load("job.yaml")
    assert [loaded.stage(name).config.value for name in "ab"] == [5, 7]
    assert "defaults" not in loaded.raw


def test_settings_reach_the_defaults_too(toy: Path) -> None:
    text = HEAD + "  a: {kind: supervise}\n  b: {kind: supervise, steps: 7}\ndefaults: {supervise: {steps: 5}}\n"
    (toy / "job.yaml").write_text(text)
    _, raw = pipelines.resolve("job.yaml", ["defaults.supervise.steps=3"])
    assert [raw["stages"][name]["steps"] for name in "ab"] == [3, 7]
    with pytest.raises(ConfigError, match=r"defaults\.kind: unknown kind 'supervize'; did you mean 'supervise'"):
        pipelines.resolve("job.yaml", ["defaults.supervize.steps=3"])


def test_runtime_of_the_top_lies_below_that_of_the_stages(toy: Path) -> None:
    loaded = pipelines.load("job.yaml", ["runtime.workers=4", "stages.first.runtime.workers=2"])
    assert loaded.runtime.workers == 4
    assert [stage.config.runtime.workers for stage in loaded.stages.values()] == [2, 4, 4]
    assert all(stage.config.runtime.cpu for stage in loaded.stages.values())


def test_settings_come_last(toy: Path) -> None:
    loaded = pipelines.load("job.yaml", ["stages.second.value=8", "stages.total=null", "stages.second.value=9"])
    assert loaded.stage("second").config.value == 9
    assert list(loaded.stages) == ["first", "second"]


def test_a_setting_may_reach_into_a_named_data_set(toy: Path) -> None:
    loaded = pipelines.load("job.yaml", ["stages.first.source=camvid", "stages.first.source.split=val"])
    source = loaded.stage("first").config.source
    assert (source.name, source.split, source.root) == ("camvid", "val", "driving/camvid")


def test_a_base_pipeline_can_be_varied(toy: Path) -> None:
    (toy / "other.yaml").write_text("base: job\nstages: {total: null, second: {value: 4}}\n")
    loaded = pipelines.load("other.yaml")
    assert loaded.name == "other"
    assert loaded.stage("second").config.value == 4
    assert list(loaded.stages) == ["first", "second"]


WRONG = [
    ("stages.second.valeu=1", "stages.second.valeu: unknown key; did you mean 'value'?"),
    ("stages.second.value=x", "stages.second.value: found 'x'; expected a whole number"),
    ("stages.secnod.value=1", "--set stages.secnod.value: no stage 'secnod'; did you mean 'second'?"),
    ("stges.second.value=1", "unknown key 'stges'; did you mean 'stages'?"),
    ("stages.second.kind=toy.wriet", "stages.second.kind: no module 'toy.wriet'"),
    ("stages.second.kind=suprvise", "stages.second.kind: unknown kind 'suprvise'; did you mean 'supervise'?"),
    ("stages.second.kind=pipeline", "stages.second.kind: unknown kind 'pipeline'"),
    ("stages.second.kind=toy.helper", "stages.second.kind: 'toy.helper' is no kind of stage, it has no VERSION"),
    ("stages.second.kind=json.decoder", "--plugin json"),
    ("stages.second=3", "stages.second: found 3; expected a mapping with 'kind'"),
    ("stages.second.kind=", "stages.second.kind: missing"),
    ("stages.second.init.from=frist", "stages.second.init: no stage 'frist'; did you mean 'first'?"),
    ("stages.second.init.output=number", "has no output 'number'; did you mean 'numbers'?"),
    ("stages.first.init.from=second", "stages.first: refers to itself by way of first -> second -> first"),
    ("stages.total.rows.two.from=nix", "stages.total.rows.two: no stage 'nix'"),
    ("stages.second.value=13", "stages.second: value: 13 is not possible; use another"),
    ("stages.second.seed=3", "stages.second.seed: belongs at the top"),
    ("stages.second.source=camvdi", "stages.second.source: no data config called 'camvdi'; did you mean 'camvid'?"),
    ("stages.second.source={name: camvdi, root: x}", "stages.second.source.name: unknown reader 'camvdi'"),
    ("stages.second.source={name: camvid, root: x, limt: 3}", "stages.second.source.limt: unknown key; did you mean"),
    ("stages.second.source={name: camvid, root: x, limit: y}", "stages.second.source.limit: found 'y'"),
    ("stages.second.source={name: camvid, root: x, with_labels: true}", "is set by the code"),
    ("stages.second.runtime.workers=-1", "stages.second.runtime.workers: found -1; expected a number of at least 0"),
    ("task.name=segmentatoin", "task.name: unknown task 'segmentatoin'; did you mean 'segmentation'?"),
    ("task.labels=cityscape", "task.labels: unknown label space 'cityscape'; did you mean 'cityscapes'?"),
    ("task.labels=", "task.labels: found None; expected the name of a label space"),
    ("task.hd=3", "task.hd: unknown key"),
    ("seed=-1", "seed: found -1; expected a number of at least 0"),
    ("seed=x", "seed: found 'x'; expected a whole number"),
    ("stages={}", "stages: empty"),
    ("stages=", "stages: missing"),
    ("runtime.wrokers=1", "runtime.wrokers: unknown key; did you mean 'workers'?"),
]


@pytest.mark.promise("unknown-keys")
@pytest.mark.parametrize(("setting", "message"), WRONG)
def test_one_clear_line(toy: Path, setting: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        pipelines.load("job.yaml", [setting])
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_unknown_key_at_the_top(toy: Path) -> None:
    (toy / "job.yaml").write_text("sed: 3\n" + (toy / "job.yaml").read_text())
    with pytest.raises(ConfigError, match="sed: unknown key; did you mean 'seed'"):
        pipelines.load("job.yaml")


def test_a_missing_file_of_weights_waits_for_the_run(toy: Path) -> None:
    text = (toy / "toy" / "write.py").read_text().replace("value: int = 1", "value: int = 1\n    net: dict = {}")
    (toy / "toy" / "write.py").write_text(text)
    loaded = pipelines.load("job.yaml", ["stages.first.net.weights=w/x.pth", "stages.first.value=13"])
    assert loaded.stage("first").missing == (toy / "w" / "x.pth",)


def test_a_kind_that_is_no_word_is_one_line_beside_defaults(toy: Path) -> None:
    """Found by fuzzing."""
    (toy / "other.yaml").write_text("base: job\ndefaults: {supervise: {steps: 3}}\nstages: {second: {kind: [1]}}\n")
    with pytest.raises(ConfigError, match=r"stages\.second\.kind: found"):
        pipelines.load("other.yaml")


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("stages.source.data.splt=val", "stages.source.data.splt: unknown key; did you mean 'split'?"),
        ("stages.source.data={name: gta5, rooot: x}", "stages.source.data.rooot: unknown key; did you mean 'root'?"),
        ("stages.source.data.resise=[8,8]", "stages.source.data.resise: unknown key; did you mean 'resize'?"),
        ("stages.source.data.on_badfile=skip", "did you mean 'on_bad_file'?"),
        ("stages.source.data={nme: gta5, root: x}", "stages.source.data.nme: unknown key; did you mean 'name'?"),
        ("task.lables=camvid", "task.lables: unknown key; did you mean 'labels'?"),
        ("task={name: segmentation, label: camvid}", "task.label: unknown key; did you mean 'labels'?"),
        ("stages.source.optimizer.name=adamW", "did you mean 'adamw'?"),
        ("stages.source.optimizer.name=SGD", "did you mean 'sgd'?"),
        ("stages.source.networks.encoder={name: resnet34}", "did you mean {name: smp, encoder: resnet34}?"),
        ("stages.source.networks.encoder={name: ResNet-34}", "did you mean {name: smp, encoder: resnet34}?"),
        ("stages.source.networks.head={name: DeepLabV3Plus}", "did you mean {name: smp, decoder: deeplabv3plus}?"),
        ("stages.source.networks.encoder={name: smal}", "unknown encoder 'smal'; did you mean 'small'?"),
        ("runtime.worker=2", "runtime.worker: unknown key; did you mean 'workers'?"),
        ("stages.source.schedule.warmpu=2", "did you mean 'warmup'?"),
        (
            "stages.evaluate.rows.pixel={form: pixel}",
            "stages.evaluate.rows.pixel.form: unknown key; did you mean 'from'?",
        ),
    ],
)
def test_a_near_miss_suggests_what_was_meant(setting: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        pipelines.load("streets", [setting])
    assert message in str(caught.value)
