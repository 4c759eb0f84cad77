"""Prints what the tensorboard package finds in a run's folder, as one JSON object."""

import json
import sys

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

# 0: everything, without sampling.
found = EventAccumulator(sys.argv[1], size_guidance={"scalars": 0, "histograms": 0, "tensors": 0}).Reload()
tags = found.Tags()
print(
    json.dumps(
        {
            "fileVersion": found.file_version,
            "scalars": {
                tag: [[event.step, event.value, event.wall_time] for event in found.Scalars(tag)]
                for tag in tags["scalars"]
            },
            "histograms": {
                tag: [
                    {
                        "step": event.step,
                        "lowest": event.histogram_value.min,
                        "highest": event.histogram_value.max,
                        "weights": event.histogram_value.num,
                        "limits": list(event.histogram_value.bucket_limit),
                        "counts": list(event.histogram_value.bucket),
                    }
                    for event in found.Histograms(tag)
                ]
                for tag in tags["histograms"]
            },
            "texts": {
                tag: [event.tensor_proto.string_val[0].decode() for event in found.Tensors(tag)]
                for tag in tags["tensors"]
            },
        }
    )
)
