"""Run each example in its short mode: the files it promises, and an accuracy better than chance."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = ROOT / "examples"

# Script: (files it writes, start of the line with its accuracy, accuracy to pass, chance).
PROMISES = {
    "train_conv_bn_relu": (
        ["checkpoint.pt", "curves.png", "graph.png", "graph.svg", "predictions.png",
         "summary.txt"],
        "test accuracy:", 0.25, 1 / 8,
    ),
    "train_digits": (
        ["checkpoint.pt", "confusion.png", "curves.png", "mistakes.png"],
        "test accuracy:", 0.80, 1 / 10,
    ),
    "selu_alpha_dropout": (
        ["activations.png", "curves.png"],
        "SELU, AlphaDropout, LeCun normal", 0.50, 1 / 10,
    ),
    "conv3d_dropout3d": (
        ["checkpoint.pt", "clips.png", "curves.png"],
        "test accuracy:", 0.30, 1 / 8,
    ),
    "norms_side_by_side": (
        ["axes.png", "training.png"],
        "BatchNorm2d", 0.30, 1 / 10,
    ),
}


def run(arguments):
    """Run this interpreter on `arguments` with the checkout's minigrad."""
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
    return subprocess.run(
        [sys.executable, "-W", "error::UserWarning", *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": path, "PYTHONIOENCODING": "utf-8"},
        capture_output=True, text=True, encoding="utf-8", timeout=170, check=False,
    )


def test_every_example_has_its_promise():
    assert {path.stem for path in EXAMPLES.glob("*.py")} == set(PROMISES)


@pytest.mark.parametrize("name", [  # the first example always, the others with the slow tests
    pytest.param(name, marks=[] if name == "train_conv_bn_relu" else pytest.mark.slow)
    for name in PROMISES])
def test_example(name, tmp_path):
    files, line, wanted, chance = PROMISES[name]
    out = tmp_path / "made" / "by" / "the_example"
    done = run([EXAMPLES / f"{name}.py", "--quick", "--seed", 0, "--out", out])
    assert done.returncode == 0, done.stderr[-3000:]
    assert sorted(path.name for path in out.iterdir()) == files
    for path in out.iterdir():
        check_content(path)
    found = re.search(rf"^{re.escape(line)}.*?(\d+\.\d+)%", done.stdout, re.MULTILINE)
    assert found, done.stdout
    assert wanted > 1.5 * chance
    assert float(found[1]) / 100 >= wanted, done.stdout


def check_content(path):
    """Fail unless the file is what its name says and not empty."""
    content = path.read_bytes()
    if path.suffix == ".png":
        assert content.startswith(b"\x89PNG\r\n")
        assert content.endswith(b"IEND\xaeB`\x82")
    elif path.suffix == ".svg":
        assert b"<svg" in content
        assert b"</svg>" in content
    elif path.suffix == ".pt":
        assert content.startswith(b"PK")
    else:
        assert b"ConvBNReLU" in content


@pytest.mark.parametrize("name", PROMISES)
def test_a_missing_extra_is_named_with_the_remedy(name):
    blocked = (
        "import runpy, sys; sys.modules['matplotlib'] = None; "
        f"sys.argv = ['example']; runpy.run_path({str(EXAMPLES / f'{name}.py')!r})"
    )
    done = run(["-c", blocked])
    assert done.returncode == 1
    assert "matplotlib" in done.stderr
    assert 'pip install -e ".[examples]"' in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("name", PROMISES)
def test_the_docstring_gives_the_commands_and_the_options_exist(name):
    source = (EXAMPLES / f"{name}.py").read_text(encoding="utf-8")
    assert f"python examples/{name}.py" in source.split('"""')[1]
    for option in ("--epochs", "--seed", "--out", "--quick"):
        assert f'add_argument("{option}"' in source


def test_the_digits_are_the_data_set_that_their_readme_describes():
    with np.load(EXAMPLES / "data" / "digits.npz") as data:
        images, labels = data["images"], data["labels"]
    assert images.shape == (1797, 8, 8)
    assert images.dtype == labels.dtype == np.uint8
    assert images.max() == 16
    assert np.bincount(labels).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    readme = (EXAMPLES / "data" / "README.md").read_text(encoding="utf-8")
    for needed in ("CC BY 4.0", "archive.ics.uci.edu", "Alpaydin"):
        assert needed in readme
