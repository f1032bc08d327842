"""Train a deep self-normalising net, and the same net where self-normalisation is broken.

    python examples/selu_alpha_dropout.py               # about ten seconds on two cores
    python examples/selu_alpha_dropout.py --quick       # a few seconds, to see it run
    python examples/selu_alpha_dropout.py --epochs 30 --seed 1 --out runs/selu_30

SELU keeps activations near mean 0 and standard deviation 1 through any number of layers
(Klambauer et al., Self-Normalizing Neural Networks, 2017) if three things hold: standardised
inputs, LeCun normal weights, and AlphaDropout where one would put Dropout. Here one net keeps
all three, one leaves the weights at Linear's default, one is ReLU with Dropout and He normal
weights. All read the digits of examples/data/digits.npz through the same stack of layers.
Training moves the statistics away again: what SELU gives is a start from which it can work.

In the output folder: activations.png (mean and standard deviation by depth), curves.png.
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
DEPTH, WIDTH, DROPOUT = 16, 64, 0.05
EPOCHS, BATCH = 20, 64
LEARNING_RATE, MOMENTUM = 0.01, 0.9

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--epochs", type=int, default=EPOCHS)
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--out", type=Path, default=Path("runs/selu"))
parser.add_argument("--quick", action="store_true", help="fewer layers, three epochs")
args = parser.parse_args()
if args.quick:
    DEPTH, args.epochs = 8, min(args.epochs, 3)

# --- data: standardised, which is the first condition of self-normalisation ------------------
torch.manual_seed(args.seed)
with np.load(DATA) as data:
    pixels = torch.from_numpy(data["images"].reshape(-1, 64).astype(np.float32))  # (1797, 64)
    labels = torch.from_numpy(data["labels"].astype(np.int64))  # (1797,)
order = torch.randperm(len(pixels))
pixels, labels = pixels[order], labels[order]
held_out = len(pixels) // 5
train_x, train_y = pixels[held_out:], labels[held_out:]
mean, std = train_x.mean(0), train_x.std(0).clamp(min=0.1)  # some pixels are nearly always 0
train_x = (train_x - mean) / std
test_x, test_y = (pixels[:held_out] - mean) / std, labels[:held_out]
train_set = torch.utils.data.TensorDataset(train_x, train_y)
loader = torch.utils.data.DataLoader(train_set, batch_size=BATCH, shuffle=True)


# --- models --------------------------------------------------------------------------------
def lecun_normal_(weight):
    """Fill with N(0, 1 / fan_in): for SELU, kaiming_normal_ with nonlinearity='linear'."""
    nn.init.kaiming_normal_(weight, nonlinearity="linear")


def he_normal_(weight):
    """Fill with N(0, 2 / fan_in), made for ReLU."""
    nn.init.kaiming_normal_(weight, nonlinearity="relu")


def deep_net(activation, dropout, init_):
    """Return DEPTH times Linear, activation, dropout, then a Linear to the ten digits."""
    layers, width = [], train_x.size(1)
    for _ in range(DEPTH):
        layers += [nn.Linear(width, WIDTH), activation(), dropout(DROPOUT)]
        width = WIDTH
    net = nn.Sequential(*layers, nn.Linear(width, 10))
    if init_ is not None:
        for layer in net:
            if isinstance(layer, nn.Linear):
                init_(layer.weight)
                nn.init.zeros_(layer.bias)
    return net


nets = {
    "SELU, AlphaDropout, LeCun normal": deep_net(nn.SELU, nn.AlphaDropout, lecun_normal_),
    "SELU, AlphaDropout, default weights": deep_net(nn.SELU, nn.AlphaDropout, None),
    "ReLU, Dropout, He normal": deep_net(nn.ReLU, nn.Dropout, he_normal_),
}


def statistics(net):
    """Return mean and standard deviation after each activation in training mode, (2, DEPTH)."""
    found = []

    def record(module, inputs, output):
        found.append((output.mean().item(), output.std().item()))

    hooks = [layer.register_forward_hook(record) for layer in net
             if isinstance(layer, nn.SELU | nn.ReLU)]
    net.train()
    with torch.no_grad():
        net(train_x)
    for hook in hooks:
        hook.remove()
    return np.array(found).T


# --- training ------------------------------------------------------------------------------
before = {name: statistics(net) for name, net in nets.items()}
history = {name: [] for name in nets}  # (train loss, test accuracy) per epoch
bar = tqdm(total=len(nets) * args.epochs, unit="epoch")
for name, net in nets.items():
    bar.set_description(name)
    optimizer = torch.optim.SGD(net.parameters(), lr=LEARNING_RATE, momentum=MOMENTUM)
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
        history[name].append((total / len(train_x), accuracy))
        bar.update()
bar.close()
after = {name: statistics(net) for name, net in nets.items()}

# --- results -------------------------------------------------------------------------------
args.out.mkdir(parents=True, exist_ok=True)
depth = np.arange(1, DEPTH + 1)
figure, axes = plt.subplots(2, 2, figsize=(11, 7), sharex=True, sharey="row", layout="constrained")
for column, (moment, found) in enumerate({"before": before, "after": after}.items()):
    for name, values in found.items():
        axes[0, column].plot(depth, values[0], label=name)
        axes[1, column].plot(depth, values[1], label=name)
    axes[0, column].axhline(0, color="grey", linestyle=":")
    axes[1, column].axhline(1, color="grey", linestyle=":")
    axes[0, column].set(ylabel="mean", title=f"activations {moment} training")
    axes[1, column].set(ylabel="standard deviation", xlabel="layer")
axes[1, 0].set_ylim(0, None)
axes[0, 0].legend()
figure.savefig(args.out / "activations.png", dpi=120)

epochs = np.arange(1, args.epochs + 1)
figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
for name, values in history.items():
    loss, accuracy = np.array(values).T
    left.plot(epochs, loss, label=name)
    right.plot(epochs, accuracy, label=name)
left.set(xlabel="epoch", ylabel="training loss", ylim=(0, None))
right.set(xlabel="epoch", ylabel="test accuracy", ylim=(0, 1.02))
left.legend()
figure.savefig(args.out / "curves.png", dpi=120)

print(f"{DEPTH} layers of {WIDTH}, {args.epochs} epochs; std is of the last layer's activations")
print(f"{'net':<37}{'std before':>11}{'std after':>11}{'test accuracy':>15}")
for name in nets:
    first, last = before[name][1, -1], after[name][1, -1]
    print(f"{name:<37}{first:>11.3g}{last:>11.3g}{history[name][-1][1]:>15.2%}")
print(f"written to {args.out}: {', '.join(sorted(p.name for p in args.out.iterdir()))}")
