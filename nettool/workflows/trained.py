"""A trained network brought back from its weights file, ready to evaluate and to predict."""

from __future__ import annotations

import contextlib
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, TypeVar

import torch
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError
from torch import Tensor

from nettool.config.data import DataSpec
from nettool.config.experiment import Experiment
from nettool.config.load import PATH_KEYS, load_mapping
from nettool.config.losses import BinaryCrossEntropy, CrossEntropy
from nettool.config.signature import ClassTarget, Target
from nettool.config.write import to_plain
from nettool.data.bundle import Encoders
from nettool.data.dataset import Dataset, Stretches, to_tensor
from nettool.data.examples import Split
from nettool.data.stored import first_mistake
from nettool.data.targets import NumberEncoder
from nettool.errors import ConfigError, DamagedError, DataError, RunError, UsageError
from nettool.limits import MAX_THREADS
from nettool.model.class_weights import class_weights_from
from nettool.model.compile import Network, compile_network
from nettool.model.losses import Loss, build_loss
from nettool.model.memory import evaluation_chunk
from nettool.model.plans import NetworkPlan
from nettool.model.shapes import plan_network
from nettool.runs import checkpoint
from nettool.runs.directory import RunDirectory
from nettool.runs.find import find_run
from nettool.runs.journal import read_record
from nettool.training.evaluation import Evaluator, forward
from nettool.training.metrics import compute_metrics
from nettool.training.token_metrics import unigram_metrics
from nettool.workflows import machine


@dataclass(frozen=True)
class Trained:
    """An experiment with its fitted encoders and its best weights.

    baseline: what the naive model predicts for every example: the training share of each class (of the second of two,
    of each label, of each token), or the training mean of each number. threads, device: those of the training, which
    give the same bits; the cpu where this machine lacks the device it was trained_on.
    """

    source: Path
    experiment: Experiment
    encoders: Encoders
    plan: NetworkPlan
    network: Network
    loss: Loss
    baseline: tuple[float, ...]
    threads: int
    device: torch.device
    trained_on: str
    epoch: int
    fingerprint: dict[str, FileFacts]

    @cached_property
    def target(self) -> Target:
        """What the network predicts."""
        return self.encoders.signature.target

    def first_network(self) -> Network:
        """The network as training began with it: the same bits with the same torch."""
        return compile_network(self.plan, self.experiment.seed, self.device)

    def evaluator(self, metric_names: tuple[str, ...]) -> Evaluator:
        """Measures this network."""
        return make_evaluator(self.loss, self.encoders, metric_names, self.plan)

    def predictions(self, split: Split) -> Tensor:
        """Probabilities [n, outputs], or numbers in the target's own units."""
        features = to_tensor(split.features, self.device)
        logits = forward(self.network, features, evaluation_chunk(self.plan))
        return decoder(self.encoders)(self.loss.predictions(logits)).cpu()


class FileFacts(BaseModel):
    """What is read of the fingerprint of a data file."""

    sha256: str


class Facts(BaseModel):
    """What is read of the facts beside weights: a stranger may have written them.

    machines: all that the run has been on so far, each once. batch_size: as it was, also where the config says "full".
    spans: what `epochs` was while a schedule that spans all of them set the rates, each once.
    """

    model_config = ConfigDict(strict=True)

    config: dict[str, Any]
    encoders: dict[str, Any]
    baseline: list[FiniteFloat]
    threads: Annotated[int, Field(ge=1, le=MAX_THREADS)]
    device: str
    fingerprint: dict[str, FileFacts]
    machines: list[machine.Machine] = []
    batch_size: Annotated[int, Field(ge=1)] | None = None
    spans: list[int] = []


def stays_of(record: dict[str, Any], *checkpoints: Facts | None) -> list[dict[str, Any]]:
    """All that is known of the machines that a run has been on, from its record and from its checkpoints."""
    written = [record, *record.get("resumed", [])] if record else []
    return [*written, *(one.described() for facts in checkpoints if facts for one in facts.machines)]


class BestFacts(Facts):
    """Those of the best weights."""

    epoch: Annotated[int, Field(ge=0)]


FactsType = TypeVar("FactsType", bound=Facts)


def check_facts(kind: type[FactsType], facts: dict[str, Any], source: Path) -> FactsType:
    """The facts, if they are of this kind. Raises DamagedError where they are not."""
    try:
        return kind.model_validate(facts)
    except ValidationError as error:
        raise DamagedError(f"{source} does not fit together: {first_mistake(error)}.") from None


def facts_of(
    experiment: Experiment,
    encoders: Encoders,
    baseline: tuple[float, ...],
    threads: int,
    device: torch.device,
    fingerprint: dict[str, Any],
) -> dict[str, Any]:
    """What stands beside the weights in a checkpoint, so that the file alone is enough to predict."""
    return {
        "config": to_plain(experiment),
        "encoders": encoders.to_json(),
        "baseline": list(baseline),
        "threads": threads,
        "device": str(device),
        "fingerprint": fingerprint,
    }


def in_short(error: Exception) -> str:
    """What a library says, in a line: torch lists every tensor."""
    return textwrap.shorten(str(error), 200, placeholder=" ...").rstrip(".")


def check_files(spec: DataSpec) -> None:
    """Raise DataError, with the cure, for data of a run that are no longer where they were."""
    for role, path in spec.files.items():
        if not path.exists():
            raise DataError(f"{path}: there is no such file or folder any more. Was it moved? Then add data.{role}=...")


def load_trained(argument: Path | None, overrides: Sequence[str] = ()) -> Trained:
    """From a run directory, a weights file, or (None) the newest run. Raises RunError.

    overrides: where the data is now, `data.path=...`, for data that was moved; UsageError for any other.
    """
    for override in overrides:
        if not override.startswith(tuple(f"data.{key}=" for key in PATH_KEYS)):
            raise UsageError(f"{override}: a trained run only takes where its data is now, data.path=...")
    if argument is not None and argument.is_file():
        if argument.suffix != ".safetensors":
            raise RunError(
                f"{argument} is no run. Name a run directory, or its best.safetensors; the run comes before the table."
            )
        source = argument
    else:
        source = _weights_of(find_run(argument))
    try:
        tensors, written = checkpoint.load(source)
    except DamagedError as error:
        if source.name == "best.safetensors" and (source.parent / "last.safetensors").is_file():
            cure = f" Write it again from the last checkpoint: nettool train --resume {source.parent}"
            raise DamagedError(f"{error}{cure}") from None
        raise
    try:
        facts = check_facts(BestFacts, written, source)
        return _put_together(source, tensors, facts, load_mapping(facts.config, overrides).experiment)
    except ConfigError as error:
        hint = " A layer added from Python must be registered before its run is loaded, which only Python can do."
        raise RunError(f"{source}: {error}{hint if 'no layer' in str(error) else ''}") from None
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise RunError(f"{source} does not fit together: {in_short(error)}.") from None


def _weights_of(run: RunDirectory) -> Path:
    """Raises RunError where none were saved, and says what to do about it, which how the run stands decides."""
    status = ""
    if not run.best.is_file():
        with contextlib.suppress(RunError):
            status = str(read_record(run)["status"])
    if status == "running":
        raise RunError(f"{run.path} is still going and has saved nothing yet. Ask again in half a minute.")
    if status == "diverged":
        raise RunError(
            f"{run.path} diverged before an epoch was over, so it has no weights to look at. Train it anew with a "
            "lower learning rate."
        )
    return run.weights


def _put_together(source: Path, tensors: dict[str, Tensor], facts: BestFacts, experiment: Experiment) -> Trained:
    encoders = Encoders.from_json(facts.encoders)
    encoders.check_data(experiment.data)
    if len(facts.baseline) != encoders.signature.target.num_outputs:
        raise ValueError(f"a baseline of {len(facts.baseline)} numbers is not that of its target")
    plan = plan_network(experiment, encoders.signature)
    num_numbers = sum(tensor.numel() for tensor in tensors.values())
    if plan.num_parameters > num_numbers:  # asked before a network is built that its file does not fill
        raise ValueError(f"its config has {plan.num_parameters:,} parameters, but the file {num_numbers:,} numbers")
    device = machine.device_like(facts.device)
    network = compile_network(plan, experiment.seed, device)
    network.load_state_dict(tensors)
    network.eval()
    baseline = tuple(facts.baseline)
    return Trained(
        source=source,
        experiment=experiment,
        encoders=encoders,
        plan=plan,
        network=network,
        loss=make_loss(experiment, encoders, baseline, device),
        baseline=baseline,
        threads=facts.threads,
        device=device,
        trained_on=facts.device,
        epoch=facts.epoch,
        fingerprint=facts.fingerprint,
    )


def make_loss(
    experiment: Experiment, encoders: Encoders, baseline: tuple[float, ...], device: torch.device | None = None
) -> Loss:
    """The experiment's loss; balanced class weights follow from the training split's class shares."""
    spec, target = experiment.loss, encoders.signature.target
    weights = None
    if isinstance(spec, (CrossEntropy, BinaryCrossEntropy)) and isinstance(target, ClassTarget):
        shares = (1 - baseline[0], baseline[0]) if target.binary else baseline
        numbers = class_weights_from(spec, target.classes, shares)
        weights = None if numbers is None else torch.tensor(numbers, device=device)
    return build_loss(spec, target, weights)


def make_evaluator(loss: Loss, encoders: Encoders, metric_names: tuple[str, ...], plan: NetworkPlan) -> Evaluator:
    """Measures networks for this target, in its own units."""
    target = encoders.signature.target
    return Evaluator(loss, target, metric_names, decoder(encoders), evaluation_chunk(plan))


def decoder(encoders: Encoders) -> Callable[[Tensor], Tensor]:
    """Standardised numbers to the target's own units; classes stay as they are."""
    if not isinstance(encoders.target, NumberEncoder):
        return lambda values: values
    horizon = encoders.target.horizon
    mean = torch.tensor(encoders.target.means * horizon, dtype=torch.float64)
    deviation = torch.tensor(encoders.target.deviations * horizon, dtype=torch.float64)
    return lambda values: values.cpu().double() * deviation + mean


def baseline_metrics(
    baseline: tuple[float, ...], encoders: Encoders, dataset: Dataset, names: Sequence[str]
) -> dict[str, float]:
    """What the naive model reaches on a dataset, see `baseline_predictions`."""
    if isinstance(dataset.target, Stretches):
        codes = dataset.target[:].flatten().long().cpu()
        return unigram_metrics(names, baseline, torch.bincount(codes, minlength=len(baseline)).tolist())
    target = decoder(encoders)(dataset.target)
    rows = baseline_predictions(baseline, encoders, dataset)
    return compute_metrics(names, rows, target, encoders.signature.target, dataset.weights)


def baseline_predictions(baseline: tuple[float, ...], encoders: Encoders, dataset: Dataset) -> Tensor:
    """What the naive model predicts for each example, in the target's own units: float64 [n, outputs].

    It says `baseline` of every example; of a series of numbers, that they stay as they are.
    """
    if dataset.naive is not None:
        return decoder(encoders)(dataset.naive)
    return torch.tensor([baseline], dtype=torch.float64).expand(len(dataset), -1)
