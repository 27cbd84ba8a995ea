"""Which folder imports which: nothing of segda but what its line in the table names, so each can be read alone."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tests.structure import source

# Folder or file of segda to what it may import of segda. Leaves first.
ROOMS: dict[str, tuple[str, ...]] = {
    "errors": (),
    "batch": (),
    "disk": (),
    "seeds": (),
    "torchvision_compat": (),
    "losses": (),
    "files": ("errors",),
    "terminal": ("errors", "files"),
    "config": ("errors",),
    "artefacts": ("config.lookup", "errors", "files"),
    "metrics": ("errors",),
    "label_space": ("config.lookup", "errors"),
    "label_spaces": ("errors", "label_space"),
    "data": (
        "batch", "config.lookup", "errors", "files", "label_space", "label_spaces", "seeds",
        "terminal.escape",
    ),
    "demo": ("data", "errors", "files", "label_spaces", "seeds"),
    "networks": ("batch", "config.lookup", "errors", "files", "terminal.escape", "torchvision_compat"),
    "task": ("batch", "label_space", "metrics", "networks"),
    # Self-training uses photometry.
    "objectives": (
        "batch", "config", "errors", "label_space", "losses", "data.augmentation.photometry", "networks", "seeds",
        "task",
    ),
    "export": ("artefacts", "data", "errors", "files"),
    "tasks": (
        "batch", "errors", "label_space", "losses", "metrics", "networks.image_network", "networks.layers.resolution",
        "networks.networks",
    ),
    "engine": ("batch", "data", "errors", "files", "label_space", "networks.networks", "objectives", "terminal"),
    "evaluation": (
        "batch", "data", "errors", "files", "label_space", "label_spaces.cityscapes", "metrics",
        "networks.image_network", "networks.networks", "task",
    ),
    "deployment": ("batch", "config.lookup", "errors", "networks.networks", "task"),
    "transfer": ("data.resize", "errors", "networks.vgg"),
    "report": ("artefacts", "errors", "files", "label_space", "terminal"),
}  # fmt: skip

# The folders of pipelines, from commands to config files: each imports those after it, none before it.
FLOORS = (
    "__main__", "commands", "deployment", "running", "planning", "stages", "sharing", "scoring", "training",
    "networks", "shared_folder", "definition",
)  # fmt: skip
ENTRIES = ("command_line", "from_python", "installation")
"""Files beside the folders, as high as the commands."""

# Other package to the only modules that may import it.
CONFINED: dict[str, tuple[str, ...]] = {
    "timm": ("segda.networks.encoders.smp", "segda.networks.encoders.vit", "segda.networks.pretrained_encoder"),
    "segmentation_models_pytorch": (
        "segda.networks.encoders.smp",
        "segda.networks.heads.smp",
        "segda.networks.smp_model",
    ),
    "huggingface_hub": ("pipelines.sharing",),
    "torchvision": ("segda.networks.vgg",),
    "albumentations": (),
    "kornia": ("segda.data.augmentation.photometry",),
    "accelerate": ("segda.engine.session",),
    "scipy": ("segda.data.readers.gta5", "segda.data.readers.svhn"),
    "pyarrow": ("segda.export.shards",),
    "h5py": ("segda.data.readers.usps",),
    "sklearn": (
        "segda.demo.handwritten_digits",
        "segda.demo.moons",
        "segda.metrics.domain_distance",
        "segda.metrics.selection",
        "segda.report.embedding",
    ),
    "pydantic": ("segda.config.validation", "pipelines"),
    "yaml": ("segda.config.yaml_file",),
    "matplotlib": ("segda.demo.rendered_digits", "segda.report"),
    "jinja2": ("segda.report",),
    "rich": ("segda.report", "segda.terminal", "pipelines"),
    "PIL": ("segda.data", "segda.demo", "segda.report"),
    "cityscapesscripts": (),
    "onnx": ("segda.deployment.onnx_format",),
    "onnxruntime": ("segda.deployment.onnx_format",),
}

COMPONENTS = (
    "label_spaces", "data/readers", "networks/encoders", "networks/decoders", "networks/heads",
    "networks/discriminators", "networks/samplers", "networks/rebuilders", "objectives/terms", "tasks", "transfer",
)  # fmt: skip


def within(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")


def room(path: Path) -> str:
    return path.relative_to(source.ROOT / "segda").with_suffix("").parts[0]


def test_every_room_is_in_the_table() -> None:
    assert {room(path) for path in source.files("segda")} - {"__init__"} == set(ROOMS)


@pytest.mark.parametrize("own", ROOMS)
def test_a_room_imports_what_its_line_names(own: str) -> None:
    allowed = [f"segda.{other}" for other in (own, *ROOMS[own])]
    for path in source.files("segda"):
        if room(path) == own:
            for module in source.imports(path):
                if module.split(".")[0] == "segda" and module != "segda":
                    assert any(within(module, name) for name in allowed), f"{source.name(path)} imports {module}"


def test_the_table_names_no_more_than_is_used() -> None:
    used: dict[str, set[str]] = {own: set() for own in ROOMS}
    for path in source.files("segda"):
        if room(path) in used:
            used[room(path)] |= set(source.imports(path))
    unused = {
        f"{own}: {other}"
        for own, others in ROOMS.items()
        for other in others
        if not any(within(module, f"segda.{other}") for module in used[own])
    }
    assert unused == set()


def check_no_circle(graph: dict[str, set[str]]) -> None:
    done: set[str] = set()
    while len(done) < len(graph):
        ready = {name for name, imported in graph.items() if imported & graph.keys() <= done} - done
        assert ready, f"a circle among {sorted(graph.keys() - done)}"
        done |= ready


def test_the_rooms_form_no_circle() -> None:
    check_no_circle({own: {other.split(".")[0] for other in others} for own, others in ROOMS.items()})


def test_nothing_imports_upwards() -> None:
    """But `segda/__init__.py`, which names what users call, wherever it is; it imports it at its first use."""
    for folder, above in (("segda", {"pipelines", "tools", "tests", "configs"}), ("pipelines", {"tools", "tests"})):
        for path in set(source.files(folder)) - {source.ROOT / "segda" / "__init__.py"}:
            wrong = {module for module in source.imports(path) if module.split(".")[0] in above}
            assert not wrong, f"{source.name(path)} imports {wrong}"


def floor(module: str) -> int:
    name = module.split(".")[1]
    return FLOORS.index("commands" if name in ENTRIES else name)


def test_the_rooms_of_pipelines_import_downwards() -> None:
    names = {path: source.name(path) for path in source.files("pipelines") if source.name(path) != "pipelines"}
    assert {name.split(".")[1] for name in names.values()} == {*FLOORS, *ENTRIES}
    for path, own in names.items():
        for module in source.imports(path):
            if module.startswith("pipelines."):
                assert floor(own) <= floor(module), f"{own} imports {module}"


def test_no_files_import_one_another_in_a_circle() -> None:
    """Imports within functions count, too."""
    files = {source.name(path): set(source.imports(path)) for path in source.files("segda", "pipelines")}
    check_no_circle(files | {"segda": set()})


@pytest.mark.parametrize("package", CONFINED)
def test_a_library_is_imported_where_it_belongs(package: str) -> None:
    for path in source.files("segda", "pipelines"):
        if any(within(module, package) for module in source.imports(path)):
            assert any(within(source.name(path), user) for user in CONFINED[package]), source.name(path)


@pytest.mark.parametrize("folder", COMPONENTS)
def test_components_do_not_import_one_another(folder: str) -> None:
    siblings = [path for path in source.files(f"segda/{folder}") if path.stem != "__init__"]
    assert siblings
    names = {source.name(path) for path in siblings}
    for path in siblings:
        imported = set(source.imports(path)) & names
        assert not imported, f"{source.name(path)} imports {imported}"


@pytest.mark.parametrize("folder", COMPONENTS)
def test_a_component_folder_holds_components_alone(folder: str) -> None:
    """A file there is a name in a YAML: it has `build`, or is a label space."""
    expected = "SPACE" if folder == "label_spaces" else "build"
    for path in source.files(f"segda/{folder}"):
        if path.stem == "__init__":
            code = [node for node in source.tree(path).body if not isinstance(node, ast.Expr)]
            assert not code, f"{path}: each file is a component, so this has a docstring at most"
            continue
        assert path.parent == source.ROOT / "segda" / folder
        defined = set()
        for node in source.tree(path).body:
            defined |= {getattr(node, "name", "")}
            targets = getattr(node, "targets", [getattr(node, "target", None)])
            defined |= {getattr(target, "id", "") for target in targets}
        assert expected in defined, f"{path}: has no {expected}"


def test_importing_segda_loads_nothing() -> None:
    code = "import sys, segda; print(sorted(sys.modules.keys() & {'torch', 'numpy', 'pydantic', 'yaml', 'cv2'}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=source.ROOT)
    assert done.stdout.strip() == "[]", done.stderr


def test_what_a_plan_reads_is_light() -> None:
    """Every kind of stage, reader and label space, plans, status and finished runs: torch and its like come later."""
    code = f"""
import sys
from importlib import import_module
from pipelines.commands import run, status
from pipelines.definition import loading
from pipelines.planning import plan
from pipelines.running import reproduce, up_to_date
from segda.config import lookup
for package in ("pipelines.stages", "segda.label_spaces", "segda.data.readers"):
    for name in lookup.names(package):
        import_module(f"{{package}}.{{name}}")
print(sorted(sys.modules.keys() & set({source.HEAVY!r})))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=source.ROOT)
    assert done.stdout.strip() == "[]", done.stderr
