"""The network of a job as every user of PyTorch writes it."""

from __future__ import annotations

import numpy as np
import torch
from job import Job
from torch import nn


def build(job: Job) -> nn.Sequential:
    """Linear, ReLU and Dropout in turn, with the job's first weights."""
    *hidden, last = job.first_weights()
    layers: list[nn.Module] = []
    for weight, bias in hidden:
        layers += [_linear(weight, bias), nn.ReLU()]
        if job.dropout:
            layers.append(nn.Dropout(job.dropout))
    return nn.Sequential(*layers, _linear(*last))


@torch.no_grad()
def _linear(weight: np.ndarray, bias: np.ndarray) -> nn.Linear:
    linear = nn.Linear(*weight.shape)
    linear.weight.copy_(torch.from_numpy(weight.T))
    linear.bias.copy_(torch.from_numpy(bias))
    return linear


@torch.no_grad()
def predict(network: nn.Module, features: np.ndarray) -> np.ndarray:
    """The logits of the network in evaluation mode."""
    network.eval()
    logits: np.ndarray = network(torch.from_numpy(features)).numpy()
    return logits
