"""Plain NumPy numerics on ndarrays: convolution, pooling, interpolation, special functions.

Nothing here knows of tensors, gradients or modules; the ops of `minigrad.ops` call it.
"""

from minigrad.kernels._memory import keep_freed_memory

keep_freed_memory()
