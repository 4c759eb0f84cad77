"""The networks for CIFAR-10 and ImageNet with each method: one training step or one evaluation in PyTorch or with Brevitas' layers.

The same networks, loss and optimizer (SGD) as `bench/ours/step.mjs`. With bfloat16 the forward pass is autocast.
"""

import torch
import torch.nn.functional as F

import measure
from imagenet import AlexNet, ResNet18
from methods import METHODS
from resnet import ResNet
from vgg import VGG16


def brevitas(bits):
    from brevitas_resnet import brevitas_resnet20

    return brevitas_resnet20(bits)


# Of a method, classes and the side of the images, which CIFAR's do not ask for.
NETWORKS = {
    "resnet20": lambda method, classes, side: ResNet(method, 20, classes),
    "resnet50": lambda method, classes, side: ResNet(method, 50, classes),
    "vgg16": lambda method, classes, side: VGG16(method, classes),
    "alexnet": AlexNet,
    "resnet18": ResNet18,
}
# Classes and side, unless others are asked for.
IMAGES = {"alexnet": (1000, 224), "resnet18": (1000, 224)}
CIFAR = 10, 32


def parameter_groups(model):
    """Weight decay is for all but TTQ's scales."""
    own = [p for name, p in model.named_parameters() if name.endswith((".positive", ".negative"))]
    rest = [p for name, p in model.named_parameters() if not name.endswith((".positive", ".negative"))]
    return [{"params": rest, "weight_decay": 1e-4}, *([{"params": own, "weight_decay": 0}] if own else [])]


def training_step(model, images, labels, compiled, autocast):
    def loss_of(x, y):
        with autocast():
            logits = model(x)
        return F.cross_entropy(logits.float(), y)

    optimizer = torch.optim.SGD(parameter_groups(model), lr=0.1, momentum=0.9, fused=True)
    forward = compiled(loss_of)
    method = getattr(model, "method", None)
    constrain = method and method.constrain and compiled(method.constrain)

    return measure.training_step(model, optimizer, forward, constrain, images, labels)


def evaluation(model, images, labels, compiled, autocast):
    model.eval()

    def scores(x, y):
        with autocast():
            logits = model(x)
        return F.cross_entropy(logits.float(), y), (logits.argmax(1) == y).sum()

    forward = compiled(scores)

    def step():
        with torch.inference_mode():
            loss, right = forward(images, labels)
            return loss.item(), right.item()

    return step


def main():
    parser = measure.parser(__doc__, steps=10, warmup=6)
    parser.add_argument("--network", choices=NETWORKS, default="resnet20")
    parser.add_argument("--method", choices=METHODS, default="baseline")
    parser.add_argument("--brevitas", type=int, choices=[1, 2], help="ResNet-20 with Brevitas' layers of so many bits")
    parser.add_argument("--precision", choices=["f32", "bf16"], default="f32")
    parser.add_argument("--evaluate", action="store_true")
    arguments = parser.parse_args()

    torch.set_num_threads(arguments.threads)
    torch.manual_seed(1)
    memory_format = measure.memory_format(arguments)
    classes, side = IMAGES.get(arguments.network, CIFAR)
    if arguments.brevitas:
        model = brevitas(arguments.brevitas)
    else:
        model = NETWORKS[arguments.network](METHODS[arguments.method](), classes, side)
    model = model.to(memory_format=memory_format)
    images = torch.randn(arguments.batch_size, 3, side, side).to(memory_format=memory_format)
    labels = torch.randint(0, classes, (arguments.batch_size,))

    def autocast():
        return torch.autocast("cpu", dtype=torch.bfloat16, enabled=arguments.precision == "bf16")

    made = evaluation if arguments.evaluate else training_step
    measure.report(made(model, images, labels, measure.compiler(arguments), autocast), arguments)


if __name__ == "__main__":
    main()
