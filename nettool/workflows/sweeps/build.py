"""Several networks of the same shapes, and the step that moves all of them."""

from __future__ import annotations

from collections.abc import Sequence

from nettool.data.member_batches import MemberBatching
from nettool.model.compile import Network, compile_network
from nettool.training.closed_form.members import MemberStep
from nettool.training.epochs import Training
from nettool.training.state import TrainingState
from nettool.workflows import machine
from nettool.workflows.build import build_state, build_training
from nettool.workflows.prepare import Prepared


def build_members(prepared: Sequence[Prepared]) -> tuple[list[tuple[Training, TrainingState]], MemberStep]:
    """Each network as it would be alone, and where its training begins."""
    experiments = [each.loaded.experiment for each in prepared]
    networks: list[Network] = []
    first_of_seed: dict[int, Network] = {}
    for each, experiment in zip(prepared, experiments, strict=True):
        network = compile_network(each.plan, experiment.seed)
        network.share_masks(first_of_seed.setdefault(experiment.seed, network))
        networks.append(network)
    trainings = [build_training(each, network) for each, network in zip(prepared, networks, strict=True)]
    own = MemberBatching(tuple(training.batching for training in trainings)).own
    optimizers = [experiment.optimizer for experiment in experiments]
    first = prepared[0]
    step = MemberStep(networks, first.loss, experiments[0].loss, optimizers, own, first.engine.onednn)
    states = map(build_state, prepared, trainings, networks, step.optimizers)
    return list(zip(trainings, states, strict=True)), step


def fitting_threads(prepared: Prepared, num_members: int) -> int:
    """By the work of one step of all of them. Much of it are passes over memory, which a second thread hardly helps:
    16 members of a small table take as long with two as with one.
    """
    runtime = prepared.loaded.experiment.runtime
    return machine.choose_threads(runtime, prepared.plan, prepared.batch_size * num_members // 4)
