"""Networks compiled by `torch.compile`: by choice, in place, and with one line where there is no compiler."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager

from torch import nn

from segda.errors import ConfigError

VARIANTS = 64
"""Ways to call a network that are compiled: by domain, frozen or not, with gradients or not. torch gives up after 8."""


def compile_networks(modules: Mapping[str, nn.Module], but: Collection[str] = ()) -> None:
    """Have networks compiled when they are first called.

    `nn.Module.compile` changes how a network is called and nothing else: names in state dicts, parameters, hooks and
    copies stay what they were, so checkpoints and published weights fit networks that are not compiled.

    Call it before they are wrapped for several processes. Networks named in `but` stay as they are.
    """
    import torch._dynamo
    import torch._functorch.config
    import torch._inductor.config

    torch._dynamo.config.recompile_limit = max(torch._dynamo.config.recompile_limit, VARIANTS)
    # Norms of single terms in the log leave the graph to the backward pass that follows.
    torch._functorch.config.donated_buffer = False
    torch._inductor.config.fallback_random = True  # dropout draws what it draws without
    for name, module in modules.items():
        if name not in but:
            module.compile()


def undo(modules: Mapping[str, nn.Module]) -> None:
    """Have networks called as they were before `compile_networks`, compiled or not."""
    for module in modules.values():
        module._compiled_call_impl = None


@contextmanager
def compiled(wanted: bool) -> Iterator[None]:
    """Around a training whose networks are compiled in its first steps, if they are `wanted` to be.

    Raises:
        ConfigError: torch cannot compile here; most likely a compiler is missing.
    """
    if not wanted:
        yield
        return
    from torch._dynamo.exc import BackendCompilerFailed

    try:
        yield
    except BackendCompilerFailed as error:
        said = str(error.inner_exception).strip() or type(error.inner_exception).__name__
        raise ConfigError(
            f"runtime.compile: torch.compile fails here ({said.splitlines()[0][:200]}); install a C++ compiler, such "
            "as g++ (on a GPU Triton, too), or leave out runtime.compile"
        ) from error
