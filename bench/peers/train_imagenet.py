"""Trains AlexNet and ResNet-18 on some classes of ImageNet as `fewbit train --data imagenet` does, in plain PyTorch.

The same networks, crops, schedule and optimizers. The images of these folders must be of one size; they stay in memory.
Prints a JSON object an epoch. A run whose file in --out is whole is not repeated.
"""

import argparse
import json
import pathlib
import time

import torch
import torch.nn.functional as F
from PIL import Image
from torchvision.transforms import v2

from imagenet import AlexNet, ResNet18
from methods import METHODS

MEAN = torch.tensor((0.485, 0.456, 0.406)).view(3, 1, 1)
DEVIATION = torch.tensor((0.229, 0.224, 0.225)).view(3, 1, 1)
NETWORKS = {"alexnet": AlexNet, "resnet18": ResNet18}
OPTIMIZERS = {
    "baseline": lambda p: torch.optim.SGD(p, lr=0.01, momentum=0.9, weight_decay=1e-4),
    "dorefa": lambda p: torch.optim.Adam(p, lr=0.001),
    "xnor": lambda p: torch.optim.Adam(p, lr=0.001),
}


def read(folder):
    """Images and labels; classes in the order of folders."""
    images, labels = [], []
    for label, directory in enumerate(sorted(path for path in folder.iterdir() if path.is_dir())):
        for path in sorted(directory.iterdir()):
            images.append(v2.functional.pil_to_tensor(Image.open(path).convert("RGB")))
            labels.append(label)
    return torch.stack(images), torch.tensor(labels)


def normalised(images):
    return ((images / 255 - MEAN) / DEVIATION).to(memory_format=torch.channels_last)


def evaluate(model, images, labels):
    model.eval()
    loss, right = 0.0, 0
    with torch.no_grad():
        for x, y in zip(images.split(100), labels.split(100)):
            logits = model(normalised(x))
            loss += F.cross_entropy(logits, y, reduction="sum").item()
            right += (logits.argmax(1) == y).sum().item()
    return loss / len(labels), 100 * right / len(labels)


def train(network, method, seed, train_set, test_set, options):
    """Yields a row an epoch."""
    torch.manual_seed(seed)
    images, labels = train_set
    model = NETWORKS[network](METHODS[method](), classes=int(labels.max()) + 1, side=options.side)
    model = model.to(memory_format=torch.channels_last)
    optimizer = OPTIMIZERS[method](model.parameters())
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, options.decay_every, 0.1)
    augment = v2.Compose([v2.RandomResizedCrop(options.side, antialias=True), v2.RandomHorizontalFlip()])
    constrain = model.method.constrain
    for epoch in range(options.epochs):
        start = time.perf_counter()
        model.train()
        total, right = 0.0, 0
        for chosen in torch.randperm(len(labels)).split(options.batch_size):
            x, y = normalised(torch.stack([augment(images[i]) for i in chosen])), labels[chosen]
            optimizer.zero_grad()
            logits = model(x)
            loss = F.cross_entropy(logits, y)
            loss.backward()
            optimizer.step()
            if constrain:
                constrain(model.inner, model.outer)
            total += loss.item() * len(y)
            right += (logits.argmax(1) == y).sum().item()
        seconds = time.perf_counter() - start
        test_loss, accuracy = evaluate(model, *test_set)
        yield {
            "network": network,
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
        schedule.step()


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data-dir", type=pathlib.Path, required=True, help="holds train and val")
    parser.add_argument("--out", type=pathlib.Path, required=True, help="a file of rows for each run")
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--methods", nargs="+", choices=OPTIMIZERS, default=list(OPTIMIZERS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3])
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--decay-every", type=int, default=12)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--side", type=int, default=112)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()

    torch.set_num_threads(options.threads)
    options.out.mkdir(parents=True, exist_ok=True)
    train_set = read(options.data_dir / "train")
    images, labels = read(options.data_dir / "val")
    # As is usual: the shorter side 256 where 224 are cut, and its middle.
    frame = round(options.side * 256 / 224)
    shown = v2.Compose([v2.Resize(frame, antialias=True), v2.CenterCrop(options.side)])
    test_set = torch.stack([shown(image) for image in images]), labels
    for seed in options.seeds:
        for method in options.methods:
            for network in options.networks:
                path = options.out / f"{network}-{method}-s{seed}.jsonl"
                if path.exists():
                    continue
                rows = []
                for row in train(network, method, seed, train_set, test_set, options):
                    rows.append(json.dumps(row))
                    print(rows[-1], flush=True)
                path.write_text("\n".join(rows) + "\n")


if __name__ == "__main__":
    main()
