"""Make the picture of gradient-checking.md: the error of numeric derivatives against the step.

    pip install -e ".[examples]" && python docs/make_gradcheck_figure.py
"""

from __future__ import annotations

from pathlib import Path

import matplotlib
import numpy as np

matplotlib.use("svg")
import matplotlib.pyplot as plt

TARGET = Path(__file__).parent / "images" / "gradcheck_error.svg"
STEPS = np.logspace(-13, 0, 105)
X = 0.7


def errors() -> dict[str, np.ndarray]:
    """Return the relative errors of three differences of tanh, and the estimate of the last."""
    true = 1 - np.tanh(X) ** 2

    def central(h: np.ndarray) -> np.ndarray:
        return (np.tanh(X + h) - np.tanh(X - h)) / ((X + h) - (X - h))

    h = STEPS / 4
    one_sided = (np.tanh(X + h) - np.tanh(X)) / ((X + h) - X)
    near = (4 * central(h) - central(2 * h)) / 3
    far = (4 * central(2 * h) - central(4 * h)) / 3
    found = {"one-sided difference": one_sided - true, "central difference": central(h) - true,
             "extrapolated (Richardson)": near - true,
             "its own estimate of the error": near - far}
    return {name: np.maximum(np.abs(e) / true, 1e-16) for name, e in found.items()}


def main() -> None:
    """Draw the curves and the default tolerance of a fixed step."""
    plt.rcParams["svg.hashsalt"] = "minigrad"
    figure, axes = plt.subplots(figsize=(7.2, 4.0), layout="constrained")
    styles = {"one-sided difference": ("#adb5bd", "-"), "central difference": ("#e07b39", "-"),
              "extrapolated (Richardson)": ("#3b7dd8", "-"),
              "its own estimate of the error": ("#3b7dd8", ":")}
    for name, values in errors().items():
        colour, line = styles[name]
        axes.loglog(STEPS, values, line, color=colour, label=name)
    axes.axvline(2e-4, color="#6c757d", linewidth=0.8, linestyle="--")
    axes.annotate("the first step tried", (2e-4, 2e-2), xytext=(-6, 0), ha="right",
                  textcoords="offset points", color="#6c757d")
    axes.axhline(1e-5, color="#1a7f37", linewidth=0.8, linestyle="--")
    axes.annotate("smallest error that is reported", (8e-10, 1.5e-5), color="#1a7f37")
    axes.set_xlabel("step, relative to the size of x")
    axes.set_ylabel("relative error of the derivative of tanh")
    axes.set_ylim(1e-16, 10)
    axes.legend(loc="lower left", fontsize=8)
    axes.grid(alpha=0.3)
    figure.savefig(TARGET, metadata={"Date": None, "Creator": None})


if __name__ == "__main__":
    main()
