"""Tell in which direction things move: Conv3d, BatchNorm3d and Dropout3d on short clips.

    python examples/conv3d_dropout3d.py                 # about twenty seconds on two cores
    python examples/conv3d_dropout3d.py --quick         # a few seconds, to see it run
    python examples/conv3d_dropout3d.py --epochs 10 --seed 1 --out runs/clips_10

A clip is 8 frames of 16x16 pixels in which a square, a disk or a cross crosses a noisy
picture in one of eight directions, starting anywhere: it leaves on one side and comes back on
the other, so that no single frame says where it goes. A net that sees one frame (the same
net, trained on clips whose frames are all the middle one) is therefore no better than chance.

In the output folder: curves.png, clips.png (clips with their answers), checkpoint.pt.
"""

import argparse
import time
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
TRAIN_CLIPS, TEST_CLIPS = 2400, 400
FRAMES, SIZE = 8, 16
NOISE = 0.3  # standard deviation; the things have brightness 0.6 to 1
EPOCHS, BATCH = 5, 32
LEARNING_RATE = 3e-3
CHANNELS, DROPOUT = (8, 16, 32), 0.1
DIRECTIONS = {"→": (1, 0), "↗": (1, -1), "↑": (0, -1), "↖": (-1, -1),
              "←": (-1, 0), "↙": (-1, 1), "↓": (0, 1), "↘": (1, 1)}  # (dx, dy), y points down

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--epochs", type=int, default=EPOCHS)
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--out", type=Path, default=Path("runs/conv3d"))
parser.add_argument("--quick", action="store_true", help="few clips, two epochs")
args = parser.parse_args()
if args.quick:
    TRAIN_CLIPS, TEST_CLIPS, NOISE, args.epochs = 640, 160, 0.1, min(args.epochs, 2)


# --- data ----------------------------------------------------------------------------------
def film(count, rng):
    """Return `count` clips (N, 1, FRAMES, SIZE, SIZE) and the numbers of their directions."""
    labels = rng.integers(len(DIRECTIONS), size=count)
    step = np.array(list(DIRECTIONS.values()))[labels] * rng.uniform(0.8, 1.6, (count, 1))
    start = rng.uniform(0, SIZE, (count, 2))
    path = start[:, None] + step[:, None] * np.arange(FRAMES)[:, None]  # (N, FRAMES, 2)
    x0, y0 = np.moveaxis(path, 2, 0)[..., None, None]  # (N, FRAMES, 1, 1) each
    y, x = np.mgrid[:SIZE, :SIZE]
    u = (x - x0 + SIZE / 2) % SIZE - SIZE / 2  # distance on a picture without borders
    v = (y - y0 + SIZE / 2) % SIZE - SIZE / 2
    radius = rng.uniform(2, 3.5, (count, 1, 1, 1))
    larger, smaller = np.maximum(np.abs(u), np.abs(v)), np.minimum(np.abs(u), np.abs(v))
    square, disk = larger - radius, np.hypot(u, v) - radius
    cross = np.maximum(smaller - radius / 3, larger - radius)
    kind = rng.integers(3, size=(count, 1, 1, 1))
    inside = np.clip(0.5 - np.choose(kind, [square, disk, cross]), 0, 1)
    clips = inside * rng.uniform(0.6, 1, (count, 1, 1, 1)) + rng.normal(0, NOISE, inside.shape)
    return clips[:, None].astype(np.float32), labels


torch.manual_seed(args.seed)
rng = np.random.default_rng(args.seed)
train_x, train_y = (torch.from_numpy(a) for a in film(TRAIN_CLIPS, rng))
test_x, test_y = (torch.from_numpy(a) for a in film(TEST_CLIPS, rng))


def frozen(clips):
    """Return the clips with each frame replaced by the middle one: no motion is left."""
    return clips[:, :, FRAMES // 2 : FRAMES // 2 + 1].expand(-1, -1, FRAMES, -1, -1)


# --- model ---------------------------------------------------------------------------------
def block(in_channels, out_channels):
    """Return Conv3d, BatchNorm3d, ReLU; halve the picture, keep the frames; drop channels."""
    return nn.Sequential(
        nn.Conv3d(in_channels, out_channels, kernel_size=3, padding=1, bias=False),
        nn.BatchNorm3d(out_channels),
        nn.ReLU(),
        nn.MaxPool3d((1, 2, 2)),
        nn.Dropout3d(DROPOUT),  # whole feature volumes: neighbours in a volume are alike
    )


def make_net():
    a, b, c = CHANNELS
    return nn.Sequential(
        block(1, a),  # (N, a, 8, 8, 8)
        block(a, b),  # (N, b, 8, 4, 4)
        block(b, c),  # (N, c, 8, 2, 2)
        nn.AdaptiveAvgPool3d(1),  # where and when do not matter, only what was seen
        nn.Flatten(),
        nn.Linear(c, len(DIRECTIONS)),
    )


# --- training ------------------------------------------------------------------------------
def predict(net, clips):
    net.eval()
    with torch.no_grad():
        return torch.cat([net(clips[i : i + 100]) for i in range(0, len(clips), 100)])


def fit(net, train_clips, test_clips, name):
    """Train `net`; return (train loss, test accuracy) per epoch and the seconds."""
    optimizer = torch.optim.Adam(net.parameters(), lr=LEARNING_RATE)
    data = torch.utils.data.TensorDataset(train_clips, train_y)
    loader = torch.utils.data.DataLoader(data, batch_size=BATCH, shuffle=True)
    history, start = [], time.perf_counter()
    bar = tqdm(total=args.epochs * len(loader), desc=name, unit="batch")
    for _ in range(args.epochs):
        net.train()
        total = 0.0
        for x, y in loader:
            loss = F.cross_entropy(net(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(y)
            bar.update()
        accuracy = (predict(net, test_clips).argmax(1) == test_y).float().mean().item()
        history.append((total / len(train_y), accuracy))
        bar.set_postfix(loss=f"{history[-1][0]:.3f}", test_accuracy=f"{accuracy:.2%}")
    bar.close()
    return np.array(history), time.perf_counter() - start


still_history, _ = fit(make_net(), frozen(train_x), frozen(test_x), "one frame")
net = make_net()
history, seconds = fit(net, train_x, test_x, "whole clips")

# --- results -------------------------------------------------------------------------------
args.out.mkdir(parents=True, exist_ok=True)
torch.save(net.state_dict(), args.out / "checkpoint.pt")

epochs = np.arange(1, args.epochs + 1)
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
for values, name in ((history, "whole clips"), (still_history, "one frame")):
    left.plot(epochs, values[:, 0], "o-", label=name)
    right.plot(epochs, values[:, 1], "o-", label=name)
left.set(xlabel="epoch", ylabel="training loss", ylim=(0, None), xticks=epochs)
right.axhline(1 / len(DIRECTIONS), color="grey", linestyle=":", label="chance")
right.set(xlabel="epoch", ylabel="test accuracy", ylim=(0, 1.02), xticks=epochs)
right.legend()
figure.savefig(args.out / "curves.png", dpi=120)

arrows = list(DIRECTIONS)
guess = predict(net, test_x).argmax(1).numpy()
figure, axes = plt.subplots(6, FRAMES, figsize=(10, 8), layout="constrained")
for clip, row in enumerate(axes):
    right_or_wrong = "black" if guess[clip] == test_y[clip] else "red"
    row[0].set_title(f"goes {arrows[test_y[clip]]}, read as {arrows[guess[clip]]}",
                     color=right_or_wrong, loc="left", fontsize=11)
    for frame, axis in enumerate(row):
        axis.imshow(test_x[clip, 0, frame].numpy(), cmap="gray", vmin=-0.5, vmax=1.2)
        axis.axis("off")
figure.savefig(args.out / "clips.png", dpi=120)

print(f"{TRAIN_CLIPS} training and {TEST_CLIPS} test clips, {len(DIRECTIONS)} directions")
print(f"one frame: {still_history[-1, 1]:.2%} test accuracy")
print(f"trained {args.epochs} epochs in {seconds:.1f} s, "
      f"{args.epochs * TRAIN_CLIPS / seconds:,.0f} clips/s with the tests")
print(f"test accuracy: {history[-1, 1]:.2%}")
print(f"written to {args.out}: {', '.join(sorted(p.name for p in args.out.iterdir()))}")
