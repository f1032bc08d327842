"""Optimizers and schedules to compare with torch: how each is made, and what is run.

The gradients are a formula of the parameters and the step, so that no net is needed.
"""

from __future__ import annotations

from typing import Any

import numpy as np

OPTIMIZERS = [
    "optim.SGD(params, lr=0.1)",
    "optim.SGD(params)",
    "optim.SGD(params, lr=0.05, momentum=0.9)",
    "optim.SGD(params, lr=0.05, momentum=0.9, dampening=0.3, weight_decay=0.1)",
    "optim.SGD(params, lr=0.05, momentum=0.8, nesterov=True, weight_decay=0.01)",
    "optim.SGD(params, lr=0.01, momentum=0.5, maximize=True, weight_decay=0.1)",
    "optim.SGD(params, lr=0.01, weight_decay=0.2, maximize=True, foreach=False)",
    "optim.SGD([{'params': params[:1]}, {'params': params[1:], 'lr': 0.3}], lr=0.1, momentum=0.5)",
    "optim.SGD([('a', params[0]), ('b', params[1])], lr=torch.tensor(0.25))",
    "optim.Adam(params)",
    "optim.Adam(params, lr=0.1, betas=(0.8, 0.95), eps=1e-4)",
    "optim.Adam(params, lr=0.05, weight_decay=0.1)",
    "optim.Adam(params, lr=0.05, amsgrad=True, foreach=True)",
    "optim.Adam(params, lr=0.05, weight_decay=0.1, maximize=True, amsgrad=True)",
    "optim.Adam(params, lr=0.05, weight_decay=0.1, decoupled_weight_decay=True)",
    "optim.AdamW(params)",
    "optim.AdamW(params, lr=0.1, weight_decay=0.3)",
    "optim.AdamW(params, lr=0.05, amsgrad=True, maximize=True)",
    "optim.AdamW([{'params': params[:1], 'weight_decay': 0}, {'params': params[1:]}], lr=0.1)",
    "optim.RMSprop(params)",
    "optim.RMSprop(params, lr=0.02, alpha=0.9, weight_decay=0.1, maximize=True)",
    "optim.RMSprop(params, lr=0.02, momentum=0.9)",
    "optim.RMSprop(params, lr=0.02, momentum=0.5, centered=True, eps=1e-3)",
    "optim.Adagrad(params, lr=0.1)",
    "optim.Adagrad(params, lr=0.1, lr_decay=0.1, weight_decay=0.1, maximize=True)",
    "optim.Adagrad(params, lr=0.1, initial_accumulator_value=0.5, eps=1e-3)",
    "optim.Adadelta(params)",
    "optim.Adadelta(params, lr=0.5, rho=0.8, eps=1e-3, weight_decay=0.1)",
    "optim.Adadelta(params, lr=torch.tensor(2.0), maximize=True, foreach=True)",
    "optim.Adamax(params)",
    "optim.Adamax(params, lr=0.05, betas=(0.8, 0.9), eps=1e-3, weight_decay=0.1)",
    "optim.Adamax(params, lr=0.01, maximize=True, weight_decay=0.1, foreach=False)",
    "optim.NAdam(params)",
    "optim.NAdam(params, lr=0.01, betas=(0.8, 0.9), eps=1e-3, weight_decay=0.1)",
    "optim.NAdam(params, lr=0.05, momentum_decay=0.1, maximize=True)",
    "optim.NAdam(params, lr=0.05, weight_decay=0.2, decoupled_weight_decay=True)",
    "optim.RAdam(params)",
    "optim.RAdam(params, lr=0.05, betas=(0.8, 0.9), eps=1e-3, weight_decay=0.1)",
    "optim.RAdam(params, lr=0.05, betas=(0.9, 0.7), maximize=True)",
    "optim.RAdam(params, lr=0.05, weight_decay=0.2, decoupled_weight_decay=True)",
    "optim.ASGD(params)",
    "optim.ASGD(params, lr=0.1, lambd=0.01, alpha=0.5, t0=5, weight_decay=0.1)",
    "optim.ASGD(params, lr=0.05, t0=0, maximize=True, foreach=False)",
    "optim.Rprop(params)",
    "optim.Rprop(params, lr=0.1, etas=(0.3, 1.5), step_sizes=(1e-3, 0.2))",
    "optim.Rprop(params, lr=0.05, maximize=True, foreach=True)",
    "optim.Adafactor(params)",
    "optim.Adafactor(params, lr=0.02, beta2_decay=-0.5, eps=(1e-3, 1e-2), weight_decay=0.1)",
    "optim.Adafactor(params, lr=0.05, d=2.0, maximize=True, foreach=False)",
    "optim.Muon(params[:1])",
    "optim.Muon(params[:1], lr=0.01, momentum=0.8, nesterov=False, weight_decay=0)",
    "optim.Muon(params[:1], 0.05, ns_coefficients=(2.0, -1.5, 0.5), eps=1e-3, ns_steps=3)",
    "optim.Muon(params[:1], lr=0.1, adjust_lr_fn='match_rms_adamw')",
]
WHOLE = ("Adafactor", "Muon")  # what they do to one element depends on the others

CLOSURES = [
    "optim.LBFGS(params)",
    "optim.LBFGS(params, lr=0.5, max_iter=4, history_size=2)",
    "optim.LBFGS(params, lr=0.1, max_iter=7, max_eval=5, tolerance_grad=1e-2)",
    "optim.LBFGS(params, line_search_fn='strong_wolfe')",
    "optim.LBFGS(params, 3.0, 6, history_size=3, line_search_fn='strong_wolfe')",
    "optim.LBFGS(params, max_iter=9, tolerance_change=1e-3, line_search_fn='strong_wolfe')",
]

SCHEDULES = [
    "S.StepLR(opt, 3)",
    "S.StepLR(opt, step_size=2, gamma=0.5)",
    "S.MultiStepLR(opt, [2, 5, 5, 8], gamma=0.3)",
    "S.ConstantLR(opt, factor=0.25, total_iters=4)",
    "S.LinearLR(opt)",
    "S.LinearLR(opt, start_factor=1.0, end_factor=0.1, total_iters=6)",
    "S.ExponentialLR(opt, 0.9)",
    "S.PolynomialLR(opt, total_iters=6, power=2.0)",
    "S.CosineAnnealingLR(opt, 5)",
    "S.CosineAnnealingLR(opt, T_max=4, eta_min=0.01)",
    "S.LambdaLR(opt, lambda epoch: 0.95 ** epoch)",
    "S.LambdaLR(opt, [lambda epoch: 1 / (1 + epoch), lambda epoch: 0.5])",
    "S.OneCycleLR(opt, 1.0, total_steps=20)",
    "S.OneCycleLR(opt, [1.0, 2.0], epochs=4, steps_per_epoch=4, anneal_strategy='linear')",
    "S.OneCycleLR(opt, 1.0, total_steps=14, three_phase=True, pct_start=0.25)",
    "S.MultiplicativeLR(opt, lambda epoch: 0.9 + 0.01 * epoch)",
    "S.MultiplicativeLR(opt, [lambda epoch: 0.5, lambda epoch: 0.9])",
    "S.CyclicLR(opt, 0.1, 0.5, step_size_up=3)",
    "S.CyclicLR(opt, [0.1, 0.2], [0.3, 0.8], 2, 4, mode='triangular2', base_momentum=0.5)",
    "S.CyclicLR(opt, 0.1, 0.5, 2, mode='exp_range', gamma=0.9, cycle_momentum=False)",
    "S.CyclicLR(opt, 0.1, 0.5, 2, scale_fn=lambda x: 1 / (1 + x), scale_mode='iterations')",
    "S.CosineAnnealingWarmRestarts(opt, 3)",
    "S.CosineAnnealingWarmRestarts(opt, T_0=2, T_mult=2, eta_min=0.01)",
    "S.SequentialLR(opt, [S.ConstantLR(opt, 0.5, 2), S.ExponentialLR(opt, 0.9)], [3])",
    "S.SequentialLR(opt, [S.LinearLR(opt), S.CosineAnnealingLR(opt, 4), S.StepLR(opt, 2)], [2, 6])",
    "S.SequentialLR(opt, [S.StepLR(opt, 2), S.CosineAnnealingWarmRestarts(opt, 2)], [5])",
    "S.ChainedScheduler([S.LinearLR(opt, 0.5, total_iters=3), S.ExponentialLR(opt, 0.9)])",
    "W.SWALR(opt, 0.05, anneal_epochs=4)",
    "W.SWALR(opt, [0.05, 0.2], 5, 'linear')",
    "W.SWALR(opt, swa_lr=0.05, anneal_epochs=0)",
]
PLATEAUS = [
    "S.ReduceLROnPlateau(opt, patience=1, cooldown=1, factor=0.5)",
    "S.ReduceLROnPlateau(opt, 'max', patience=0, threshold=0.02, min_lr=[0.01, 0.2])",
    "S.ReduceLROnPlateau(opt, patience=0, threshold=0.05, threshold_mode='abs', factor=0.7)",
    "S.ReduceLROnPlateau(opt, 'max', patience=2, threshold_mode='abs', eps=0.2)",
]
METRICS = (1.0, 0.9, 0.95, 0.91, 0.92, 0.93, 0.94, 0.8, 0.81, 0.82, 0.83, 0.99, 1.2)
CHAINED = "S.LinearLR(opt, 0.5, total_iters=3)", "S.CosineAnnealingLR(opt, 8)"
EPOCHS = 12
KEPT = (1, 2, 10, 50)


def start(torch: Any) -> list[Any]:
    """Return two parameters with fixed values."""
    values = [np.linspace(-1.0, 2.0, 6).reshape(2, 3), np.linspace(0.5, -0.5, 4)]
    return [torch.nn.Parameter(torch.from_numpy(v.copy())) for v in values]


def gradient(values: np.ndarray, step: int) -> np.ndarray:
    """Return the gradient of a wavy bowl that moves with the steps."""
    return np.sin(3 * values + 0.1 * step) + 0.5 * values


def trajectory(make: str, torch: Any) -> tuple[dict[int, list[np.ndarray]], Any]:
    """Return the parameters after some of 50 steps, and the optimizer."""
    params = start(torch)
    opt = eval(make, {"optim": torch.optim, "params": params, "torch": torch})
    found = {}
    for step in range(1, 51):
        for k, p in enumerate(params):
            g = gradient(p.detach().numpy(), step)
            p.grad = None if k == 1 and step % 7 == 3 else torch.from_numpy(g)
        opt.step()
        if step in KEPT:
            found[step] = [p.detach().numpy().copy() for p in params]
    return found, opt


def scheduled(torch: Any) -> tuple[Any, dict[str, Any]]:
    """Return an optimizer of two groups, and the names that the lines of SCHEDULES use."""
    params = start(torch)
    opt = torch.optim.SGD([{"params": params[:1]}, {"params": params[1:], "lr": 0.5}], lr=0.1,
                          momentum=0.9)
    return opt, {"S": torch.optim.lr_scheduler, "W": torch.optim.swa_utils, "opt": opt}


def can_resume(make: str) -> bool:
    """Tell whether a schedule can be made in the middle of training, with last_epoch."""
    return not any(name in make for name in ("chained", "OneCycle", "Sequential", "Chained"))


def keys(make: str, torch: Any) -> list[str]:
    """Return the names in a schedule's state_dict."""
    return sorted(eval(make, scheduled(torch)[1]).state_dict())


def rates(make: str, torch: Any, resume: bool = False) -> list[list[float]]:
    """Return the groups' rates (and momenta) after each epoch; `resume`: from epoch 4 on."""
    opt, names = scheduled(torch)
    if resume:
        for group in opt.param_groups:
            group["initial_lr"] = 2 * group["lr"]
        made = [eval(make.removesuffix(")") + ", last_epoch=4)", names)]
    else:
        made = [eval(each, names) for each in (CHAINED if make == "chained" else (make,))]
    found = []
    for _ in range(EPOCHS):
        opt.step()
        found.append([group[key] for group in opt.param_groups for key in ("lr", "momentum")])
        for schedule in made:
            schedule.step()
    return found


def minimise(make: str, torch: Any) -> tuple[dict[str, Any], Any]:
    """Return parameters, losses and calls over four steps on a curved valley; and the optimizer."""
    params = start(torch)
    opt = eval(make, {"optim": torch.optim, "params": params, "torch": torch})
    calls = 0

    def closure() -> Any:
        nonlocal calls
        calls += 1
        opt.zero_grad()
        x, y = params[0].reshape(-1), params[1]
        loss = ((1 - x) ** 2).sum() + 5 * ((y - x[:4] ** 2) ** 2).sum() + (x * y.sum()).cos().sum()
        loss.backward()
        return loss

    found: dict[str, Any] = {"losses": [], "calls": []}
    for step in range(4):
        found["losses"].append(float(opt.step(closure)))
        found["calls"].append(calls)
        for k, p in enumerate(params):
            found[f"{step}/{k}"] = p.detach().numpy().copy()
    return found, opt


def averages(torch: Any) -> dict[str, Any]:
    """Return averaged weights by every rule, and batch statistics estimated anew."""
    W = torch.optim.swa_utils
    found = {}
    for name, options in (("swa", {}), ("ema", {"avg_fn": W.get_ema_avg_fn(0.8)}),
                          ("lists", {"multi_avg_fn": W.get_ema_multi_avg_fn(0.7)}),
                          ("swa lists", {"multi_avg_fn": W.get_swa_multi_avg_fn()}),
                          ("buffers", {"use_buffers": True})):
        net = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2)).double()
        mean = W.AveragedModel(net, **options)
        for step in range(4):
            with torch.no_grad():
                for k, value in enumerate(net.state_dict().values()):
                    wave = np.sin(np.arange(1.0, value.numel() + 1) * (step + 1) + k) * 3
                    value.copy_(torch.from_numpy(np.abs(wave).reshape(tuple(value.shape))))
            mean.update_parameters(net)
        found.update({f"{name}/{k}": v.numpy().copy() for k, v in mean.state_dict().items()})
        batches = [torch.from_numpy(np.cos(np.arange(12.0) * k).reshape(4, 3)) for k in (1, 2)]
        W.update_bn([(batches[0], 1), [batches[1]]], mean)
        found.update({f"{name}/bn/{k}": v.numpy().copy() for k, v in mean.named_buffers()})
    return found


def plateau(make: str, torch: Any) -> list[list[float]]:
    """Return the rates after each metric of a fixed row."""
    params = start(torch)
    opt = torch.optim.SGD([{"params": params[:1]}, {"params": params[1:], "lr": 0.5}], lr=0.1)
    schedule = eval(make, {"S": torch.optim.lr_scheduler, "opt": opt})
    found = []
    for metric in METRICS:
        schedule.step(torch.tensor(metric))
        found.append([*schedule.get_last_lr(), schedule.num_bad_epochs])
    return found
