"""No layer wakes OpenBLAS's own threads, which would spin for 0.1 s and slow what follows.

In a fresh process every case runs forward and backward while the run time of those threads, as
Linux counts it, must stand still. They are the ones that exist once NumPy is imported. OpenBLAS
takes several threads from some 400,000 elements of a matrix that multiplies a vector, or a million
multiplications of a matrix product, so the cases are larger.
"""

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

TASKS = Path("/proc/self/task")
ROOT = Path(__file__).resolve().parents[2]
SETTLED = 0.2  # s: longer than these threads spin
AWAKE = 1_000_000  # ns of run time: a thread that was woken spins for a hundred times as long


def run_time(threads):
    """Return how long these threads have run, in ns."""
    return sum(int((TASKS / name / "schedstat").read_text().split()[0]) for name in threads)


def layers(torch):
    """Return names and pairs of a module and the shape of its input."""
    nn = torch.nn
    far = [nn.BatchNorm2d(16), nn.GroupNorm(4, 16), nn.InstanceNorm2d(16, affine=True)]
    image = (32, 16, 48, 48)
    return {
        "Linear": (nn.Linear(300, 200), (100, 300)),
        "Linear, one output": (nn.Linear(1000, 1), (1000, 1000)),
        "Linear, large": (nn.Linear(600, 500), (256, 600)),
        "Linear, 3-D": (nn.Linear(128, 512), (8, 64, 128)),
        "Bilinear": (Pair(nn.Bilinear(40, 50, 60)), (64, 90)),
        "Conv1d": (nn.Conv1d(16, 32, 5, padding=2), (32, 16, 200)),
        "Conv2d, first": (nn.Conv2d(16, 16, 3, padding=1), image),
        "Conv2d, 5x5": (nn.Conv2d(16, 24, 5), image),
        "Conv2d, many channels": (nn.Conv2d(64, 64, 3, padding=1), (4, 64, 32, 32)),
        "Conv2d, stride": (nn.Conv2d(16, 48, 3, 2, 1), image),
        "Conv2d, patches": (nn.Conv2d(16, 48, 4, 4), image),
        "Conv2d, 1x1": (nn.Conv2d(16, 48, 1), image),
        "Conv2d, groups": (nn.Conv2d(16, 32, 3, groups=4), image),
        "Conv2d, depthwise": (nn.Conv2d(16, 16, 3, groups=16), image),
        "Conv2d, dilated": (nn.Conv2d(16, 16, 3, dilation=2), image),
        "Conv2d, one image": (nn.Conv2d(16, 16, 3), (1, 16, 100, 100)),
        "Conv2d, small": (nn.Conv2d(8, 16, 3), (64, 8, 8, 8)),
        "Conv3d": (nn.Conv3d(8, 16, 3), (4, 8, 8, 16, 16)),
        "ConvTranspose1d": (nn.ConvTranspose1d(16, 32, 5), (32, 16, 200)),
        "ConvTranspose2d": (nn.ConvTranspose2d(16, 24, 4, 2, 1), image),
        "ConvTranspose2d, stride 1": (nn.ConvTranspose2d(16, 24, 3), image),
        "ConvTranspose3d": (nn.ConvTranspose3d(8, 8, 3, 2), (4, 8, 4, 8, 8)),
        "BatchNorm1d": (nn.BatchNorm1d(600), (1000, 600)),
        "BatchNorm2d": (nn.BatchNorm2d(16), image),
        "BatchNorm3d": (nn.BatchNorm3d(8), (16, 8, 16, 20, 20)),
        "GroupNorm": (nn.GroupNorm(4, 16), image),
        "InstanceNorm2d": (nn.InstanceNorm2d(16, affine=True), image),
        "LayerNorm, rows": (nn.LayerNorm(128), (8192, 128)),
        "LayerNorm, images": (nn.LayerNorm([16, 48, 48]), image),
        "RMSNorm": (nn.RMSNorm(512), (2000, 512)),
        "LocalResponseNorm": (nn.LocalResponseNorm(3), image),
        **{f"{type(m).__name__}, far from zero": (Far(m), image) for m in far},
        "LayerNorm, far from zero": (Far(nn.LayerNorm([16, 48, 48])), image),
        "LayerNorm, rows far from zero": (Far(nn.LayerNorm(128)), (8192, 128)),
        "MaxPool2d": (nn.MaxPool2d(2), image),
        "MaxPool2d, overlapping": (nn.MaxPool2d(3, 2, 1), image),
        "AvgPool2d": (nn.AvgPool2d(2), image),
        "AvgPool3d": (nn.AvgPool3d(2), (16, 8, 16, 20, 20)),
        "AdaptiveAvgPool2d": (nn.AdaptiveAvgPool2d(1), image),
        "AdaptiveAvgPool2d, 5": (nn.AdaptiveAvgPool2d(5), image),
        "AdaptiveMaxPool2d": (nn.AdaptiveMaxPool2d(4), image),
        "Upsample": (nn.Upsample(scale_factor=2, mode="bilinear"), image),
        "Softmax": (nn.Softmax(-1), (6000, 200)),
        "LogSoftmax over channels": (nn.LogSoftmax(1), image),
        "PReLU": (nn.PReLU(16), image),
        "GELU": (nn.GELU(), image),
        # steps of more than 2^20 multiplications use these threads on purpose
        "LSTM": (First(nn.LSTM(64, 64, 2)), (40, 16, 64)),
        "GRU": (First(nn.GRU(64, 64, bidirectional=True)), (40, 16, 64)),
        "RNN": (First(nn.RNN(128, 160)), (40, 16, 128)),
        "MultiheadAttention": (Self(nn.MultiheadAttention(128, 2)), (256, 2, 128)),
        "TransformerEncoderLayer": (
            nn.TransformerEncoderLayer(128, 2, 256, batch_first=True), (2, 256, 128)),
    }


class Wrapped:
    """A module called otherwise than with its input alone."""

    def __init__(self, module):
        self.module = module

    def parameters(self):
        return self.module.parameters()


class Pair(Wrapped):
    def __call__(self, x):
        return self.module(x[:, :40], x[:, 40:])


class Far(Wrapped):
    def __call__(self, x):
        return self.module(x + 1000)


class First(Wrapped):
    def __call__(self, x):
        return self.module(x)[0]


class Self(Wrapped):
    def __call__(self, x):
        return self.module(x, x, x)[0]


def functions(torch):
    """Return names and functions of no arguments."""
    nn, F = torch.nn, torch.nn.functional
    rng = np.random.default_rng(0)

    def tensor(*shape):
        return torch.from_numpy(rng.standard_normal(shape, np.float32)).requires_grad_()

    def ints(high, *shape):
        return torch.from_numpy(rng.integers(0, high, shape))

    def back(function, *args, **options):
        return lambda: function(*args, **options).sum().backward()

    def training(kind, **options):
        parameters = [nn.Parameter(tensor(1000, 800).detach()), nn.Parameter(tensor(300).detach())]
        optimizer = kind(parameters, **options)

        def step():
            for p in parameters:
                p.grad = torch.ones_like(p)
            nn.utils.clip_grad_norm_(parameters, 1.0)
            optimizer.step()

        return step

    a, b, q = tensor(200, 300), tensor(300, 200), tensor(2, 2, 256, 64)
    scores, embedding = tensor(4000, 200), nn.Embedding(500, 64)
    optim = torch.optim
    return {
        "matmul": back(torch.matmul, a, b),
        "matmul, vector": back(torch.mv, tensor(1000, 1000), tensor(1000)),
        "matmul, dot": back(torch.dot, tensor(10**6), tensor(10**6)),
        "matmul, outer": back(torch.outer, tensor(1000), tensor(1000)),
        "matmul, batch": back(torch.matmul, tensor(4, 120, 130), tensor(4, 130, 140)),
        "matmul, batch and vector": back(torch.matmul, tensor(2, 1000, 600), tensor(600)),
        "matmul, broadcast": back(torch.matmul, tensor(4, 120, 130), tensor(130, 140)),
        "einsum": back(torch.einsum, "bij,jk->bik", tensor(4, 120, 130), tensor(130, 140)),
        "tensordot": back(torch.tensordot, tensor(80, 20, 30), tensor(20, 30, 50), 2),
        "addmm": back(torch.addmm, tensor(200, 200), a, b),
        "sum": back(torch.sum, tensor(1000, 800), 1),
        "mean": back(torch.mean, tensor(1000, 800)),
        "var": back(torch.var, tensor(1000, 800), 1),
        "norm": back(torch.linalg.vector_norm, tensor(1000, 800)),
        "cdist": back(torch.cdist, tensor(250, 40), tensor(220, 40)),
        "attention": back(F.scaled_dot_product_attention, q, q, q),
        "causal attention": back(F.scaled_dot_product_attention, q, q, q, is_causal=True),
        "embedding": back(embedding, ints(500, 200, 60)),
        "embedding_bag": back(F.embedding_bag, ints(500, 200, 60), embedding.weight),
        "cross_entropy": back(F.cross_entropy, scores, ints(200, 4000)),
        "cross_entropy, smooth": back(
            F.cross_entropy, scores, ints(200, 4000), label_smoothing=0.1),
        "mse_loss": back(F.mse_loss, tensor(1000, 800), tensor(1000, 800)),
        "bce_with_logits": back(
            F.binary_cross_entropy_with_logits, tensor(1000, 800), torch.zeros(1000, 800)),
        "cosine_similarity": back(F.cosine_similarity, tensor(1000, 800), tensor(1000, 800)),
        "SGD": training(optim.SGD, lr=0.1, momentum=0.9),
        "Adam": training(optim.Adam),
        "AdamW": training(optim.AdamW),
        "RMSprop": training(optim.RMSprop),
        "Adagrad": training(optim.Adagrad),
    }


def cases(torch):
    """Return all names and functions: forward, backward, and once more with another gradient."""
    rng = np.random.default_rng(1)
    found = functions(torch)
    for name, (layer, shape) in layers(torch).items():
        def step(layer=layer, shape=shape):
            x = torch.from_numpy(rng.standard_normal(shape, np.float32)).requires_grad_()
            y = layer(x)
            y.backward(torch.ones_like(y))

        found[name] = step
    return found


def watch():
    """Print what wakes OpenBLAS's threads, for the tests below; run it in a process of its own."""
    threads = [name for name in os.listdir(TASKS) if int(name) != os.getpid()]
    import minigrad as torch

    time.sleep(SETTLED)
    for name, step in cases(torch).items():
        before = run_time(threads)
        step()
        time.sleep(0.012)  # or what a thread still runs is not counted yet
        if run_time(threads) - before > AWAKE:
            print("woken by", name)
            time.sleep(SETTLED)
    before = run_time(threads)
    np.ones((1000, 1000)) @ np.ones((1000, 1000))
    time.sleep(0.02)
    print("watched" if run_time(threads) - before > AWAKE else "blind")


def _watch():
    """Return what `watch` prints in a process whose BLAS may use several threads."""
    names = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "GOTO_NUM_THREADS")
    found = subprocess.run(
        [sys.executable, "-c", "import numpy; from tests.kernels.test_blas_threads import watch; "
         "watch()"],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
        env={name: value for name, value in os.environ.items() if name not in names},
    )
    assert found.returncode == 0, found.stderr
    return found.stdout.splitlines()


def test_no_layer_wakes_the_threads_of_openblas():
    from minigrad.kernels._threads import blas_core

    if not TASKS.exists() or not blas_core() or len(os.sched_getaffinity(0)) < 2:
        pytest.skip("needs Linux, NumPy with OpenBLAS and two processors")
    *woken, end = _watch()
    if end == "blind":
        pytest.skip("the run time of OpenBLAS's threads is not to be seen here")
    assert not woken


if __name__ == "__main__":
    watch()
