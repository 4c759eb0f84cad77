"""Trains ResNet-20 on CIFAR-10 as `fewbit train resnet20` does: the same network, data, augmentation, schedule and optimizer.

Prints a JSON object an epoch, and at the end one a method: the mean over seeds of the last epoch's test accuracy.
"""

import argparse
import json
import lzma
import pathlib
import time

import torch
import torch.nn.functional as F

from methods import METHODS
from resnet import ResNet

MEAN = torch.tensor((0.49139968, 0.48215841, 0.44653091)).view(3, 1, 1)
DEVIATION = torch.tensor((0.24703223, 0.24348513, 0.26158784)).view(3, 1, 1)
PADDING = 4
RECORD = 1 + 3 * 32 * 32  # label, then red, green and blue planes

# The optimizers and rates of the published table's rows.
OPTIMIZERS = {
    "baseline": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=1e-4),
    "dorefa": lambda p: torch.optim.Adam(p, lr=0.01),
}


def read(folder, names):
    """Images u8 [N, 3, 32, 32] and labels of the canonical binary batches, plain or compressed with xz."""

    def records(name):
        plain = folder / name
        return plain.read_bytes() if plain.exists() else lzma.open(folder / f"{name}.xz").read()

    data = torch.frombuffer(bytearray(b"".join(map(records, names))), dtype=torch.uint8).view(-1, RECORD)
    return data[:, 1:].reshape(-1, 3, 32, 32), data[:, 0].long()


def normalised(images):
    return ((images / 255 - MEAN) / DEVIATION).to(memory_format=torch.channels_last)


def padded(images):
    """Reflected padding; the edge is not repeated."""
    return F.pad(images.float(), (PADDING,) * 4, mode="reflect").to(torch.uint8)


def augmented(images, generator):
    """A random crop of the padded images, flipped with probability 1/2."""
    count = len(images)
    top, left = torch.randint(0, 2 * PADDING + 1, (2, count, 1), generator=generator)
    flip = torch.rand(count, 1, generator=generator) < 0.5
    row = torch.arange(32)
    column = torch.where(flip, row.flip(0), row)
    image = torch.arange(count).view(-1, 1, 1)
    # The indices on both sides of the channels' slice move the channels last: [N, 32, 32, 3].
    crop = images[image, :, (top + row)[:, :, None], (left + column)[:, None, :]]
    return crop.permute(0, 3, 1, 2)


def evaluate(model, images, labels):
    model.eval()
    loss, right = 0.0, 0
    with torch.no_grad():
        for x, y in zip(images.split(500), labels.split(500)):
            logits = model(normalised(x))
            loss += F.cross_entropy(logits, y, reduction="sum").item()
            right += (logits.argmax(1) == y).sum().item()
    return loss / len(labels), 100 * right / len(labels)


def train(method, seed, train_set, test_set, options):
    """Test accuracies by epoch."""
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    model = ResNet(METHODS[method]()).to(memory_format=torch.channels_last)
    optimizer = OPTIMIZERS[method](model.parameters())
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, options.decay_every, 0.1)
    images, labels = train_set
    images = padded(images)

    @torch.compile(disable=not options.compile)
    def forward(x, y):
        logits = model(x)
        return logits, F.cross_entropy(logits, y)

    accuracies = []
    for epoch in range(options.epochs):
        start = time.perf_counter()
        model.train()
        total, right = 0.0, 0
        for chosen in torch.randperm(len(labels), generator=generator).split(options.batch_size):
            x, y = normalised(augmented(images[chosen], generator)), labels[chosen]
            optimizer.zero_grad()
            logits, loss = forward(x, y)
            loss.backward()
            optimizer.step()
            total += loss.item() * len(y)
            right += (logits.argmax(1) == y).sum().item()
        seconds = time.perf_counter() - start
        test_loss, accuracy = evaluate(model, *test_set)
        accuracies.append(accuracy)
        row = {
            "method": method,
            "seed": seed,
            "epoch": epoch,
            "learningRate": schedule.get_last_lr()[0],
            "trainLoss": total / len(labels),
            "trainTop1": 100 * right / len(labels),
            "testLoss": test_loss,
            "testTop1": accuracy,
            "seconds": seconds,
        }
        print(json.dumps(row), flush=True)
        schedule.step()
    return accuracies


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data-dir", type=pathlib.Path, required=True, help="holds data_batch_1.bin[.xz], ...")
    parser.add_argument("--methods", nargs="+", choices=OPTIMIZERS, default=list(OPTIMIZERS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--decay-every", type=int, default=2)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--compile", action="store_true", help="with torch.compile, which is faster")
    parser.add_argument("--images", type=int, default=50000, help="how many of the training images")
    options = parser.parse_args()

    torch.set_num_threads(options.threads)
    images, labels = read(options.data_dir, [f"data_batch_{i}.bin" for i in range(1, 6)])
    train_set = images[: options.images], labels[: options.images]
    test_set = read(options.data_dir, ["test_batch.bin"])
    for method in options.methods:
        runs = [train(method, seed, train_set, test_set, options) for seed in options.seeds]
        last = [accuracies[-1] for accuracies in runs]
        best = [max(accuracies) for accuracies in runs]
        row = {
            "method": method,
            "epochs": options.epochs,
            "seeds": options.seeds,
            "testTop1": last,
            "mean": sum(last) / len(last),
            "meanOfBest": sum(best) / len(best),
        }
        print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
