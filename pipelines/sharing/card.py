"""Model cards and data set cards: Markdown for people, below a YAML head for the Hub."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pipelines.shared_folder import DataName, SharedConfig, data_names
from segda.artefacts import manifest as manifests
from segda.artefacts.manifest import read_json
from segda.artefacts.store import Store
from segda.report.table import ABSENT, Result, build, headline, percent

TAGS = ["segda", "domain-adaptation", "unsupervised-domain-adaptation"]
HOMELESS = "path/to/this/folder"
_PROTOCOL = {
    "images": "images", "size of the networks' input": "resize",
    "prediction": "prediction_rule", "selected by": "selection", "fingerprint of the data": "data_fingerprint",
}  # fmt: skip


class Scores(NamedTuple):
    """An evaluation of the networks.

    Attributes:
        folder: of the evaluating stage.
        row: the networks' row there.
        data: what they were scored on.
        evaluation: what `Evaluation.to_json` wrote.
    """

    folder: str
    row: str
    data: DataName
    evaluation: Mapping[str, Any]


def scores_of(stage: Path) -> list[Scores]:
    """The finished evaluations beside a stage's folder that scored its networks.

    Raises:
        ArtefactError: one of them is damaged.
    """
    found = []
    for folder in Store(stage.parent).folders("evaluate"):
        if not (folder / manifests.FILE_NAME).is_file():
            continue
        manifest = manifests.load(folder)
        for name, origin in manifest.inputs.items():
            row = name.removeprefix("rows.")
            if row != name and origin.get("folder") == stage.name:
                data = data_names(manifest)["data"][0]
                found.append(Scores(folder.name, row, data, read_json(folder / "evaluation.json")[row]))
    return found


def model_card(config: SharedConfig, scores: Sequence[Scores], *, license_name: str, name: str | None) -> str:
    """The README.md of shared networks; `name` is that of the Hub's repository, `license_name` one of the Hub's."""
    from huggingface_hub import EvalResult, ModelCardData

    segments = config.task.name == "segmentation"
    kind = "image-segmentation" if segments else "image-classification"
    title = f"{config.run}: {config.row}"
    results = [
        EvalResult(
            task_type=kind, dataset_type=each.data.reader, dataset_name=f"{each.data.reader} {each.data.split}",
            metric_type="mean_iou" if measure == "mIoU" else measure, metric_value=score,
        )
        for each in scores for measure, score in [headline(each.evaluation)]
        if score is not None and each.data.stage is None
    ]  # fmt: skip
    head = ModelCardData(
        license=license_name, library_name="segda", pipeline_tag=kind,
        tags=[*TAGS, *(["semantic-segmentation"] if segments else [])],
        datasets=config.datasets,
        model_name=title, eval_results=results or None,
    )  # fmt: skip
    sections = [
        f"# {title}", _about(config), _loading(config, name, segments), _details(config), _classes(config),
        *(_scores(each) for each in scores), _licence(license_name),
    ]  # fmt: skip
    return f"---\n{head.to_yaml()}\n---\n\n" + "\n\n".join(sections) + "\n"


def dataset_card(content: Mapping[str, Any], *, license_name: str, name: str | None) -> str:
    """The README.md of an exported set, whose `dataset.json` holds `content`."""
    from huggingface_hub import DatasetCardData

    source, maps = content["source"], "labels" not in content
    head = DatasetCardData(
        license=license_name, tags=TAGS, task_categories=["image-segmentation" if maps else "image-classification"]
    )
    generator = content["generator"]
    by = generator.get("method") or f"a network of stage {generator.get('stage')!r}"
    path = f"hf-hub:datasets/{name}" if name else HOMELESS
    about = (
        f"{len(content['keys'])} images of {_plain(source['dataset'])} (split {_plain(source['split'])}), translated "
        f"by {_plain(by)} to look like another domain; the labels are those of the originals, in label space "
        f"{_plain(content['space'])}. Layout: {_plain(content['layout'])}. `dataset.json` has every file's size and "
        "SHA-256; `segda check FOLDER` compares them."
    )
    code = f'```python\nimport segda\n\ndata = segda.dataset("{path}")\nimage, label = data[0]\n```'
    names = "\n".join(f"| {index} | {_plain(each)} |" for index, each in enumerate(content["classes"]))
    sections = [
        f"# {_plain(source['dataset'])}, translated", about, f"## How to load\n\n{code}",
        f"## Classes\n\n| index | class |\n|---:|---|\n{names}\n| {content['ignore_index']} | ignored |",
        _licence(license_name),
    ]  # fmt: skip
    return f"---\n{head.to_yaml()}\n---\n\n" + "\n\n".join(sections) + "\n"


def _about(config: SharedConfig) -> str:
    method = config.method
    what = f"Trained by {_plain(method.title)}" + (f" ({_plain(method.source)})" if method.source else "")
    target = ", ".join(map(_named, config.data.get("target", [])))
    if method.labels == "target":
        return f"{what}, on labels of the target domain: an upper bound for methods that have none."
    return f"{what}." + (f" No label of the target trained or selected it. Target: {target}." if target else "")


def _loading(config: SharedConfig, name: str | None, segments: bool) -> str:
    place = f"hf-hub:{name}" if name else HOMELESS
    result = "class indices, uint8 [H, W]" if segments else "the class's index"
    lines = [
        "## How to load", "", "```python", "import segda", "", f'predictor = segda.load("{place}")',
        f'classes = predictor("image.png")  # {result}', "```", "",
        f"or `segda predict {place} images -o predictions`. `predictor.network` is the plain `torch.nn.Module`.",
    ]  # fmt: skip
    return "\n".join(lines)


def _details(config: SharedConfig) -> str:
    size = "each image's own" if config.resize is None else "{}x{} (height x width)".format(*config.resize)
    networks = config.networks.model_dump(mode="json", exclude_none=True)
    mean, deviation = list(config.normalisation.mean), list(config.normalisation.std)
    rows = {
        **{field: ", ".join(map(_named, data)) for field, data in config.data.items()},
        "size of the networks' input": size,
        "prediction": config.rule,
        "input": f"RGB; the network subtracts mean {mean} and divides by {deviation} itself",
        **{part: ", ".join(f"{key}: {value}" for key, value in networks[part].items()) for part in ("encoder", "head")},
        "steps, seed": f"{config.steps}, {config.seed}",
        "key": config.key,
        "versions": ", ".join(
            f"{each} {version}" for each, version in {"segda": config.segda, **config.packages}.items()
        ),
    }
    lines = [f"| {name} | {_plain(value)} |" for name, value in rows.items()]
    return "\n".join(["## How it was made", "", "| | |", "|---|---|", *lines])


def _classes(config: SharedConfig) -> str:
    pairs = zip(config.classes, config.palette, strict=True)
    lines = [
        f"| {index} | {_plain(name)} | {', '.join(map(str, colour))} |" for index, (name, colour) in enumerate(pairs)
    ]
    return "\n".join(["## Classes", "", "| index | class | colour (RGB) |", "|---:|---|---|", *lines])


def _scores(scores: Scores) -> str:
    table, protocol = build([Result(scores.row, [scores.evaluation])]), scores.evaluation["protocol"]
    sections = [(f"{each.title}: {line.name}", line.cells[0]) for each in table.sections for line in each.lines]
    classes, summary = ([(line.name, line.cells[0]) for line in each] for each in (table.classes, table.summary))
    cells = [*classes, *sections, *summary]
    lines = [f"| {_plain(name)} | {ABSENT if cell is None else percent(cell.mean)} |" for name, cell in cells]
    measured = [
        f"- {name}: {_plain(protocol[key])}" for name, key in _PROTOCOL.items() if protocol.get(key) is not None
    ]
    head = [
        f"## Scores on {_named(scores.data)}",
        "",
        f"{table.measure} in percent, row {_plain(scores.row)!r} of {scores.folder}.",
        "",
    ]
    return "\n".join([*head, f"| | {table.measure} |", "|---|---:|", *lines, "", *measured])


def _licence(name: str) -> str:
    stated = f"Stated by who shared it: `{name}`." if name != "unknown" else "None was stated by who shared it."
    return f"## Licence\n\n{stated} What the data sets' own licences say of works made from them holds as well."


def _named(data: DataName) -> str:
    read = f"{_plain(data.reader)} (split {_plain(data.split)})"
    return f"data of stage {_plain(data.stage)}, read as {read}" if data.stage else read


def _plain(value: Any) -> str:
    """Text that stays in its cell."""
    return " ".join(str(value).split()).replace("|", "\\|")
