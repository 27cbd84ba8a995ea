"""Code that runs what others wrote or reaches the network, recognised in the syntax tree; the source has none."""

import ast
from collections.abc import Iterator

#: Modules that turn bytes into objects, or reach other machines; code that does not import them cannot use them.
MODULES = {
    "pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "marshal", "shelve",
    "urllib.request", "requests", "httpx", "aiohttp", "http.client", "ftplib", "smtplib", "telnetlib", "webbrowser",
}  # fmt: skip
#: Not to be named anywhere, called or passed on.
NAMES = {
    "eval", "exec", "compile", "__import__", "builtins.eval", "builtins.exec", "builtins.compile",
    "os.system", "os.popen", "pty.spawn", "subprocess.getoutput", "subprocess.getstatusoutput",
    "yaml.unsafe_load", "yaml.unsafe_load_all", "yaml.full_load", "yaml.full_load_all",
    "yaml.Loader", "yaml.CLoader", "yaml.FullLoader", "yaml.UnsafeLoader",
    "torch.save", "torch.jit.load", "torch.hub.load", "torch.hub.load_state_dict_from_url", "torch.package",
    "pandas.read_pickle", "numpy.fromregex", "tempfile.mktemp", "shutil.unpack_archive",
    "socket.socket", "socket.create_connection",
}  # fmt: skip
#: Methods that unpack archives to where their members say.
METHODS = {"extractall", "extract"}
_YAML_LOADS = {"yaml.load", "yaml.load_all"}
_SAFE = {"SafeLoader", "CSafeLoader"}
#: Keywords of any call to the one value they may have.
_KEYWORDS = {"shell": "False", "allow_pickle": "False", "weights_only": "True", "trust_remote_code": "False"}


def hazards(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and name of each hazard in a file."""
    aliases: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                first = alias.name.split(".")[0]
                aliases[alias.asname or first] = alias.name if alias.asname else first
                yield from _imported(node.lineno, alias.name)
        elif isinstance(node, ast.ImportFrom):
            yield from _imported(node.lineno, str(node.module))
            for alias in node.names:
                aliases[alias.asname or alias.name] = f"{node.module}.{alias.name}"
                yield from _imported(node.lineno, f"{node.module}.{alias.name}")
    for node in ast.walk(tree):
        # A field of a config may be called as a function is; to set it runs nothing.
        named = isinstance(node, ast.Name | ast.Attribute) and not isinstance(node.ctx, ast.Store)
        if named and (name := _dotted(node, aliases)) in NAMES:
            yield node.lineno, name
        if isinstance(node, ast.Call):
            yield from ((node.lineno, hazard) for hazard in _called(node, aliases))


def _imported(line: int, module: str) -> Iterator[tuple[int, str]]:
    if any(module == each or module.startswith(f"{each}.") for each in MODULES) or module in NAMES:
        yield line, f"import {module}"


def _called(call: ast.Call, aliases: dict[str, str]) -> Iterator[str]:
    name = _dotted(call.func, aliases)
    keywords = {keyword.arg: keyword.value for keyword in call.keywords}
    for keyword, allowed in _KEYWORDS.items():
        if keyword in keywords and ast.unparse(keywords[keyword]) != allowed:
            yield f"{keyword}={ast.unparse(keywords[keyword])}"
    if name == "torch.load" and "weights_only" not in keywords:
        yield "torch.load without weights_only=True"
    if name in _YAML_LOADS:
        loader = keywords.get("Loader", call.args[1] if len(call.args) > 1 else None)
        if loader is None or ast.unparse(loader).rpartition(".")[2] not in _SAFE:
            yield f"{name} without SafeLoader"
    command = keywords.get("args", call.args[0] if call.args else None)
    is_text = isinstance(command, ast.JoinedStr | ast.BinOp) or isinstance(getattr(command, "value", None), str)
    if name.startswith("subprocess.") and is_text:
        yield f"{name} of a text"
    if isinstance(call.func, ast.Attribute) and call.func.attr in METHODS:
        yield f".{call.func.attr}()"


def _dotted(node: ast.AST, aliases: dict[str, str]) -> str:
    """The full name of a node, as far as imports define it; empty for anything else."""
    if isinstance(node, ast.Name):
        return aliases.get(node.id, node.id)
    if isinstance(node, ast.Attribute):
        before = _dotted(node.value, aliases)
        return f"{before}.{node.attr}" if before else ""
    return ""
