"""gradcheck and gradgradcheck: right derivatives pass, wrong ones are named, state is restored."""

from __future__ import annotations

import pytest

import minigrad as torch
from minigrad import nn
from minigrad.autograd import Function, GradcheckError, gradcheck, gradgradcheck


def leaf(*shape):
    return torch.rand(*shape, dtype=torch.float64).requires_grad_()


class Scaled(Function):
    """x * y with a gradient that is wrong by `factor` at one element."""

    factor = 1.0

    @staticmethod
    def forward(ctx, x, y):
        ctx.save_for_backward(x, y)
        return x * y

    @staticmethod
    def backward(ctx, g):
        x, y = ctx.saved_tensors
        gx = (g * y).clone()
        gx[1] = gx[1] * Scaled.factor
        return gx, g * x


def test_right_derivatives_pass():
    assert gradcheck(torch.tanh, (leaf(2, 3),))
    assert gradcheck(lambda x, y: (x @ y, x.sum()), (leaf(2, 3), leaf(3, 2)))
    assert gradgradcheck(lambda x, y: (x @ y).sin(), (leaf(2, 3), leaf(3, 2)))
    assert gradcheck(lambda pair: pair[0] * pair[1], ([leaf(2), leaf(2)],))
    assert gradcheck(torch.exp, leaf(3), fast_mode=True)


@pytest.mark.parametrize("fast", [False, True])
def test_a_wrong_element_is_named(monkeypatch, fast):
    monkeypatch.setattr(Scaled, "factor", 2.0)
    x, y = leaf(3), leaf(3)
    with pytest.raises(GradcheckError, match="gradcheck FAILED") as caught:
        gradcheck(Scaled.apply, (x, y), fast_mode=fast)
    (failure,) = caught.value.report.failures
    assert (failure.input, failure.index, failure.output) == ("x", (1,), (1,))
    assert failure.analytic == pytest.approx(2 * failure.numeric)
    assert "counted twice" in str(caught.value)
    assert "check_gradients(Scaled.apply, *(x, y), seed=0, only=('x', (1,)))" in str(caught.value)
    assert gradcheck(Scaled.apply, (x, y), raise_exception=False, fast_mode=fast) is False
    assert issubclass(GradcheckError, RuntimeError)


def test_a_wrong_second_derivative_is_found():
    class Detached(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x**3

        @staticmethod
        def backward(ctx, g):
            return g * 3 * ctx.saved_tensors[0].detach() ** 2

    x = leaf(2)
    assert gradcheck(Detached.apply, (x,))
    with pytest.raises(GradcheckError, match="gradient of apply"):
        gradgradcheck(Detached.apply, (x,))


def test_modules_are_checked_with_their_parameters_and_left_alone():
    bn = nn.BatchNorm1d(3).double()
    x = leaf(5, 3)
    before = {k: v.clone() for k, v in bn.state_dict().items()}
    rng = torch.get_rng_state()
    assert gradcheck(bn, (x,)) and gradgradcheck(bn, (x,))
    assert all(torch.equal(v, before[k]) for k, v in bn.state_dict().items())
    assert torch.equal(rng, torch.get_rng_state()) and bn.training and x.grad is None

    class LosesWeight(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.ones(3, dtype=torch.float64))

        def forward(self, x):
            return x * self.weight.detach()

    with pytest.raises(GradcheckError, match=r"weight +\[0\]"):
        gradcheck(LosesWeight(), (x,))


def test_a_valid_kink_passes_and_an_invalid_one_does_not():
    class Relu(Function):
        at_zero = 0.0

        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x.clamp(min=0)

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return g * torch.where(x == 0, Relu.at_zero, (x > 0).double())

    x = torch.tensor([-1.0, 0.0, 2.0], dtype=torch.float64, requires_grad=True)
    for value in (0.0, 0.5, 1.0):
        Relu.at_zero = value
        assert gradcheck(Relu.apply, (x,)) and gradcheck(Relu.apply, (x,), fast_mode=True)
    Relu.at_zero = 1.5
    with pytest.raises(GradcheckError) as caught:
        gradcheck(Relu.apply, (x,))
    assert [(f.kind, f.index) for f in caught.value.report.failures] == [("kink", (1,))]


def test_tolerances_decide():
    class Off(Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, g):
            return g * 2.001

    x = leaf(3)
    assert gradcheck(Off.apply, (x,), rtol=1e-2)
    assert not gradcheck(Off.apply, (x,), rtol=1e-5, raise_exception=False)
    with pytest.raises(GradcheckError, match=r"x1\.000"):
        gradcheck(Off.apply, (x,), rtol=1e-5)


def test_dropout_keeps_its_mask():
    drop = nn.Dropout(0.5)
    assert drop.training and gradcheck(drop, (leaf(4, 3),)) and gradgradcheck(drop, (leaf(4, 3),))


def test_randomness_outside_of_the_generators_is_reported():
    count = [0]

    def counts(x):
        count[0] += 1
        return x * count[0]

    with pytest.raises(GradcheckError, match="differs between two equal calls"):
        gradcheck(counts, (leaf(2),))


def test_refusals():
    with pytest.raises(ValueError, match="at least one input tensor to require gradient"):
        gradcheck(torch.exp, (torch.ones(2),))
    with pytest.warns(UserWarning, match="not a double precision"):
        gradcheck(lambda x: x * 2, (torch.ones(2, requires_grad=True),), atol=1, rtol=1)
    with pytest.raises(NotImplementedError, match="check_forward_ad=True"):
        gradcheck(torch.exp, (leaf(2),), check_forward_ad=True)
    with pytest.raises(RuntimeError, match="share memory"):
        gradcheck(torch.exp, (torch.ones(1, dtype=torch.float64).expand(3).requires_grad_(),))


def test_inputs_are_put_back_when_the_function_fails():
    x = leaf(3)
    kept = x.tolist()
    calls = [0]

    def fails(x):
        calls[0] += 1
        if calls[0] > 6:
            raise KeyError("late")
        return x * 2

    with pytest.raises(KeyError):
        gradcheck(fails, (x,))
    assert x.tolist() == kept


def test_second_derivatives_of_functions_of_a_number():
    x = torch.tensor(0.3, dtype=torch.float64, requires_grad=True)
    m = torch.rand(3, 3, dtype=torch.float64, requires_grad=True)
    for fast in (False, True):
        assert torch.autograd.gradgradcheck(lambda t: t.reshape(1, 1).sin(), (x,), fast_mode=fast)
        assert torch.autograd.gradgradcheck(lambda t: torch.linalg.det(t), (m,), fast_mode=fast,
                                            atol=1e-4)
