"""Settings, autocast, backends and the rarer functions of the top namespace."""

from __future__ import annotations

import pytest

import minigrad as torch


def test_determinism_is_noted():
    torch.use_deterministic_algorithms(True, warn_only=True)
    assert torch.are_deterministic_algorithms_enabled()
    assert torch.is_deterministic_algorithms_warn_only_enabled()
    torch.set_deterministic_debug_mode("error")
    assert torch.get_deterministic_debug_mode() == 2
    torch.use_deterministic_algorithms(False)
    with pytest.raises(TypeError, match="must be bool"):
        torch.use_deterministic_algorithms(1)
    with pytest.raises(RuntimeError, match="debug_mode"):
        torch.set_deterministic_debug_mode(5)


def test_precision_and_default_device():
    with pytest.warns(UserWarning, match="'medium'"):
        torch.set_float32_matmul_precision("low")
    torch.set_float32_matmul_precision("high")
    assert torch.get_float32_matmul_precision() == "high"
    torch.set_float32_matmul_precision("highest")
    torch.set_default_device("cpu")
    with pytest.raises(RuntimeError, match="CPU only"):
        torch.set_default_device("cuda")
    with pytest.raises(TypeError, match="floating-point"):
        torch.set_default_tensor_type(torch.IntTensor)
    assert torch.set_flush_denormal(True) is False


def test_mixed_precision_is_off():
    with pytest.warns(UserWarning, match="CUDA is not available"), torch.autocast("cuda"):
        assert not torch.is_autocast_enabled()
    with pytest.raises(NotImplementedError, match="enabled=False"):
        torch.autocast("cpu")
    with pytest.raises(RuntimeError, match="device_type"):
        torch.autocast("toaster")
    with pytest.warns(UserWarning, match="Disabling"):
        scaler = torch.amp.GradScaler("cuda")
    w = torch.ones(1, requires_grad=True)
    opt = torch.optim.SGD([w], lr=0.5)
    scaler.scale((w * 2).sum()).backward()
    scaler.unscale_(opt)
    scaler.step(opt)
    scaler.update()
    assert w.item() == 0.0 and scaler.get_scale() == 1.0


def test_backends_keep_their_switches():
    before = torch.backends.cudnn.benchmark
    torch.backends.cudnn.benchmark = True
    assert torch.backends.cudnn.benchmark is True
    torch.backends.cudnn.benchmark = before
    with pytest.raises(AttributeError, match="no switch"):
        torch.backends.cudnn.benchmarks = True
    assert torch.version.cuda is None


@pytest.mark.parametrize("name", ["fft", "complex64", "sparse_coo_tensor", "multiprocessing"])
def test_absent_names_say_why(name):
    assert not hasattr(torch, name)
    with pytest.raises(AttributeError, match=f"no attribute '{name}': minigrad "):
        getattr(torch, name)
    with pytest.raises(AttributeError, match=r"no attribute 'nonsense'$"):
        torch.zeros(1).nonsense  # noqa: B018


def test_low_rank_factors():
    A = torch.randn(3, 6, 2, dtype=torch.float64) @ torch.randn(3, 2, 5, dtype=torch.float64)
    for M in (A, A.mT):
        U, S, V = torch.svd_lowrank(M, q=2)
        torch.testing.assert_close((U * S.unsqueeze(-2)) @ V.mT, M)
        U, S, V = torch.pca_lowrank(M, q=2)
        torch.testing.assert_close((U * S.unsqueeze(-2)) @ V.mT, M - M.mean(-2, keepdim=True))
    with pytest.raises(ValueError, match="q"):
        torch.svd_lowrank(A, q=9)


def test_pieces_that_are_no_views():
    x = torch.arange(6.0, requires_grad=True)
    part = torch.unsafe_chunk(x * 1, 2)[1]
    part.mul_(3)  # refused for the pieces of chunk
    part.sum().backward()
    assert x.grad.tolist() == [0, 0, 0, 3, 3, 3]


def test_index_fill_counts_a_repeated_index_once():
    v = torch.tensor(2.0, requires_grad=True)
    torch.zeros(2, 3).index_fill(1, torch.tensor([0, 0, -1]), v).sum().backward()
    assert v.grad.item() == 4.0


def test_out_must_not_overlap_itself():
    with pytest.raises(RuntimeError, match="several elements"):
        torch.gather(torch.ones(5), 0, torch.zeros(3, dtype=torch.int64),
                     out=torch.ones(1).expand(3))
