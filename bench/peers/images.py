"""torchvision's usual pipeline on a folder's photographs, with the Pillow that is installed: Resize(256), RandomCrop(224),
RandomHorizontalFlip, ToTensor, Normalize; or, with --crop resized, RandomResizedCrop(224) for the first two. One image at a
time on one thread, into batches of the whole folder. Prints one JSON object with the processor time and the time per image.
"""

import argparse
import json
import time
from pathlib import Path

import PIL
import torch
import torchvision
from PIL import Image
from torchvision import transforms

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--folder", required=True)
parser.add_argument("--crop", choices=["frame", "resized"], default="frame")
parser.add_argument("--repeats", type=int, default=5)
arguments = parser.parse_args()

torch.set_num_threads(1)
torch.manual_seed(1)
paths = sorted(path for path in Path(arguments.folder).rglob("*") if path.suffix.lower() in (".jpg", ".jpeg"))
crop = {
    "frame": [transforms.Resize(256), transforms.RandomCrop(224)],
    "resized": [transforms.RandomResizedCrop(224)],
}[arguments.crop]
prepare = transforms.Compose(
    [
        *crop,
        transforms.RandomHorizontalFlip(),
        transforms.ToTensor(),
        transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    ]
)


def batch():
    images = []
    for path in paths:
        with open(path, "rb") as file:  # as torchvision.datasets.folder's pil_loader does
            images.append(prepare(Image.open(file).convert("RGB")))
    return torch.stack(images)


batch()
began, before = time.perf_counter(), time.process_time()
for _ in range(arguments.repeats):
    batch()
count = arguments.repeats * len(paths)
print(
    json.dumps(
        {
            "medianMs": 1000 * (time.process_time() - before) / count,
            "wallMs": 1000 * (time.perf_counter() - began) / count,
            "images": len(paths),
            "pillow": PIL.__version__,
            "torchvision": torchvision.__version__,
        }
    )
)
