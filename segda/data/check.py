"""Read every file of a labelled data set before a GPU is spent on it, and report all problems."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from segda.data.dataset import Dataset, Problem, Sample, size_remedy
from segda.data.label_content import Content, decoder_of, doubts, fault
from segda.data.label_decoder import LabelDecoder
from segda.data.pictures import Pictures
from segda.data.prefetch import in_order
from segda.errors import DataError
from segda.terminal.escape import escape


@dataclass(frozen=True)
class CheckReport:
    """The content of a data set, and its problems."""

    name: str  # the reader's name
    root: str  # the data set's folder
    space: str  # name of the label space
    pairs: int  # pairs of image and label
    unit: str  # of the counts below: `pixels`, or `images` where a label is one class for the whole image
    sizes: dict[tuple[int, int], int]  # image `(height, width)` to number of images
    ids: dict[int, int]  # native id to number of pixels
    # Native id to class name of the space, `None` where ignored; ids outside the map are missing.
    id_names: dict[int, str | None]
    pixels: dict[str, int]  # class name to number of pixels, 0 for absent classes
    ignored: int  # pixels that neither train nor score
    orientations: dict[Path, str]  # pictures whose EXIF tag says that they are stored lying, and how they are read
    doubts: tuple[str, ...]  # about the labels of the set, which may be right all the same
    problems: tuple[Problem, ...]  # of single files and of the set


@dataclass
class _Pair:
    """The content of one pair of image and label."""

    unit: str = "pixels"
    size: tuple[int, int] | None = None
    orientation: str = ""
    content: Content = field(default_factory=Content)
    problems: list[Problem] = field(default_factory=list)


def check(dataset: Dataset, *, workers: int = 2, progress: Callable[[int, int], None] | None = None) -> CheckReport:
    """Decode every image and label of a data set, beyond the first problem.

    Unpaired files are reported, too, if it was opened with `strict=False`. `progress` gets (pairs done, pairs in all).

    Raises:
        DataError: the data set was opened without labels.
    """
    if any(sample.label is None for sample in dataset.samples):
        raise DataError(f"{dataset.root}: opened without labels, so there is nothing to check; open it with labels")
    decoder = decoder_of(dataset)
    sizes: Counter[tuple[int, int]] = Counter()
    content = Content()
    problems = list(dataset.problems)
    units = set()
    orientations = {}
    pairs = in_order(
        lambda sample: _read(sample, dataset, decoder), dataset.samples, workers=workers, ahead=4 * workers
    )
    for done, (sample, pair) in enumerate(zip(dataset.samples, pairs, strict=True), start=1):
        if pair.size is not None:
            sizes[pair.size] += 1
        units.add(pair.unit)
        content.merge(pair.content)
        if pair.orientation:
            orientations[sample.image] = pair.orientation
        problems += pair.problems
        if progress is not None:
            progress(done, len(dataset))
    space, is_map = dataset.space, units == {"pixels"}
    wrong = fault(dataset, content) if is_map else None
    if wrong is not None:
        problems.append(Problem("wrong labels", dataset.root, wrong))
    return CheckReport(
        name=dataset.name,
        root=str(dataset.root),
        space=space.name,
        pairs=len(dataset),
        unit="images" if units == {"images"} else "pixels",
        sizes=dict(sizes.most_common()),
        ids=dict(sorted(content.ids.items())),
        id_names={native: name if name in space.classes else None for native, name in decoder.classes.items()},
        pixels={name: int(content.classes[index]) for index, name in enumerate(space.classes)},
        ignored=int(content.classes[space.ignore_index]),
        orientations=orientations,
        doubts=(*_of_first_picture(dataset), *(doubts(dataset, content) if is_map and wrong is None else ())),
        problems=tuple(problems),
    )


def render(report: CheckReport, *, most: int = 10) -> str:
    """The report as plain lines, with up to `most` sizes, and files of each kind of problem."""
    sizes = [f"{size[0]}x{size[1]} (height x width): {n}" for size, n in list(report.sizes.items())[:most]]
    if len(report.sizes) > most:
        sizes.append(f"... and {len(report.sizes) - most} other sizes")
    lines = [
        f"{report.name} at {report.root}, label space {report.space}",
        f"pairs     {report.pairs}",
        f"sizes     {', '.join(sizes)}",
        "",
        f"{'class':<16}{'share':>8}{report.unit:>16}",
    ]
    total = sum(report.pixels.values())
    for name, count in report.pixels.items():
        share = f"{100 * count / total:7.3f}%" if count else "  absent"
        lines.append(f"{name:<16}{share}{count:>16,}")
    lines += [f"{'(ignored)':<24}{report.ignored:>16,}", "", f"{'native id':<16}{report.unit:>24}  class"]
    for native, count in report.ids.items():
        meaning = report.id_names[native] or "(ignored)" if native in report.id_names else "OUTSIDE THE MAP"
        lines.append(f"{native:<16}{count:>24,}  {meaning}")
    lines.append("")
    if report.orientations:
        lines.append(f"EXIF orientation: {len(report.orientations)}")
        lines += _shortened([f"  {file}: {how}" for file, how in report.orientations.items()], most)
    lines += [f"warning: {doubt}" for doubt in report.doubts]
    lines += problem_lines(report.problems, most=most)
    return "\n".join(escape(line) for line in lines)


def problem_lines(problems: Sequence[Problem], *, most: int = 10) -> list[str]:
    """Problems by kind, up to `most` files of each, and their number."""
    kinds: dict[str, list[Problem]] = {}
    for problem in problems:
        kinds.setdefault(problem.kind, []).append(problem)
    lines = []
    for kind, alike in kinds.items():
        lines.append(f"{kind}: {len(alike)}")
        named = [f"  {problem.file}{': ' if problem.detail else ''}{problem.detail}" for problem in alike]
        lines += _shortened(named, most)
    return [*lines, f"problems found: {len(problems)}" if problems else "no problems found"]


def _of_first_picture(dataset: Dataset) -> list[str]:
    if not isinstance(dataset.decode_image, Pictures) or not dataset.samples:
        return []
    try:
        doubt = dataset.decode_image.doubt(dataset.samples[0].image)
    except DataError:  # one of the problems already
        return []
    return [] if doubt is None else [doubt]


def _shortened(lines: list[str], most: int) -> list[str]:
    return lines if len(lines) <= most else [*lines[:most], f"  ... and {len(lines) - most} more"]


def _read(sample: Sample, dataset: Dataset, decoder: LabelDecoder) -> _Pair:
    pair = _Pair()
    try:
        if isinstance(dataset.decode_image, Pictures):
            picture = dataset.decode_image.read(sample.image)
            image = picture.pixels
            if picture.orientation != 1:
                pair.orientation = f"{picture.orientation}, {'turned upright' if picture.turned else 'read as stored'}"
        else:
            image = dataset.decode_image(sample.image)
        pair.size = (image.shape[0], image.shape[1])
    except DataError as error:
        pair.problems.append(_broken(error, sample.image))
    if sample.label is None:
        return pair
    try:
        ids = decoder.read_ids(sample.label)
    except DataError as error:
        pair.problems.append(_broken(error, sample.label))
        return pair
    if not ids.ndim:
        pair.unit = "images"
    pair.content.add(decoder, ids)
    for each, count in sorted(decoder.unknown(ids).items()):
        detail = f"id {each}, {count} pixels" if ids.ndim else f"id {each}"
        pair.problems.append(Problem("id outside the map", sample.label, detail))
    if pair.size is not None and ids.ndim and ids.shape != pair.size:
        detail = (
            f"label {ids.shape[0]}x{ids.shape[1]}, image {pair.size[0]}x{pair.size[1]} (height x width); "
            f"{size_remedy(ids.shape, pair.size)}"
        )
        pair.problems.append(Problem("size mismatch", sample.label, detail))
    return pair


def _broken(error: DataError, file: Path) -> Problem:
    return Problem("broken file", file, str(error).removeprefix(f"{file}: "))
