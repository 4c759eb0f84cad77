"""Prints what the webdataset package finds in shards, as one JSON array of samples."""

import hashlib
import json
import sys

import webdataset

samples = []
for path in sys.argv[1:]:
    # Named by its file, since a path may have what the package takes for a pattern.
    for sample in webdataset.WebDataset([path], shardshuffle=False):
        [image] = [key for key in sample if not key.startswith("__") and key != "cls"]
        samples.append(
            {
                "key": sample["__key__"],
                "ending": image,
                "sha256": hashlib.sha256(sample[image]).hexdigest(),
                "label": int(sample["cls"]),
            }
        )
print(json.dumps(samples))
