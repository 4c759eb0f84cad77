"""Writes small WebDataset shards as others do: to train on by the webdataset package, whose headers are pax's, and to test
with by tarfile in GNU's format. Each holds a name that does not fit into a header.

    pip install webdataset==1.0.2 pillow && python tools/golden/webdataset_shards.py [FOLDER]
"""

import gzip
import io
import json
import sys
import tarfile
from pathlib import Path

import webdataset
from PIL import Image


def picture(colour, form, size=8):
    file = io.BytesIO()
    Image.new("RGB", (size, size), colour).save(file, form)
    return file.getvalue()


long = "long_" * 36
train = [
    {"__key__": "first/002", "jpg": picture((200, 20, 20), "JPEG"), "cls": 0},
    {"__key__": f"second/{long}", "png": picture((20, 200, 20), "PNG"), "json": {"label": 1, "width": 8}},
    {"__key__": "third/é", "webp": picture((20, 20, 200), "WEBP"), "json": {"cls": 2}},
    {"__key__": "first/001", "jpeg": picture((220, 40, 40), "JPEG"), "cls": 0, "txt": "a second look"},
    {"__key__": "notes", "txt": "no image"},
]
test = {
    f"{long}.PNG": picture((21, 201, 21), "PNG"),
    f"{long}.cls": b"1\n",
    "a.cls": b"0",
    "a.png": picture((201, 21, 21), "PNG"),
    "b.png": picture((21, 21, 201), "PNG"),
    "b.json": json.dumps({"label": 2}).encode(),
}

folder = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent / "data")
shard = io.BytesIO()
with webdataset.TarWriter(shard, mtime=1.5) as writer:
    for sample in train:
        writer.write(sample)
(folder / "webdataset-train.tar.gz").write_bytes(gzip.compress(shard.getvalue(), mtime=0))

shard = io.BytesIO()
with tarfile.open(fileobj=shard, mode="w", format=tarfile.GNU_FORMAT) as archive:
    for name, content in test.items():
        info = tarfile.TarInfo(name)
        info.size = len(content)
        archive.addfile(info, io.BytesIO(content))
(folder / "gnu-val.tar.gz").write_bytes(gzip.compress(shard.getvalue(), mtime=0))
