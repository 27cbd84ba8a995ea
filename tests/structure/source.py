"""The repository's Python files, parsed once."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import segda

ROOT = Path(segda.__file__).parent.parent

#: Packages that take a tenth of a second or more to import.
HEAVY = (
    "torch", "torchvision", "accelerate", "timm", "segmentation_models_pytorch", "albumentations", "kornia", "scipy",
    "sklearn", "matplotlib", "h5py", "pyarrow",
)  # fmt: skip


@cache
def files(*folders: str) -> tuple[Path, ...]:
    """The Python files below folders of the repository."""
    return tuple(sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py")))


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def name(path: Path) -> str:
    """The module's dotted name."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imports(path: Path) -> Iterator[str]:
    """Every module that a file imports, wherever in it; `from a import b` counts as `a.b` where that is a module."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: a relative import"
            for alias in node.names:
                below = f"{node.module}.{alias.name}"
                path_below = ROOT.joinpath(*below.split("."))
                is_module = path_below.with_suffix(".py").is_file() or (path_below / "__init__.py").is_file()
                yield below if is_module else str(node.module)
