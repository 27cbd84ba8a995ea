"""What an error says of the Python packages that segda needs: missing, broken, doubled or too old ones."""

import importlib.util
import re
import sys
from importlib import metadata
from types import ModuleType

from segda import __name__ as SEGDA

OWN = (SEGDA, "pipelines", "segda_command")

# Where a package's name on the index is not what is imported.
INDEX_NAMES = {"cv2": "opencv-python-headless", "PIL": "pillow", "yaml": "pyyaml", "sklearn": "scikit-learn"}


def explain_package(error: BaseException) -> str | None:
    """One line on the package whose import failed, or that lacks what it should have; `None` for any other error."""
    module = _module_at_fault(error)
    if module is None or module in OWN:
        return None
    reason = " ".join(str(error).split())[:200] or type(error).__name__
    if module in sys.stdlib_module_names:
        return f"this Python lacks {module} ({reason}); install a Python that was built with it"
    name = INDEX_NAMES.get(module, module).replace("_", "-")
    requirement = next((line for line in _requirements() if _name(line) == name), None)
    installed = sorted(set(metadata.packages_distributions().get(module, ())))
    if requirement is None and not installed:
        if importlib.util.find_spec(module):
            return None  # neither segda's nor from an index: code of the user
        return f"{module} is missing ({reason}); pip install {name}, or add the folder that holds it to PYTHONPATH"
    found = " and ".join(f"{each} {metadata.version(each)}" for each in installed) or f"{name}: not"
    wanted = requirement or name
    remedy = f"pip install --force-reinstall --no-deps '{wanted}'"
    if not installed:
        remedy = f"pip install '{wanted}'"
    elif requirement and installed != [name]:
        remedy = f"pip uninstall -y {' '.join(installed)}, then pip install '{wanted}'"
    return f"{found} installed, which cannot be used as {module} ({reason}); segda needs {wanted}: {remedy}"


def unmet_requirement(error: BaseException) -> str | None:
    """One line on the first package that is missing or has another version than segda needs, the likely cause."""
    from packaging.requirements import Requirement

    for requirement in map(Requirement, _requirements()):
        try:
            version = metadata.version(requirement.name)
        except metadata.PackageNotFoundError:
            version = "none"
        if version == "none" or not requirement.specifier.contains(version, prereleases=True):
            reason = " ".join(str(error).split())[:200]
            return (
                f"{type(error).__name__}: {reason}; most likely because segda needs {requirement} and {version} is "
                f"installed: pip install '{requirement}'; --debug shows where"
            )
    return None


def _module_at_fault(error: BaseException) -> str | None:
    """The top name of the module that could not be imported or lacks an attribute; `None` if it was nothing of that."""
    if isinstance(error, ImportError) and error.name:
        return error.name.split(".")[0]
    if isinstance(error, AttributeError) and isinstance(error.obj, ModuleType):
        return error.obj.__name__.split(".")[0]
    at_fault, step = None, error.__traceback__
    while step is not None:
        module = str(step.tb_frame.f_globals.get("__name__")).split(".")[0]
        if step.tb_frame.f_code.co_name == "<module>" and module not in sys.stdlib_module_names:
            at_fault = module  # an error while this module was being imported
        step = step.tb_next
    return at_fault


def _requirements() -> list[str]:
    """What segda needs, a line a package such as `kornia>=0.7`; none where segda is not installed."""
    try:
        lines = metadata.requires(SEGDA) or []
    except metadata.PackageNotFoundError:
        return []
    return [line for line in lines if "extra ==" not in line]


def _name(requirement: str) -> str:
    return re.split(r"[^\w.-]", requirement, maxsplit=1)[0].replace("_", "-").lower()
