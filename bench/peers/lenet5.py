"""LeNet-5 of each method: one training step in PyTorch, written the way a good PyTorch user would for speed.

The same networks, loss and optimizer (Adam) as `bench/ours/step.mjs`; methods are as in their papers.
"""

import torch
import torch.nn.functional as F
from torch import nn

import measure
from methods import METHODS


class LeNet5(nn.Module):
    """A batch norm takes its layer's output, in XNOR-Net the next one's input."""

    def __init__(self, method):
        super().__init__()
        self.method = method
        norms = (20, 20, 800, 500) if method.order == "before" else (20, 50, 500, 250)
        self.conv1 = nn.Conv2d(1, 20, 5, bias=False)
        self.bn1 = nn.BatchNorm2d(norms[0], eps=1e-4, affine=False)
        self.conv2 = nn.Conv2d(20, 50, 5, bias=False)
        self.bn2 = nn.BatchNorm2d(norms[1], eps=1e-4)
        self.fc1 = nn.Linear(800, 500, bias=False)
        self.bn3 = nn.BatchNorm1d(norms[2], eps=1e-4)
        self.fc2 = nn.Linear(500, 250, bias=False)
        self.bn4 = nn.BatchNorm1d(norms[3], eps=1e-4)
        self.fc3 = nn.Linear(250, 10, bias=False)
        self.inner = [self.conv2, self.fc1, self.fc2]
        self.outer = [self.conv1, self.fc3]
        method.prepare(self.inner)

    def forward(self, x):
        method = self.method
        x = F.conv2d(x, method.outer_weights(self.conv1))
        x = method.pool(method.nonlinearity(self.bn1(x)), 2)
        x = (self.norms_before if method.order == "before" else self.norms_after)(x)
        return F.linear(method.last_input(x), method.outer_weights(self.fc3))

    def norms_after(self, x):
        method = self.method
        x = F.conv2d(method.activations(x), method.weights(self.conv2))
        x = method.pool(method.nonlinearity(self.bn2(x)), 2)
        x = F.linear(method.activations(x.flatten(1)), method.weights(self.fc1))
        x = method.nonlinearity(self.bn3(x))
        x = F.linear(method.activations(x), method.weights(self.fc2))
        return method.nonlinearity(self.bn4(x))

    def norms_before(self, x):
        method = self.method
        x = method.pool(F.conv2d(method.activations(self.bn2(x)), method.weights(self.conv2)), 2)
        x = F.linear(method.activations(self.bn3(x.flatten(1))), method.weights(self.fc1))
        return F.linear(method.activations(self.bn4(x)), method.weights(self.fc2))


def main():
    parser = measure.parser(__doc__, steps=100, warmup=30)
    parser.add_argument("--method", choices=METHODS, default="baseline")
    arguments = parser.parse_args()

    torch.set_num_threads(arguments.threads)
    torch.manual_seed(1)
    memory_format = measure.memory_format(arguments)
    model = LeNet5(METHODS[arguments.method]()).to(memory_format=memory_format)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01, fused=True)
    images = torch.randn(arguments.batch_size, 1, 28, 28).to(memory_format=memory_format)
    labels = torch.randint(0, 10, (arguments.batch_size,))
    compiled = measure.compiler(arguments)
    forward = compiled(lambda x, y: F.cross_entropy(model(x), y))
    constrain = model.method.constrain and compiled(model.method.constrain)

    measure.report(measure.training_step(model, optimizer, forward, constrain, images, labels), arguments)


if __name__ == "__main__":
    main()
