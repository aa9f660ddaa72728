"""Pictures of what is inside a network: its layers, their weights, and the landscape that these lie in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nettool.analysis.layers import activation_distributions, gradient_distributions, weight_distributions
from nettool.analysis.structure import boxes_of, neurons_of
from nettool.config.signature import describe_shape
from nettool.training.evaluation import evaluating
from nettool.workflows.pictures.beside import landscapes_beside
from nettool.workflows.pictures.filters import filters_of
from nettool.workflows.pictures.line import loss_along
from nettool.workflows.pictures.path import landscape_of
from nettool.workflows.pictures.registry import Kinds, captioned
from nettool.workflows.pictures.samples import samples_of
from nettool.workflows.pictures.subject import Subject
from nettool.workflows.pictures.tokens import attention_of, embeddings_of
from nettool.workflows.words import plural

if TYPE_CHECKING:
    from matplotlib.figure import Figure

OF_NETWORKS = Kinds()


@OF_NETWORKS.add("network", "neurons and their weights; of a larger network its layers")
def _network(subject: Subject) -> Figure:
    from nettool.plots.figures import caption
    from nettool.plots.network import boxes, neurons

    trained, name = subject.trained, subject.run.path.name
    layers = neurons_of(trained.network, trained.plan)
    if not layers:
        before = describe_shape(trained.plan.input)
        return caption(boxes(boxes_of(trained.plan), before, trained.plan.num_embedded), name)
    return caption(neurons(layers, subject.input_names, subject.output_names), name)


@OF_NETWORKS.add("weights", "the weights of each layer")
def _weights(subject: Subject) -> Figure:
    from nettool.plots.figures import caption
    from nettool.plots.layers import distributions

    found = weight_distributions(subject.trained.network, subject.trained.plan)
    return caption(distributions(found, "weight", "weights by layer, from input to output"), subject.run.path.name)


@OF_NETWORKS.add("activations", "what each layer puts out; dead and saturated units")
def _activations(subject: Subject) -> Figure:
    from nettool.plots.figures import caption
    from nettool.plots.layers import distributions

    trained = subject.trained
    with subject.computing(), evaluating(trained.network):
        found, health = activation_distributions(trained.network, trained.plan, subject.batch)
    ill = sum(one.dead + one.saturated for one in health)
    told = (
        f"what layers put out; {plural(ill, 'unit')} dead or saturated"
        if ill
        else "what layers put out; no dead or saturated units"
    )
    return caption(distributions(found, "output", told), f"{subject.run.path.name}, training examples")


@OF_NETWORKS.add("gradients", "the size of the gradient in each layer")
def _gradients(subject: Subject) -> Figure:
    from nettool.plots.figures import caption
    from nettool.plots.layers import distributions

    trained = subject.trained
    with subject.computing():
        found = gradient_distributions(trained.network, trained.plan, subject.batch, trained.loss.mean)
    figure = distributions(found, "size of the gradient of a weight (log₁₀)", "gradients at the best weights")
    return caption(figure, f"{subject.run.path.name}, training examples")


@OF_NETWORKS.add("landscape", "the loss around the weights, and the way that training took through it")
def _landscape(subject: Subject) -> Figure:
    from nettool.plots.figures import caption
    from nettool.plots.landscape import Path, landscape

    if subject.wishes.beside:
        return landscapes_beside(subject)
    found, ways = landscape_of(subject)
    plane = found.plane
    told = "loss of the training examples around the best weights"
    if plane.explained is not None:
        lies = f"{plane.explained:.0%} of the way lies in this plane"
        told = f"{told}; {lies}, and is drawn where the plane is nearest to it"
    paths = [Path(name, *np.transpose(way)) for name, way in ways]
    return caption(landscape(found, paths, told), subject.run.path.name)


@OF_NETWORKS.add("line", "the loss along the straight line from the first weights to the best, or to another run")
def _line(subject: Subject) -> Figure:
    return loss_along(subject)


@OF_NETWORKS.add("filters", "what the first layer looks for in images or in time, and what it answers")
def _filters(subject: Subject) -> Figure:
    return filters_of(subject)


@OF_NETWORKS.add("embeddings", "tokens, or levels of a category, in a plane: which are alike")
def _embeddings(subject: Subject) -> Figure:
    from nettool.plots.figures import caption

    return caption(embeddings_of(subject), f"{subject.run.path.name}, counted in the training examples")


@OF_NETWORKS.add("attention", "which token looks at which, head by head")
def _attention(subject: Subject) -> Figure:
    return captioned(subject, attention_of(subject))


@OF_NETWORKS.add("samples", "what it wrote, epoch after epoch")
def _samples(subject: Subject) -> Figure:
    from nettool.plots.figures import caption

    return caption(samples_of(subject), f"{subject.run.path.name}, no prompt, seed 0: as nettool generate writes it")
