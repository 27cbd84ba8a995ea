"""Tensors as the bytes of a safetensors file, with each byte copied once.

safetensors' own `save` wants tensors on the CPU that share no memory: a checkpoint would copy all tensors twice, on one
core, while the training waits. Here they are copied straight to their place in the file: also from a GPU, also tied
ones, also views.

Source: https://github.com/huggingface/safetensors, "Format"; the order of tensors is that library's.
"""

import json
from collections.abc import Mapping

import torch
from torch import Tensor

# From the first in a file to the last: wide ones first, so that each begins at a multiple of its own width.
NAMES = {
    torch.int64: "I64", torch.float64: "F64", torch.float32: "F32", torch.int32: "I32", torch.bfloat16: "BF16",
    torch.float16: "F16", torch.int16: "I16", torch.int8: "I8", torch.uint8: "U8", torch.bool: "BOOL",
}  # fmt: skip


def serialize(tensors: Mapping[str, Tensor]) -> memoryview:
    """A file's whole content, in memory of its own: what becomes of the tensors afterwards does not change it.

    Args:
        tensors: by name, of any shape, on any device.

    Raises:
        KeyError: a type of number that no segda network or optimizer holds.
    """
    order = {kind: place for place, kind in enumerate(NAMES)}
    names = sorted(tensors, key=lambda name: (order[tensors[name].dtype], name))
    header, places, end = {}, {}, 0
    for name in names:
        tensor = tensors[name]
        begin, end = end, end + tensor.numel() * tensor.element_size()
        places[name] = slice(begin, end)
        header[name] = {"dtype": NAMES[tensor.dtype], "shape": list(tensor.shape), "data_offsets": [begin, end]}
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    start = 8 + len(text)
    # A GPU copies into memory that is pinned without being waited for tensor by tensor.
    on_gpu = any(tensor.is_cuda for tensor in tensors.values())
    content = torch.empty(start + end, dtype=torch.uint8, pin_memory=on_gpu)
    whole = content.numpy().data
    whole[:start] = len(text).to_bytes(8, "little") + text
    data = content[start:]
    for name, place in places.items():
        tensor = tensors[name].detach()
        if tensor.numel():
            data[place].view(tensor.dtype).view(tensor.shape).copy_(tensor, non_blocking=on_gpu)
    if on_gpu:
        torch.cuda.synchronize()
    return whole
