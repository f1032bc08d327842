"""Read handwritten digits: a Conv-BatchNorm-ReLU net on real data.

    python examples/train_digits.py                     # about ten seconds on two cores
    python examples/train_digits.py --quick             # a few seconds, to see it run
    python examples/train_digits.py --epochs 60 --seed 3 --out runs/digits_60

The data are the 1,797 digits of 8x8 pixels in examples/data/digits.npz (UCI, CC BY 4.0: see
examples/data/README.md). A random fifth is held out and never trained on. Training images are
shifted by up to one pixel, which is most of what a net cannot know from so few of them.

In the output folder: curves.png, confusion.png (which digit was read as which),
mistakes.png (the digits read wrongly), checkpoint.pt (the net's state_dict).
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
DATA = Path(__file__).parent / "data" / "digits.npz"
EPOCHS, BATCH = 30, 32
LEARNING_RATE = 3e-3
CHANNELS, DROPOUT = (32, 64), 0.5

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--epochs", type=int, default=EPOCHS)
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--out", type=Path, default=Path("runs/digits"))
parser.add_argument("--quick", action="store_true", help="small net, three epochs")
args = parser.parse_args()
if args.quick:
    CHANNELS, args.epochs = (8, 16), min(args.epochs, 3)

# --- data ----------------------------------------------------------------------------------
torch.manual_seed(args.seed)
with np.load(DATA) as data:
    images = torch.from_numpy(data["images"].astype(np.float32) / 16)[:, None]  # (1797, 1, 8, 8)
    labels = torch.from_numpy(data["labels"].astype(np.int64))  # (1797,)
order = torch.randperm(len(images))
held_out = len(images) // 5
test_x, test_y = images[order[:held_out]], labels[order[:held_out]]
train_x, train_y = images[order[held_out:]], labels[order[held_out:]]
train_set = torch.utils.data.TensorDataset(train_x, train_y)
loader = torch.utils.data.DataLoader(train_set, batch_size=BATCH, shuffle=True)


def shifted(x):
    """Return the batch moved by up to one pixel in each direction, zeros coming in."""
    down, right = torch.randint(0, 3, (2,)).tolist()
    return F.pad(x, (1, 1, 1, 1))[:, :, down : down + 8, right : right + 8]


# --- model ---------------------------------------------------------------------------------
def conv_bn_relu(in_channels, out_channels):
    """Return a convolution without bias (BatchNorm would remove it), BatchNorm, ReLU."""
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, kernel_size=3, padding=1, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(),
    )


a, b = CHANNELS
model = nn.Sequential(
    conv_bn_relu(1, a),
    conv_bn_relu(a, b),
    nn.MaxPool2d(2),  # (N, b, 4, 4)
    conv_bn_relu(b, b),
    nn.Flatten(),
    nn.Dropout(DROPOUT),
    nn.Linear(b * 4 * 4, 10),
)

# --- training ------------------------------------------------------------------------------
optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE)
schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=args.epochs)
history = []  # (train loss, test loss, test accuracy) per epoch
start = time.perf_counter()
bar = tqdm(range(args.epochs), unit="epoch")
for _ in bar:
    model.train()  # dropout drops, BatchNorm uses the batch
    total = 0.0
    for x, y in loader:
        loss = F.cross_entropy(model(shifted(x)), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() * len(y)
    schedule.step()
    model.eval()  # dropout passes, BatchNorm uses its running statistics
    with torch.no_grad():
        logits = model(test_x)
    accuracy = (logits.argmax(1) == test_y).float().mean().item()
    history.append((total / len(train_x), F.cross_entropy(logits, test_y).item(), accuracy))
    bar.set_postfix(loss=f"{history[-1][0]:.3f}", test_accuracy=f"{accuracy:.2%}")
seconds = time.perf_counter() - start

# --- results -------------------------------------------------------------------------------
args.out.mkdir(parents=True, exist_ok=True)
torch.save(model.state_dict(), args.out / "checkpoint.pt")

train_loss, test_loss, test_accuracy = np.array(history).T
epochs = np.arange(1, args.epochs + 1)
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
left.semilogy(epochs, train_loss, label="train loss (with dropout, shifted)")
left.semilogy(epochs, test_loss, label="test loss")
left.set(xlabel="epoch", ylabel="cross-entropy")
left.legend()
right.plot(epochs, test_accuracy, color="C1")
right.set(xlabel="epoch", ylabel="test accuracy")
figure.savefig(args.out / "curves.png", dpi=120)

guess, truth = logits.argmax(1).numpy(), test_y.numpy()
confusion = np.zeros((10, 10), int)
np.add.at(confusion, (truth, guess), 1)
figure, axis = plt.subplots(figsize=(6, 5.5), layout="constrained")
axis.imshow(np.log1p(confusion), cmap="Blues")
axis.set(xlabel="read as", ylabel="digit", xticks=range(10), yticks=range(10))
axis.set_title(f"{(guess == truth).sum()} of {held_out} read rightly")
for row, column in zip(*confusion.nonzero(), strict=True):
    axis.text(column, row, confusion[row, column], ha="center", va="center",
              color="white" if row == column else "black")
figure.savefig(args.out / "confusion.png", dpi=120)

wrong = np.flatnonzero(guess != truth)[:24]
rows = max(1, -(-len(wrong) // 8))
figure, axes = plt.subplots(rows, 8, figsize=(12, 1.9 * rows), squeeze=False, layout="constrained")
figure.suptitle(f"{(guess != truth).sum()} of {held_out} digits were read wrongly")
for axis in axes.flat:
    axis.axis("off")
for axis, i in zip(axes.flat, wrong, strict=False):
    axis.imshow(test_x[i, 0].numpy(), cmap="gray_r")
    axis.set_title(f"{truth[i]}, read as {guess[i]}", fontsize=10)
figure.savefig(args.out / "mistakes.png", dpi=120)

speed = args.epochs * len(train_x) / seconds
print(f"trained {args.epochs} epochs in {seconds:.1f} s, {speed:,.0f} images/s")
print(f"test accuracy: {test_accuracy[-1]:.2%} ({(guess != truth).sum()} of {held_out} wrong)")
print(f"written to {args.out}: {', '.join(sorted(p.name for p in args.out.iterdir()))}")
