"""Record what torch's tables of ops and layers cannot: tests/data/sequences.npz.

Run with torch 2.13 installed, from the root: python tests/record_sequences.py

CTC losses of random cases with the gradient behind log_softmax, in float64 and float32; and second
and third derivatives of attention with torch's differentiable implementation.
"""

from __future__ import annotations

import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parent
sys.path.insert(0, str(ROOT.parent))
CASES = 40


def ctc_case(k: int) -> dict[str, Any]:
    """Return the arguments of one case; only `.random` is used (a fixed stream)."""
    rng = np.random.Generator(np.random.PCG64(k))
    below = lambda high: int(rng.random() * high)
    steps, batch, count, size = 1 + below(9), 1 + below(4), 2 + below(4), below(5)
    blank = below(count)
    labels = (rng.random((batch, size)) * count).astype(np.int64)
    labels = np.where(labels == blank, (labels + 1) % count, labels)
    sizes = [below(size + 1) for _ in range(batch)]
    if k % 2:
        labels = np.concatenate([row[:n] for row, n in zip(labels, sizes, strict=True)])
    return {"scores": (rng.random((steps, batch, count)) - 0.5) * (1, 5, 60)[k % 3],
            "targets": labels, "input_lengths": [below(steps + 1) for _ in range(batch)],
            "target_lengths": sizes, "blank": blank,
            "reduction": ("none", "mean", "sum")[k // 2 % 3], "zero_infinity": k % 5 < 3}


def ctc(torch: Any, case: dict[str, Any], dtype: str = "float64") -> tuple[np.ndarray, np.ndarray]:
    """Return the loss and the gradient with respect to the scores."""
    case = dict(case)
    scores = torch.from_numpy(case.pop("scores").astype(dtype)).requires_grad_()
    case["targets"] = torch.from_numpy(case["targets"])
    loss = torch.nn.functional.ctc_loss(torch.log_softmax(scores, 2), **case)
    (gradient,) = torch.autograd.grad(loss.sum(), scores)
    return loss.detach().numpy(), gradient.numpy()


ATTENTION = {
    "heads": ("nn.MultiheadAttention(4, 2, bias=True)", (3, 2, 4)),
    "encoder": ("nn.TransformerEncoderLayer(4, 2, 5, 0.0, nn.Softplus(), norm_first=True)",
                (3, 2, 4)),
    "decoder": ("nn.TransformerDecoderLayer(4, 2, 5, 0.0, nn.Softplus())", (3, 4)),
}


def attention(torch: Any, name: str) -> dict[str, np.ndarray]:
    """Return derivatives up to the second (the third of attention alone) by name.

    Each is that of the one before in a random direction. torch's LayerNorm is wrong at third order.
    """
    make, shape = ATTENTION[name]
    numbers = lambda text, shape: torch.from_numpy(np.random.Generator(np.random.PCG64(
        zlib.crc32(f"{name}/{text}".encode()))).random(tuple(shape)) - 0.5)
    module = eval(make, {"nn": torch.nn}).double()
    with torch.no_grad():
        for key, value in module.named_parameters():
            value.copy_(numbers(key, value.shape))
    x = numbers("x", shape).requires_grad_()
    mask = torch.ones(shape[0], shape[0], dtype=torch.bool).triu(1)
    if name == "heads":
        y = module(x, x, x, attn_mask=mask, need_weights=False)[0]
    else:
        y = module(x, mask) if name == "encoder" else module(x, x * 0.5, mask)
    found, leaves = {"y": y.detach().numpy()}, [x, *module.parameters()]
    last = 3 if name == "heads" else 2
    for order in range(1, last + 1):
        total = (y * numbers(f"w{order}", y.shape)).sum()
        parts = torch.autograd.grad(total, leaves, create_graph=order < last, allow_unused=True)
        y = torch.cat([part.reshape(-1) for part in parts if part is not None])
        found[f"d{order}"] = y.detach().numpy()
    return found


def main() -> None:
    import torch
    from torch.nn.attention import SDPBackend, sdpa_kernel

    torch.set_num_threads(1)
    found = {"torch": np.array(torch.__version__)}
    for k in range(CASES):
        for dtype in ("float64", "float32"):
            found[f"{k}/{dtype}/loss"], found[f"{k}/{dtype}/grad"] = ctc(torch, ctc_case(k), dtype)
    with sdpa_kernel(SDPBackend.MATH):
        for name in ATTENTION:
            found |= {f"{name}/{key}": value for key, value in attention(torch, name).items()}
    np.savez_compressed(ROOT / "data" / "sequences.npz", **found)


if __name__ == "__main__":
    main()
