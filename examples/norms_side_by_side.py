"""Put the normalisation layers side by side: what each averages over, and how each trains.

    python examples/norms_side_by_side.py               # about half a minute on two cores
    python examples/norms_side_by_side.py --quick       # a few seconds, to see it run
    python examples/norms_side_by_side.py --epochs 10 --seed 1 --out runs/norms_10

Every one of them computes (x - mean) / sqrt(variance + eps) and differs in the values that
share a mean (RMSNorm leaves the mean out). axes.png shows these sets for a batch (N, C, H, W),
and it is measured, not drawn by hand: a norm is applied, and coloured are the values whose
change moves the output at the marked place. training.png shows the same small net on the
digits of examples/data/digits.npz with each norm in its place, for a batch of 64 and of 4.

In the output folder: axes.png, training.png.
"""

import argparse
from pathlib import Path

import numpy as np

import minigrad as torch
import minigrad.nn as nn
import minigrad.nn.functional as F

try:
    import matplotlib
    from tqdm import tqdm
except ImportError as error:
    raise SystemExit(f'{error}. This example needs: pip install -e ".[examples]"') from None
matplotlib.use("Agg")
import matplotlib.pyplot as plt

# --- settings ------------------------------------------------------------------------------
DATA = Path(__file__).parent / "data" / "digits.npz"
CHANNELS = 16
EPOCHS, BATCHES = 5, (64, 4)
LEARNING_RATES = {64: 0.2, 4: 0.02}

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--epochs", type=int, default=EPOCHS)
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--out", type=Path, default=Path("runs/norms"))
parser.add_argument("--quick", action="store_true", help="batches of 64 only, one epoch")
args = parser.parse_args()
if args.quick:
    BATCHES, args.epochs = (64,), 1

# Each makes a norm for pictures of (channels, size, size).
NORMS = {
    "none": lambda channels, size: nn.Identity(),
    "BatchNorm2d": lambda channels, size: nn.BatchNorm2d(channels),
    "LayerNorm": lambda channels, size: nn.LayerNorm([channels, size, size]),
    "InstanceNorm2d": lambda channels, size: nn.InstanceNorm2d(channels, affine=True),
    "GroupNorm": lambda channels, size: nn.GroupNorm(2, channels),
    "RMSNorm": lambda channels, size: nn.RMSNorm([channels, size, size]),
    "LocalResponseNorm": lambda channels, size: nn.LocalResponseNorm(3),
}

# --- what each norm averages over ----------------------------------------------------------
torch.manual_seed(args.seed)
N, C, SIZE = 3, 4, 3  # pictures, channels, pixels each way
PLACE = (1, 1, 1, 1)  # the output value whose inputs are shown


def influence(norm):
    """Return which of the (N, C, SIZE, SIZE) inputs the output at PLACE depends on."""
    x = torch.randn(N, C, SIZE, SIZE, requires_grad=True)
    norm(x)[PLACE].backward()
    return x.grad.numpy() != 0


figure, axes = plt.subplots(2, 4, figsize=(10, 4.6), layout="constrained")
axes[1, 3].axis("off")
axes[1, 3].text(0, 0.5, "red: one value of the output\nblue: the inputs it depends on\n\n"
                f"a row is a picture, a column\na channel, a cell holds the\n{SIZE}x{SIZE} pixels;"
                " training mode", va="center", transform=axes[1, 3].transAxes)
for axis, (name, make) in zip(axes.flat, NORMS.items(), strict=False):
    # One row per picture, one column per channel; inside a cell the pixels of that channel.
    depends = influence(make(C, SIZE)).astype(float)
    depends[PLACE] = 2
    axis.imshow(depends.transpose(0, 2, 1, 3).reshape(N * SIZE, C * SIZE), vmin=0, vmax=2,
                cmap=matplotlib.colors.ListedColormap(["#eeeeee", "#8ab4e8", "#c0392b"]))
    for edge in range(0, N * SIZE + 1, SIZE):
        axis.axhline(edge - 0.5, color="black", linewidth=1)
    for edge in range(0, C * SIZE + 1, SIZE):
        axis.axvline(edge - 0.5, color="black", linewidth=1)
    axis.set_xticks(np.arange(C) * SIZE + 1, [f"C{c}" for c in range(C)])
    axis.set_yticks(np.arange(N) * SIZE + 1, [f"N{n}" for n in range(N)])
    axis.tick_params(length=0)
    axis.set_title(name, fontsize=11)
args.out.mkdir(parents=True, exist_ok=True)
figure.savefig(args.out / "axes.png", dpi=120)

# --- the same net with each norm -----------------------------------------------------------
with np.load(DATA) as data:
    images = torch.from_numpy(data["images"].astype(np.float32) / 16)[:, None]  # (1797, 1, 8, 8)
    labels = torch.from_numpy(data["labels"].astype(np.int64))  # (1797,)
order = torch.randperm(len(images))
held_out = len(images) // 5
test_x, test_y = images[order[:held_out]], labels[order[:held_out]]
train_set = torch.utils.data.TensorDataset(images[order[held_out:]], labels[order[held_out:]])


def make_net(norm):
    return nn.Sequential(
        nn.Conv2d(1, CHANNELS, 3, padding=1), norm(CHANNELS, 8), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1), norm(CHANNELS, 4), nn.ReLU(),
        nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1), norm(CHANNELS, 4), nn.ReLU(),
        nn.Flatten(), nn.Linear(CHANNELS * 16, 10),
    )


history = {}  # (norm, batch size): (training loss, test accuracy) per epoch
bar = tqdm(total=len(NORMS) * len(BATCHES) * args.epochs, unit="epoch")
for batch in BATCHES:
    loader = torch.utils.data.DataLoader(train_set, batch_size=batch, shuffle=True)
    for name, norm in NORMS.items():
        bar.set_description(f"{name}, batch {batch}")
        torch.manual_seed(args.seed)  # the same weights and the same batches for each norm
        net = make_net(norm)
        optimizer = torch.optim.SGD(net.parameters(), lr=LEARNING_RATES[batch])
        history[name, batch] = []
        for _ in range(args.epochs):
            net.train()
            total = 0.0
            for x, y in loader:
                loss = F.cross_entropy(net(x), y)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                total += loss.item() * len(y)
            net.eval()
            with torch.no_grad():
                accuracy = (net(test_x).argmax(1) == test_y).float().mean().item()
            history[name, batch].append((total / len(train_set), accuracy))
            bar.update()
bar.close()

# --- results -------------------------------------------------------------------------------
epochs = np.arange(1, args.epochs + 1)
figure, axes = plt.subplots(len(BATCHES), 2, figsize=(11, 4 * len(BATCHES)), squeeze=False,
                            layout="constrained")
for (left, right), batch in zip(axes, BATCHES, strict=True):
    for name in NORMS:
        # LocalResponseNorm's default alpha of 1e-4 hides it behind "none": dashes show both.
        style = "x--" if name == "LocalResponseNorm" else "o-"
        loss, accuracy = np.array(history[name, batch]).T
        left.semilogy(epochs, loss, style, label=name)
        right.plot(epochs, accuracy, style, label=name)
    left.set(ylabel="training loss", title=f"batches of {batch}", xticks=epochs)
    right.set(ylabel="test accuracy", title=f"batches of {batch}", xticks=epochs)
axes[-1, 0].set(xlabel="epoch")
axes[-1, 1].set(xlabel="epoch")
axes[0, 1].legend()
figure.savefig(args.out / "training.png", dpi=120)

print(f"test accuracy after {args.epochs} epochs")
print(f"{'norm':<20}" + "".join(f"{f'batches of {batch}':>16}" for batch in BATCHES))
for name in NORMS:
    print(f"{name:<20}" + "".join(f"{history[name, batch][-1][1]:>16.2%}" for batch in BATCHES))
print(f"written to {args.out}: {', '.join(sorted(p.name for p in args.out.iterdir()))}")
