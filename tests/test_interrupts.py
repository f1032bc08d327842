"""KeyboardInterrupt, raised by a signal at any moment, leaves every switch as it was.

A timer's signal is handled between any two steps of the interpreter, as Ctrl-C is. Python itself
leaves one gap: a `with` block of the user may end before its `__exit__` has begun. The programs
here have no such block of their own; those inside of minigrad have to be safe.
"""

from __future__ import annotations

import contextlib
import random
import signal
import threading
import time

import numpy as np
import pytest

import minigrad as torch
from minigrad import nn
from minigrad.anomaly import anomaly
from minigrad.func import grad, jacrev, jvp, vmap
from minigrad.kernels import _threads
from minigrad.modes import state
from minigrad.utils.checkpoint import checkpoint

pytestmark = [
    pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs setitimer"),
    pytest.mark.skipif(threading.current_thread() is not threading.main_thread(),
                       reason="signals come to the main thread")]


@pytest.fixture(autouse=True)
def alarms():
    """Raise KeyboardInterrupt at alarms; restore the number of threads."""
    def stop(*args):
        raise KeyboardInterrupt

    threads, before = torch.get_num_threads(), signal.signal(signal.SIGALRM, stop)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)
    torch.set_num_threads(threads)


def interrupted(function, seconds):
    """Run a function; return True if the alarm came before its end."""
    try:
        signal.setitimer(signal.ITIMER_REAL, seconds)
        function()
        signal.setitimer(signal.ITIMER_REAL, 0)
    except KeyboardInterrupt:
        return True
    return False


def switches():
    """Return what an exception could leave switched."""
    blas = _threads._openblas
    return {"grad": torch.is_grad_enabled(), "inference": torch.is_inference_mode_enabled(),
            "arrays": state.arrays, "task": state.task, "levels": state.levels,
            "packers": state.packers, "runs": state.runs, "anomaly": torch.is_anomaly_enabled(),
            "hooks": len(anomaly.hooks), "dtype": torch.get_default_dtype(), "errors": np.geterr(),
            "blas": blas.get_num_threads() if blas else 1, "threads": torch.get_num_threads(),
            "limits": len(_threads.one_blas_thread.inside),
            "busy": sum(not worker.job.finished for worker in _threads._workers)}


class Net(nn.Module):
    """Convolutions on several threads, norms, dropout, an LSTM and attention."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Sequential(nn.Conv2d(3, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(),
                                  nn.Dropout(0.3), nn.Conv2d(16, 16, 3, padding=1), nn.MaxPool2d(4))
        self.lstm = nn.LSTM(16, 8, batch_first=True)
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.last = nn.Linear(8, 3)

    def forward(self, x):
        h = self.conv(x).flatten(2).transpose(1, 2)
        h = self.lstm(h)[0]
        return self.last(self.attention(h, h, h, need_weights=False)[0].mean(1))


class Training:
    """A training step that starts from the same state each time it is reset."""

    def __init__(self):
        self.x, self.y = torch.randn(8, 3, 16, 16), torch.randint(0, 3, (8,))
        self.net = Net()
        self.start = {k: v.clone() for k, v in self.net.state_dict().items()}
        self.reset()
        self.step()
        self.wanted = {k: v.clone() for k, v in self.net.state_dict().items()}

    def reset(self):
        torch.manual_seed(5)
        self.net.load_state_dict(self.start)
        self.opt = torch.optim.Adam(self.net.parameters(), lr=0.01)

    def closure(self):
        self.opt.zero_grad()
        loss = nn.functional.cross_entropy(self.net(self.x), self.y)
        loss.backward()
        return loss

    def step(self):
        self.opt.step(self.closure)
        nn.utils.clip_grad_norm_(self.net.parameters(), 1.0)

    def check(self):
        """Do an undisturbed step: it gives the same bits as ever."""
        self.reset()
        self.step()
        for name, value in self.net.state_dict().items():
            assert torch.equal(value, self.wanted[name]), name


def train_with_interrupts(count, threads):
    torch.set_num_threads(threads)
    training, choose = Training(), random.Random(threads)
    start = time.perf_counter()
    training.step()
    longest = max(time.perf_counter() - start, 1e-4)
    before, stopped, workers = switches(), 0, len(_threads._workers)
    for k in range(count):
        stopped += interrupted(training.step, choose.uniform(1e-5, longest))
        now = switches()
        assert now == before, (k, {name: now[name] for name in now if now[name] != before[name]})
        if k % 25 == 24:
            training.check()
    training.check()
    assert len(_threads._workers) <= max(threads - 1, workers)  # earlier tests may have hired more
    return stopped


def test_interrupts_in_training_leave_the_next_step_exact():
    assert train_with_interrupts(100, 2) > 5


@pytest.mark.slow
@pytest.mark.parametrize("threads", [1, 2, 4])
def test_many_interrupts_in_training(threads):
    assert train_with_interrupts(2000, threads) > 200


@pytest.mark.slow
def test_many_interrupts_between_small_ops():
    """Most alarms come at the engine's own lines."""
    w = torch.randn(3, requires_grad=True)

    def step():
        for _ in range(20):
            y = (w * 2).exp().clone()
            y[0] = 1.0
            (g,) = torch.autograd.grad(y.sum(), w, create_graph=True)
            (g * g).sum().backward()

    step()
    w.grad = None
    step()
    wanted, before, stopped = w.grad.clone(), switches(), 0
    for k in range(6000):
        w.grad = None
        if interrupted(step, random.uniform(1e-5, 2e-3)):
            stopped += 1
        else:
            assert torch.equal(w.grad, wanted)
        now = switches()
        assert now == before, (k, {name: now[name] for name in now if now[name] != before[name]})
    assert stopped > 500


def test_interrupted_workers_are_waited_for_and_used_again():
    """No worker may still write when `run` has ended, and none may be lost."""
    torch.set_num_threads(3)
    target, workers = np.zeros((40, 200, 200)), len(_threads._workers)

    def task(index):
        target[index] = index
        np.sqrt(target[index], out=target[index])

    for _ in range(150):
        interrupted(lambda: _threads.run(task, 40), random.uniform(1e-5, 2e-3))
        kept = target.copy()
        assert all(worker.job.finished for worker in _threads._workers)
        target[:] = -1
        assert (target == -1).all()
        del kept
    with contextlib.suppress(KeyboardInterrupt):
        _threads.run(task, 40)
    assert all((target[k] == np.sqrt(k)).all() for k in range(40))
    assert len(_threads._workers) <= max(2, workers)


class Doubled(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * 2

    @staticmethod
    def backward(ctx, g):
        return g * 2 * ctx.saved_tensors[0]


X = torch.ones(4, requires_grad=True)
NET = nn.Sequential(nn.Linear(4, 4), nn.Tanh())
PROGRAMS = {
    "Function": lambda: Doubled.apply(X).sum().backward(),
    "checkpoint": lambda: checkpoint(NET, X, use_reentrant=False).sum().backward(),
    "reentrant": lambda: checkpoint(NET, X, use_reentrant=True).sum().backward(),
    "vmap of grad": lambda: vmap(grad(lambda t: (t**2).sum()))(X.detach().reshape(2, 2)),
    "jacrev": lambda: jacrev(torch.exp)(X.detach()),
    "jvp": lambda: jvp(torch.sin, (X.detach(),), (X.detach(),)),
    "load_state_dict": lambda: NET.load_state_dict(NET.state_dict()),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", PROGRAMS)
def test_many_interrupts_in_other_parts(name):
    def several():
        for _ in range(5):
            PROGRAMS[name]()

    several()
    start = time.perf_counter()
    several()
    longest = max(time.perf_counter() - start, 1e-4)
    before, stopped = switches(), 0
    for k in range(1500):
        stopped += interrupted(several, random.uniform(1e-5, longest))
        now = switches()
        assert now == before, (k, {name: now[name] for name in now if now[name] != before[name]})
    X.grad = None
    assert stopped > 50
