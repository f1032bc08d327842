"""Write the drawn graphs that README and docs show: `python docs/make_images.py`.

Needs the `viz` extra. The pictures in the repository are this script's output.
"""

from pathlib import Path

import minigrad as torch
import minigrad.nn as nn
from minigrad import viz

OUT = Path(__file__).parent / "images"


class ConvBNReLU(nn.Module):
    """A convolution, batch normalisation and ReLU: the block of the classifier."""

    def __init__(self, channels_in: int, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels_in, channels, kernel_size=3, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.relu(self.bn(self.conv(x)))


class Residual(nn.Module):
    """Two blocks and a connection past them."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.block1 = ConvBNReLU(channels, channels)
        self.conv2 = nn.Conv2d(channels, channels, kernel_size=3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.relu(x + self.bn2(self.conv2(self.block1(x))))


def main() -> None:
    """Write all pictures."""
    classifier = nn.Sequential(ConvBNReLU(3, 16), nn.MaxPool2d(2), nn.Flatten(),
                               nn.Linear(16 * 16 * 16, 6))
    viz.draw(classifier, torch.randn(8, 3, 32, 32), path=OUT / "conv_bn_relu.svg")
    viz.draw(Residual(8), torch.randn(1, 8, 16, 16), path=OUT / "residual.svg")

    x = torch.tensor([1.0, 2.0], requires_grad=True)
    w = torch.tensor([3.0, 4.0], requires_grad=True)
    loss = (x * w).sin().sum()
    viz.draw(loss, params={"x": x, "w": w}, direction="LR", path=OUT / "tape.svg")


if __name__ == "__main__":
    main()
