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


def rates(make: str, torch: Any, resume: bool = False) -> list[list[float]]:
    """Return the groups' rates (and momenta) after each epoch; `resume`: from epoch 4 on."""
    params = start(torch)
    opt = torch.optim.SGD([{"params": params[:1]}, {"params": params[1:], "lr": 0.5}], lr=0.1,
                          momentum=0.9)
    names = {"S": torch.optim.lr_scheduler, "opt": opt}
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
