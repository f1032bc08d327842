"""Threads, forked processes and copies train as one undisturbed program does, bit for bit."""

from __future__ import annotations

import copy
import os
import pickle
import threading

import pytest

import minigrad as torch
from minigrad import nn


class Net(nn.Module):
    """Convolutions large enough for several threads, norms, an LSTM; dropout of its own."""

    def __init__(self, generator):
        super().__init__()
        self.generator = generator
        self.conv = nn.Conv2d(2, 8, 3, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.second = nn.Conv2d(8, 8, 3, padding=1)
        self.lstm = nn.LSTM(8, 4, batch_first=True)
        self.layer_norm = nn.LayerNorm(4)
        self.last = nn.Linear(4, 3)
        with torch.no_grad():
            for p in self.parameters():
                p.copy_(torch.rand(p.shape, generator=generator) - 0.5)

    def forward(self, x):
        h = self.second(self.norm(self.conv(x)).relu())
        keep = torch.rand(h.shape, generator=self.generator) > 0.3
        h = nn.functional.max_pool2d(h * keep / 0.7, 4).flatten(2).transpose(1, 2)
        return self.last(self.layer_norm(self.lstm(h)[0][:, -1]))


class Training:
    """A training that can be stopped anywhere: all it has is a net, an optimiser, a generator."""

    def __init__(self, seed):
        self.generator = torch.Generator().manual_seed(seed)
        self.net = Net(self.generator)
        self.opt = torch.optim.Adam(self.net.parameters(), lr=0.01)
        self.scheduler = torch.optim.lr_scheduler.StepLR(self.opt, 2, 0.5)

    def steps(self, count=4):
        for _ in range(count):
            x = torch.rand(8, 2, 16, 16, generator=self.generator)
            y = torch.randint(0, 3, (8,), generator=self.generator)
            self.opt.zero_grad()
            nn.functional.cross_entropy(self.net(x), y).backward()
            nn.utils.clip_grad_norm_(self.net.parameters(), 1.0)
            self.opt.step()
            self.scheduler.step()
        return self

    def same_as(self, other):
        a, b = self.net.state_dict(), other.net.state_dict()
        return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


@pytest.fixture(autouse=True)
def threads():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


# ---------------------------------------------------------------------------- threads and processes
@pytest.mark.parametrize("workers", [1, 2, 3])
@pytest.mark.parametrize("count", [2, 4])
def test_threads_train_as_one(count, workers):
    torch.set_num_threads(workers)
    wanted = {seed: Training(seed).steps() for seed in range(count)}
    found = {}
    running = [threading.Thread(target=lambda s=s: found.update({s: Training(s).steps()}))
               for s in wanted]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    assert all(found[seed].same_as(wanted[seed]) for seed in wanted)


def test_the_number_of_threads_changes_while_others_train():
    """The number is the process's: whoever sets it last, the bits stay the same."""
    wanted, found, done = Training(7).steps(6), [], threading.Event()

    def change():
        k = 0
        while not done.is_set():
            torch.set_num_threads(1 + k % 3)
            k += 1

    changers = [threading.Thread(target=change) for _ in range(2)]
    for thread in changers:
        thread.start()
    try:
        found.append(Training(7).steps(6))
    finally:
        done.set()
        for thread in changers:
            thread.join()
    assert found[0].same_as(wanted)


def in_child(function):
    """Fork; return what the function answers in the child: True, False or None if it died."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.write(writing, b"1" if function() else b"0")
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        answer = pipe.read()
    os.waitpid(child, 0)
    return {b"1": True, b"0": False}.get(answer)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_process_goes_on_training():
    torch.set_num_threads(2)
    wanted, begun = Training(3).steps(5), Training(3).steps(2)
    assert in_child(lambda: begun.steps(3).same_as(wanted))
    assert in_child(lambda: Training(3).steps(5).same_as(wanted))
    assert begun.steps(3).same_as(wanted)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_fork_while_another_thread_trains():
    torch.set_num_threads(2)
    wanted, found = Training(4).steps(8), []
    other = threading.Thread(target=lambda: found.append(Training(4).steps(8)))
    other.start()
    try:
        assert in_child(lambda: Training(4).steps(8).same_as(wanted))
    finally:
        other.join()
    assert found[0].same_as(wanted)


# ------------------------------------------------------------------------------ copies and pickles
@pytest.mark.parametrize("how", ["deepcopy", "pickle"])
def test_a_copy_goes_on_as_the_original(how):
    """The net, Adam's moments, the scheduler and the generator, in the middle of training."""
    training = Training(5).steps(3)
    twin = copy.deepcopy(training) if how == "deepcopy" else pickle.loads(pickle.dumps(training))
    assert twin.net is not training.net and twin.same_as(training)
    assert twin.opt.param_groups[0]["params"][0] is next(twin.net.parameters())
    assert training.steps(3).same_as(twin.steps(3))
    assert twin.scheduler.get_last_lr() == training.scheduler.get_last_lr()


OPTIMIZERS = ["SGD", "Adam", "AdamW", "RMSprop", "Adagrad", "Adadelta", "NAdam", "RAdam", "Adamax",
              "ASGD", "Rprop", "LBFGS"]


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_is_copied_in_the_middle(name):
    def steps(w, opt, count):
        def closure():
            opt.zero_grad()
            loss = ((w - 1) ** 4).sum()
            loss.backward()
            return loss

        for _ in range(count):
            opt.step(closure)
        return w.detach().clone()

    w = torch.tensor([0.3, -0.7], requires_grad=True)
    opt = getattr(torch.optim, name)([w], lr=0.01)
    steps(w, opt, 3)
    copies = [copy.deepcopy((w, opt)), pickle.loads(pickle.dumps((w, opt)))]
    wanted = steps(w, opt, 3)
    assert all(torch.equal(steps(*pair, 3), wanted) for pair in copies)


def test_pickled_tensors_and_modules():
    x = torch.arange(6.0).reshape(2, 3).t().requires_grad_()
    again = pickle.loads(pickle.dumps(x))
    assert torch.equal(again, x) and again.requires_grad and again.is_leaf
    net = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    net.register_buffer("shared", net[0].weight)
    twin = pickle.loads(pickle.dumps(net))
    assert twin.shared is twin[0].weight
    assert all(map(torch.equal, net.state_dict().values(), twin.state_dict().values()))


def test_what_has_a_history_is_not_copied():
    x = torch.ones(2, requires_grad=True)
    y = x * 2
    with pytest.raises(RuntimeError, match="deepcopy"):
        copy.deepcopy(y)
    for copied in (pickle.dumps, copy.deepcopy, copy.copy):
        with pytest.raises(TypeError, match="cannot pickle 'MulBackward0' object"):
            copied(y.grad_fn)
    again = pickle.loads(pickle.dumps(y))
    assert torch.equal(again, y) and again.is_leaf
