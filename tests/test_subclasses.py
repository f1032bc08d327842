"""Subclasses of Tensor and `__torch_function__`: small programs, and pitfalls.

The programs stand in subclass_programs.py and override_programs.py. What PyTorch makes of them is
recorded by tests/record_subclasses.py.
"""

from __future__ import annotations

import copy
import inspect
import json
import pickle
import subprocess
import sys
import threading
import warnings
from pathlib import Path

import pytest

import minigrad as torch

from . import override_programs, subclass_programs

PROGRAMS = subclass_programs.PROGRAMS | override_programs.PROGRAMS
ROOT = Path(__file__).parent.parent
RECORDED = json.loads((ROOT / "tests" / "data" / "subclasses.json").read_text())


class Kept(torch.Tensor):
    """A subclass that pickle finds."""


@pytest.mark.parametrize("name", PROGRAMS)
def test_as_in_pytorch(name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = json.loads(json.dumps(PROGRAMS[name](torch)))
    assert found == RECORDED[name]


def run(code: str) -> str:
    """Run a program in a fresh process, where nothing has asked for `__torch_function__` yet."""
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True,
                          text=True, cwd=ROOT, check=False)
    return (done.stdout + done.stderr).strip()


def test_plain_programs_keep_their_bodies():
    """None of the package's own classes makes public functions look at their arguments."""
    assert run("""if True:
        import importlib, pkgutil, minigrad
        for found in pkgutil.walk_packages(minigrad.__path__, "minigrad."):
            if found.name not in ("minigrad.overrides",) and "__main__" not in found.name:
                importlib.import_module(found.name)
        class Net(minigrad.nn.Module):
            pass
        class P(minigrad.nn.Parameter):
            pass
        print(len(minigrad._dispatch.names), minigrad.relu.__code__.co_name)
    """) == "0 call"


def test_functions_stay_what_they_are():
    """Names that were imported, and keys of dictionaries, mean the same functions afterwards."""
    assert run("""if True:
        import inspect
        import minigrad as torch
        from minigrad.nn.functional import cross_entropy, relu
        table = {cross_entropy: "ce", torch.Tensor.add: "add", relu: "relu", torch.add: "add"}
        before = [str(inspect.signature(f)) for f in table], [f.__doc__ for f in table]
        class Sub(torch.Tensor):
            @classmethod
            def __torch_function__(cls, func, types, args=(), kwargs=None):
                return table[func]
        x = Sub([[1., 2.]])
        print(cross_entropy(x, torch.tensor([0])), x.add(1), x + 1, torch.add(x, 1), relu(x),
              torch.nn.functional.relu is relu, torch.Tensor.add in table,
              before == ([str(inspect.signature(f)) for f in table], [f.__doc__ for f in table]))
    """) == "ce add add add relu True True True"


def test_signatures_survive():
    assert list(inspect.signature(torch.softmax).parameters)[:2] == ["input", "dim"]
    assert list(inspect.signature(torch.Tensor.view).parameters) == ["self", "size"]


DUCK = """if True:
    import minigrad as torch
    class Duck:
        @classmethod
        def __torch_function__(cls, func, types, args=(), kwargs=None):
            return func.__name__, len(args), kwargs
    duck = Duck()
    """


@pytest.mark.parametrize(("call", "found"), [
    ("torch.add(duck, 1)", "('add', 2, {})"),
    ("torch.add(torch.ones(2), duck, alpha=2)", "('add', 2, {'alpha': 2})"),
    ("torch.ones(2) + duck", "('add', 2, {})"),
    ("duck @ torch.ones(2)", "('matmul', 2, {})"),
    ("torch.cat([torch.ones(2), duck], 0)", "('cat', 1, {})"),
    ("torch.mean(duck)", "('mean', 1, {})"),
])
def test_the_first_call_with_an_object_that_is_no_tensor(call, found):
    """An op notices by itself; `add` and the others were plain functions until now."""
    assert run(f"{DUCK}print({call})") == found


@pytest.mark.parametrize("call", ["torch.nn.functional.softmax(duck, 0)", "torch.flatten(duck)",
                                  "torch.nn.functional.cross_entropy(duck, torch.ones(2))"])
def test_functions_of_several_ops_say_what_to_import(call):
    text = run(f"{DUCK}{call}")
    assert "TypeError" in text.splitlines()[-1]
    assert "import minigrad.overrides before the first" in text
    assert run(f"{DUCK}torch.overrides\n    print({call}[0])") in call


def test_torch_dispatch_is_refused():
    with pytest.raises(NotImplementedError, match="Low: __torch_dispatch__ is not supported"):
        class Low(torch.Tensor):
            @classmethod
            def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
                return func(*args)

    class Quiet(torch.Tensor):
        __torch_function__ = torch._C._disabled_torch_function_impl
        __torch_dispatch__ = torch._C._disabled_torch_dispatch_impl

    assert type(torch.ones(1).as_subclass(Quiet) + 1) is torch.Tensor


def test_copies_keep_the_class():
    x = torch.ones(2).as_subclass(Kept).clone().detach()
    x.note = "a"
    p = torch.nn.Parameter(x)
    for made in (copy.copy(x), copy.deepcopy(x), pickle.loads(pickle.dumps(x))):
        assert type(made) is Kept
        assert made.note == "a"
    for made in (copy.deepcopy(p), pickle.loads(pickle.dumps(p))):
        assert type(made) is Kept
        assert isinstance(made, torch.nn.Parameter)
        assert made.requires_grad


def test_a_handler_that_raises_leaves_everything_on():
    class Fails(torch.Tensor):
        @classmethod
        def __torch_function__(cls, func, types, args=(), kwargs=None):
            raise KeyError("mine")

    x = torch.ones(2).as_subclass(Fails)
    for _ in range(2):
        with pytest.raises(KeyError, match="mine"):
            x + 1
        with pytest.raises(KeyError, match="mine"):
            torch.relu(x)
    y = torch.ones(2).as_subclass(Kept)
    with pytest.raises(RuntimeError, match="shape"):
        y.view(3)
    assert type(y + 1) is Kept


def test_the_error_names_function_and_classes():
    class A(torch.Tensor):
        pass

    a, b = torch.ones(2).as_subclass(A), torch.ones(2).as_subclass(Kept)
    with pytest.raises(TypeError, match=r"no implementation found for 'torch.mul'.*A.*Kept"):
        torch.mul(a, b)
    with pytest.raises(TypeError, match=r"torch.Tensor.view.*__torch_function__"):
        torch.overrides.handle_torch_function(torch.Tensor.view, (a, b), a, b)


def test_switches_belong_to_one_thread():
    x, found = torch.ones(2).as_subclass(Kept), []
    with torch._C.DisableTorchFunctionSubclass():
        other = threading.Thread(target=lambda: found.append(type(x + 1)))
        other.start()
        other.join()
        found.append(type(x + 1))
    assert found == [Kept, torch.Tensor]


def test_derivatives_go_through_the_class():
    x = torch.tensor([1., 2.], dtype=torch.float64).as_subclass(Kept).clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda t: (t.exp() * t).sum(), (x,))
    assert torch.autograd.gradgradcheck(lambda t: (t.exp() * t).sum(), (x,))


def test_training_with_a_parameter_of_a_subclass():
    torch.manual_seed(0)
    nets = [torch.nn.Linear(3, 2) for _ in range(2)]
    nets[1].load_state_dict(nets[0].state_dict())
    nets[1].weight = torch.nn.Parameter(nets[1].weight.detach().as_subclass(Kept))
    for net in nets:
        optimizer = torch.optim.Adam(net.parameters(), lr=0.1)
        for _ in range(3):
            optimizer.zero_grad()
            (net(torch.ones(4, 3)) ** 2).sum().backward()
            optimizer.step()
    assert type(nets[1].weight) is Kept
    assert torch.equal(nets[0].weight, nets[1].weight.as_subclass(torch.Tensor))


def test_every_method_of_a_subclass_is_asked():
    """No public function, method or property of Tensor was forgotten."""
    listed = torch.overrides.get_overridable_functions()
    flat = [function for functions in listed.values() for function in functions]
    assert len(flat) > 800
    for name in ("add", "add_", "view", "__getitem__", "__setitem__", "backward", "numpy", "item"):
        assert getattr(torch.Tensor, name) in flat, name
    for name in ("shape", "grad", "T", "requires_grad", "data", "itemsize"):
        assert getattr(torch.Tensor, name).__get__ in flat, name
    assert torch.is_tensor not in flat
    assert torch.manual_seed not in flat


def test_warnings_point_to_the_callers_line():
    """Also after functions have got a body that looks at their arguments."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        torch.nn.functional.softmax(torch.ones(2))
        torch.nn.functional.mse_loss(torch.ones(2), torch.ones(1))
    assert [Path(w.filename).name for w in caught] == ["test_subclasses.py"] * 2
