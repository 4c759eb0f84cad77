"""What the peers share: their flags, repeating a step, and what they print about it."""

import argparse
import json
import os
import resource
import statistics
import sys
import time

import torch


def parser(description, steps, warmup):
    p = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    p.add_argument("--mode", choices=["eager", "compile"], default="eager")
    p.add_argument("--format", choices=["contiguous", "channels_last"], default="contiguous")
    p.add_argument("--batch-size", type=int, default=128)
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--steps", type=int, default=steps)
    p.add_argument("--warmup", type=int, default=warmup)
    p.add_argument("--json", action="store_true")
    return p


def memory_format(arguments):
    return torch.channels_last if arguments.format == "channels_last" else torch.contiguous_format


def compiler(arguments):
    """What wraps the functions to be measured."""
    return torch.compile if arguments.mode == "compile" else lambda function: function


def training_step(model, optimizer, forward, constrain, images, labels):
    """A step on one batch; `forward` gives the loss, and `constrain`, if there is one, limits weights after the update."""

    def step():
        optimizer.zero_grad(set_to_none=True)
        loss = forward(images, labels)
        loss.backward()
        optimizer.step()
        if constrain:
            constrain(model.inner, model.outer)
        return loss.item()

    return step


def seconds_since_process_start():
    """From the kernel's record, so that starting Python and importing torch count (in steps of 10 ms)."""
    started = int(open("/proc/self/stat").read().rsplit(")", 1)[1].split()[19])
    return time.clock_gettime(time.CLOCK_BOOTTIME) - started / os.sysconf("SC_CLK_TCK")


def report(step, arguments, **more):
    """Runs the step, and prints its median time, when the first one ended and the peak of resident memory."""
    try:
        step()
    except Exception as error:
        if arguments.mode != "compile":
            raise
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        sys.exit(f"torch.compile failed: {reason}")
    first = seconds_since_process_start()
    for _ in range(arguments.warmup):
        step()
    times = []
    for _ in range(arguments.steps):
        start = time.perf_counter()
        step()
        times.append(1000 * (time.perf_counter() - start))
    result = {
        "medianMs": statistics.median(times) if times else None,
        "firstStepSeconds": first,
        "peakBytes": 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
        "torch": torch.__version__,
        "cpu": torch.backends.cpu.get_cpu_capability(),
        "threads": arguments.threads,
        **more,
    }
    if arguments.json:
        print(json.dumps(result))
    else:
        median = f"{result['medianMs']:.1f} ms a step (median), " if times else ""
        print(f"{median}first step after {first:.2f} s, peak {result['peakBytes'] / 1e6:.0f} MB")
