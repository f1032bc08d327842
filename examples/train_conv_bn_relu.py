"""Train a Conv-BatchNorm-ReLU classifier on drawn shapes and draw its computation graph.

    python examples/train_conv_bn_relu.py                       # about a minute on two cores
    python examples/train_conv_bn_relu.py --quick               # a few seconds, to see it run
    python examples/train_conv_bn_relu.py --epochs 10 --seed 1 --out runs/ten_epochs

The images are made here: eight shapes at a random place, size, angle and colour on a shaded,
noisy background, so that no pixel says anything by itself. A linear classifier, trained first
by the same loop, shows how little that leaves it.

In the output folder: curves.png, predictions.png, graph.svg and graph.png (the computation
graph), summary.txt (shapes and parameters by layer), checkpoint.pt (the net's state_dict).
"""

import argparse
import time
from pathlib import Path

import numpy as np

import minigrad as torch
import minigrad.nn as nn
import minigrad.nn.functional as F
from minigrad import viz

try:
    import matplotlib
    from tqdm import tqdm
except ImportError as error:
    raise SystemExit(f'{error}. This example needs: pip install -e ".[examples]"') from None
matplotlib.use("Agg")
import matplotlib.pyplot as plt

# --- settings ------------------------------------------------------------------------------
TRAIN_IMAGES, TEST_IMAGES = 8000, 2000
SIZE = 32  # pixels in height and in width
NOISE = 0.06  # standard deviation, where colours go from 0 to 1
EPOCHS, BATCH = 5, 64
LEARNING_RATE = 3e-3
CHANNELS, HIDDEN = (16, 32, 64), 64

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--epochs", type=int, default=EPOCHS)
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--out", type=Path, default=Path("runs/conv_bn_relu"))
parser.add_argument("--quick", action="store_true", help="few images, small net, three epochs")
args = parser.parse_args()
if args.quick:
    TRAIN_IMAGES, TEST_IMAGES, CHANNELS, BATCH = 2000, 400, (8, 16, 32), 32
    args.epochs = min(args.epochs, 3)


# --- data ----------------------------------------------------------------------------------
def polygon(u, v, corners):
    """Return the distance from the edge of a regular polygon, below zero inside."""
    angles = 2 * np.pi * np.arange(corners) / corners
    sides = [u * np.cos(angle) + v * np.sin(angle) for angle in angles]
    return np.max(sides, axis=0) - np.cos(np.pi / corners)


# Each shape is a function of (u, v), coordinates in which its outer radius is about 1; it is
# below zero inside the shape and grows like the distance from the edge.
SHAPES = {
    "disk": lambda u, v: np.hypot(u, v) - 0.9,
    "ring": lambda u, v: np.abs(np.hypot(u, v) - 0.72) - 0.24,
    "triangle": lambda u, v: polygon(u, v, 3),
    "square": lambda u, v: polygon(u, v, 4),
    "bar": lambda u, v: np.maximum(np.abs(u) - 1.0, np.abs(v) - 0.3),
    "cross": lambda u, v: np.maximum(
        np.minimum(np.abs(u), np.abs(v)) - 0.28, np.maximum(np.abs(u), np.abs(v)) - 0.95
    ),
    "crescent": lambda u, v: np.maximum(np.hypot(u, v) - 0.95, 0.75 - np.hypot(u - 0.5, v)),
    "star": lambda u, v: np.hypot(u, v) - 0.65 - 0.32 * np.cos(5 * np.arctan2(v, u)),
}


def draw_shapes(count, rng):
    """Return `count` images (N, 3, SIZE, SIZE) of random shapes, and the shapes' numbers (N,)."""
    labels = rng.integers(len(SHAPES), size=count)
    radius = rng.uniform(7, 12, (count, 1, 1))
    x0, y0 = rng.uniform(10, SIZE - 11, (2, count, 1, 1))
    angle, slope = rng.uniform(0, 2 * np.pi, (2, count, 1, 1))
    y, x = np.mgrid[:SIZE, :SIZE]
    u = ((x - x0) * np.cos(angle) + (y - y0) * np.sin(angle)) / radius  # (N, SIZE, SIZE)
    v = ((y - y0) * np.cos(angle) - (x - x0) * np.sin(angle)) / radius  # (N, SIZE, SIZE)
    distance = np.empty_like(u)
    for number, shape in enumerate(SHAPES.values()):
        mine = labels == number
        distance[mine] = shape(u[mine], v[mine])
    cover = np.clip(0.5 - distance * radius, 0, 1)[:, None]  # 1 inside, soft at the edge
    shade = 0.3 * ((x / SIZE - 0.5) * np.cos(slope) + (y / SIZE - 0.5) * np.sin(slope))[:, None]
    background = rng.uniform(0, 1, (count, 3, 1, 1))
    colour = (background + rng.uniform(0.3, 0.7, (count, 3, 1, 1))) % 1  # differs in each channel
    images = background + shade + cover * (colour - background)
    images += rng.normal(0, NOISE, images.shape)
    return images.clip(0, 1).astype(np.float32), labels


torch.manual_seed(args.seed)
rng = np.random.default_rng(args.seed)
train_x, train_y = (torch.from_numpy(a) for a in draw_shapes(TRAIN_IMAGES, rng))
test_x, test_y = (torch.from_numpy(a) for a in draw_shapes(TEST_IMAGES, rng))
train_set = torch.utils.data.TensorDataset(train_x, train_y)
loader = torch.utils.data.DataLoader(train_set, batch_size=BATCH, shuffle=True)


# --- model ---------------------------------------------------------------------------------
class ConvBNReLU(nn.Module):
    """Convolution without bias (BatchNorm would remove it), BatchNorm, ReLU."""

    def __init__(self, in_channels, out_channels):
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, kernel_size=3, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(out_channels)
        self.relu = nn.ReLU()

    def forward(self, x):
        return self.relu(self.bn(self.conv(x)))


class Net(nn.Module):
    def __init__(self, channels, classes):
        super().__init__()
        a, b, c = channels
        self.features = nn.Sequential(
            ConvBNReLU(3, a), nn.MaxPool2d(2),  # (N, a, SIZE / 2, SIZE / 2)
            ConvBNReLU(a, b), nn.MaxPool2d(2),  # (N, b, SIZE / 4, SIZE / 4)
            ConvBNReLU(b, c), nn.MaxPool2d(2),  # (N, c, SIZE / 8, SIZE / 8)
        )
        self.head = nn.Sequential(
            nn.Flatten(),
            nn.Linear(c * (SIZE // 8) ** 2, HIDDEN, bias=False),
            nn.BatchNorm1d(HIDDEN),
            nn.ReLU(),
            nn.Linear(HIDDEN, classes),
        )

    def forward(self, x):  # (N, 3, SIZE, SIZE)
        return self.head(self.features(x))  # (N, classes)


# --- training ------------------------------------------------------------------------------
def predict(model, images):
    """Return the logits for all images: eval() makes BatchNorm use its running statistics."""
    model.eval()
    with torch.no_grad():
        return torch.cat([model(images[i : i + 200]) for i in range(0, len(images), 200)])


def fit(model, epochs, name):
    """Train `model`; return (train loss, test loss, test accuracy) per epoch and the seconds."""
    optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=epochs * len(loader))
    history, seconds = [], 0.0
    for epoch in range(1, epochs + 1):
        start = time.perf_counter()
        model.train()  # again in each epoch: predict() below switches to eval()
        total = 0.0
        bar = tqdm(loader, desc=f"{name}, epoch {epoch}/{epochs}", unit="batch", leave=False)
        for images, labels in bar:
            loss = F.cross_entropy(model(images), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item() * len(labels)
            bar.set_postfix(loss=f"{loss.item():.3f}")
        seconds += time.perf_counter() - start
        logits = predict(model, test_x)
        accuracy = (logits.argmax(1) == test_y).float().mean().item()
        history.append((total / len(train_x), F.cross_entropy(logits, test_y).item(), accuracy))
        print("{}, epoch {}: train loss {:.3f}, test loss {:.3f}, test accuracy {:.2%}".format(
            name, epoch, *history[-1]))
    return np.array(history), seconds


print(f"{len(SHAPES)} shapes, {TRAIN_IMAGES} training and {TEST_IMAGES} test images")
linear = nn.Sequential(nn.Flatten(), nn.Linear(3 * SIZE * SIZE, len(SHAPES)))
linear_history, _ = fit(linear, args.epochs, "linear")
model = Net(CHANNELS, len(SHAPES))
history, seconds = fit(model, args.epochs, "conv-bn-relu")

# --- results -------------------------------------------------------------------------------
args.out.mkdir(parents=True, exist_ok=True)
torch.save(model.state_dict(), args.out / "checkpoint.pt")
(args.out / "summary.txt").write_text(f"{torch.summary(model, (1, 3, SIZE, SIZE))}\n")

model.train()  # the graph as it is in training: BatchNorm on the batch's own statistics
graph = viz.draw(model, train_x[:BATCH], path=args.out / "graph.svg")
graph.save(args.out / "graph.png")

figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
epochs = np.arange(1, args.epochs + 1)
left.plot(epochs, history[:, 0], "o-", label="train loss")
left.plot(epochs, history[:, 1], "o-", label="test loss")
left.set(xlabel="epoch", ylabel="cross-entropy", ylim=(0, None), xticks=epochs)
right.plot(epochs, history[:, 2], "o-", color="C1", label="Conv-BN-ReLU")
right.plot(epochs, linear_history[:, 2], "o-", color="C2", label="linear baseline")
right.axhline(1 / len(SHAPES), color="grey", linestyle=":", label="chance")
right.set(xlabel="epoch", ylabel="test accuracy", ylim=(0, 1.02), xticks=epochs)
left.legend()
right.legend()
figure.savefig(args.out / "curves.png", dpi=120)

names = list(SHAPES)
probability = predict(model, test_x).softmax(1)
confidence, guess = (t.numpy() for t in probability.max(1))
truth = test_y.numpy()
wrong_first = np.argsort(guess == truth, kind="stable")[:8]  # up to a row of mistakes
figure, axes = plt.subplots(4, 8, figsize=(12, 7), layout="constrained")
for axis, i in zip(axes.flat, [*wrong_first, *range(24)], strict=True):
    axis.imshow(test_x[i].permute(1, 2, 0).numpy())
    title = f"{names[guess[i]]} {confidence[i]:.0%}"
    if guess[i] == truth[i]:
        axis.set_title(title, fontsize=9)
    else:
        axis.set_title(f"{names[truth[i]]}, read as\n{title}", fontsize=9, color="red")
    axis.axis("off")
figure.savefig(args.out / "predictions.png", dpi=120)

speed = args.epochs * TRAIN_IMAGES / seconds
print(f"linear baseline: {linear_history[-1, 2]:.2%} test accuracy")
print(f"trained {args.epochs} epochs in {seconds:.1f} s, {speed:,.0f} images/s")
print(f"test accuracy: {history[-1, 2]:.2%}")
print(f"written to {args.out}: {', '.join(sorted(p.name for p in args.out.iterdir()))}")
