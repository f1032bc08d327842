"""Memory shared with other libraries: `torch.utils.dlpack`."""

from .._functions_rare import to_dlpack
from ..ops.create import from_dlpack

__all__ = ["from_dlpack", "to_dlpack"]
