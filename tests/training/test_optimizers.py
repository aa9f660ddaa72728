"""Optimizers: the weights that torch.optim gives, and a state that brings them back to the bit."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from nettool.config.optimization import SGD, Adadelta, Adagrad, Adam, AdamW, OptimizerSpec, RMSprop
from nettool.training.optimizers import build_optimizer, clip_gradients

SHAPES = [(4, 3), (3,), (1, 1), (), (2, 3, 2)]
DEFAULTS: list[OptimizerSpec] = [SGD(), Adam(), AdamW(), Adadelta(), Adagrad(), RMSprop()]
SETTINGS: list[OptimizerSpec] = [
    *DEFAULTS,
    SGD(lr=0.1, momentum=0.9),
    SGD(lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.1),
    SGD(lr=0.1, weight_decay=0.1, clip_norm=0.5),
    Adam(lr=0.1, weight_decay=0.1, clip_norm=0.5),
    AdamW(lr=0.1, weight_decay=0.3, clip_norm=0.5),
    Adadelta(weight_decay=0.1, clip_norm=0.5),
    Adagrad(lr=0.1, weight_decay=0.1, clip_norm=0.5),
    RMSprop(lr=0.1, weight_decay=0.1, clip_norm=0.5, momentum=0.9),
]
needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")

rates = st.floats(1e-4, 1.0)
shares = st.floats(0.0, 0.99)
common = {
    "lr": rates,
    "weight_decay": st.sampled_from([0.0, 0.01, 0.5]),
    "clip_norm": st.sampled_from([None, 0.1, 1.0, 100.0]),
}
adam = {"beta1": shares, "beta2": st.floats(0.5, 0.999), "epsilon": st.sampled_from([1e-8, 1e-3])}
specs = st.one_of(
    st.builds(SGD, momentum=shares, **common),
    st.builds(SGD, momentum=st.floats(0.1, 0.99), nesterov=st.just(True), **common),
    st.builds(Adam, **adam, **common),
    st.builds(AdamW, **adam, **common),
    st.builds(Adadelta, rho=shares, **common),
    st.builds(Adagrad, **common),
    st.builds(RMSprop, alpha=shares, momentum=shares, **common),
)


def by_id(spec: OptimizerSpec) -> str:
    return " ".join(f"{key}={value}" for key, value in spec.model_dump(exclude_defaults=True).items()) or spec.name


def draw(num_steps: int, dtype: torch.dtype = torch.float64) -> tuple[list[Tensor], list[list[Tensor]]]:
    generator = torch.Generator().manual_seed(7)

    def tensors() -> list[Tensor]:
        return [torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype) for shape in SHAPES]

    return tensors(), [tensors() for _ in range(num_steps)]


def copies(tensors: list[Tensor]) -> list[Tensor]:
    return [tensor.clone() for tensor in tensors]


def torch_twin(spec: OptimizerSpec, parameters: list[Tensor]) -> torch.optim.Optimizer:
    settings = spec.model_dump(exclude={"name", "clip_norm", "beta1", "beta2", "epsilon"})
    if isinstance(spec, (Adam, AdamW)):
        settings["betas"] = (spec.beta1, spec.beta2)
    if not isinstance(spec, SGD):
        settings["eps"] = spec.epsilon
    classes = {
        "sgd": torch.optim.SGD,
        "adam": torch.optim.Adam,
        "adamw": torch.optim.AdamW,
        "adadelta": torch.optim.Adadelta,
        "adagrad": torch.optim.Adagrad,
        "rmsprop": torch.optim.RMSprop,
    }
    twin: torch.optim.Optimizer = classes[spec.name](parameters, foreach=False, **settings)
    return twin


def moved_by_torch(
    spec: OptimizerSpec, start: list[Tensor], gradients: list[list[Tensor]], rates: list[float]
) -> list[Tensor]:
    parameters = [tensor.clone().requires_grad_() for tensor in start]
    twin = torch_twin(spec, parameters)
    for step, lr in zip(gradients, rates, strict=True):
        for parameter, gradient in zip(parameters, step, strict=True):
            parameter.grad = gradient.clone()
        if spec.clip_norm is not None:
            torch.nn.utils.clip_grad_norm_(parameters, spec.clip_norm)
        twin.param_groups[0]["lr"] = lr
        twin.step()
    return [parameter.detach() for parameter in parameters]


def moved_by_us(
    spec: OptimizerSpec, start: list[Tensor], gradients: list[list[Tensor]], rates: list[float]
) -> list[Tensor]:
    parameters = copies(start)
    optimizer = build_optimizer(spec, parameters)
    for step, lr in zip(gradients, rates, strict=True):
        optimizer.step(step, lr)
    return parameters


def assert_close(ours: list[Tensor], theirs: list[Tensor], tolerance: float) -> None:
    for mine, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, other, rtol=tolerance, atol=tolerance)


def assert_same_bits(ours: list[Tensor], theirs: list[Tensor]) -> None:
    for mine, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, other, rtol=0, atol=0)


@pytest.mark.parametrize("spec", SETTINGS, ids=by_id)
def test_twenty_steps_give_the_weights_of_torch_optim(spec: OptimizerSpec) -> None:
    start, gradients = draw(20)
    rates = [spec.lr * 0.9**step for step in range(20)]
    assert_close(moved_by_us(spec, start, gradients, rates), moved_by_torch(spec, start, gradients, rates), 1e-8)


@settings(max_examples=30, deadline=None)
@given(specs)
def test_any_setting_gives_the_weights_of_torch_optim(spec: OptimizerSpec) -> None:
    start, gradients = draw(20)
    start, gradients = start[:2], [step[:2] for step in gradients]
    rates = [spec.lr] * 20
    assert_close(moved_by_us(spec, start, gradients, rates), moved_by_torch(spec, start, gradients, rates), 1e-8)


@pytest.mark.parametrize("spec", SETTINGS, ids=by_id)
def test_float32_weights_stay_near_those_of_torch_optim(spec: OptimizerSpec) -> None:
    start, gradients = draw(20, torch.float32)
    ours = moved_by_us(spec, start, gradients, [spec.lr] * 20)
    assert all(tensor.dtype == torch.float32 for tensor in ours)
    assert_close(ours, moved_by_torch(spec, start, gradients, [spec.lr] * 20), 1e-4)


@needs_cuda
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("spec", SETTINGS, ids=by_id)
def test_cuda_gives_the_weights_of_the_cpu(spec: OptimizerSpec, dtype: torch.dtype) -> None:
    start, gradients = draw(20, dtype)
    rates = [spec.lr] * 20
    there = moved_by_us(
        spec, [tensor.cuda() for tensor in start], [[g.cuda() for g in step] for step in gradients], rates
    )
    tolerance = 1e-4 if dtype == torch.float32 else 1e-8
    assert_close([tensor.cpu() for tensor in there], moved_by_us(spec, start, gradients, rates), tolerance)


@pytest.mark.parametrize("spec", SETTINGS, ids=by_id)
def test_state_brought_back_in_the_middle_gives_the_bits_of_an_uncut_run(spec: OptimizerSpec) -> None:
    start, gradients = draw(12)
    uncut = moved_by_us(spec, start, gradients, [spec.lr] * 12)

    parameters = copies(start)
    optimizer = build_optimizer(spec, parameters)
    for step in gradients[:5]:
        optimizer.step(step, spec.lr)
    saved = {name: tensor.clone() for name, tensor in optimizer.state().items()}
    resumed = build_optimizer(spec, parameters)
    resumed.load_state(saved)
    for step in gradients[5:]:
        resumed.step(step, spec.lr)

    assert_same_bits(parameters, uncut)


def test_loaded_state_is_a_copy_that_later_steps_leave_alone() -> None:
    start, gradients = draw(2)
    optimizer = build_optimizer(Adam(), start)
    optimizer.step(gradients[0], 0.1)
    saved = {name: tensor.clone() for name, tensor in optimizer.state().items()}
    other = build_optimizer(Adam(), copies(start))
    other.load_state(saved)
    other.step(gradients[1], 0.1)
    assert_same_bits(list(saved.values()), list(optimizer.state().values()))


def test_state_has_flat_names_and_the_step_count() -> None:
    start, gradients = draw(3)
    optimizer = build_optimizer(Adam(), start)
    for step in gradients:
        optimizer.step(step, 0.1)
    state = optimizer.state()
    assert set(state) == {"step", *(f"{kind}.{i}" for kind in ("exp_avg", "exp_avg_sq") for i in range(5))}
    assert state["step"] == 3
    assert state["exp_avg.0"].shape == (4, 3)


def test_plain_gradient_descent_remembers_nothing() -> None:
    assert build_optimizer(SGD(), draw(0)[0]).state() == {}


def test_state_of_another_optimizer_is_refused_by_name() -> None:
    start, _ = draw(0)
    state = build_optimizer(SGD(momentum=0.9), start).state()
    with pytest.raises(ValueError, match=r"another optimizer's: .*momentum\.0"):
        build_optimizer(Adam(), start).load_state(state)


def test_state_of_other_shapes_is_refused_and_changes_nothing() -> None:
    start, gradients = draw(1)
    optimizer = build_optimizer(SGD(momentum=0.9), start)
    optimizer.step(gradients[0], 0.1)
    before = copies(list(optimizer.state().values()))
    wrong = {name: torch.zeros_like(tensor) for name, tensor in optimizer.state().items()}
    wrong["momentum.4"] = torch.zeros(7, dtype=torch.float64)
    with pytest.raises(ValueError, match=r"momentum\.4 is torch\.float64 \[7\]"):
        optimizer.load_state(wrong)
    assert_same_bits(list(optimizer.state().values()), before)


def test_state_of_another_precision_is_refused() -> None:
    state = build_optimizer(SGD(momentum=0.9), draw(0, torch.float32)[0]).state()
    with pytest.raises(ValueError, match=r"torch\.float32"):
        build_optimizer(SGD(momentum=0.9), draw(0)[0]).load_state(state)


@pytest.mark.parametrize("spec", SETTINGS, ids=by_id)
def test_no_parameters_are_no_problem(spec: OptimizerSpec) -> None:
    optimizer = build_optimizer(spec, [])
    optimizer.step([], spec.lr)
    optimizer.load_state(optimizer.state())


@pytest.mark.parametrize("spec", SETTINGS, ids=by_id)
def test_gradients_are_only_read(spec: OptimizerSpec) -> None:
    start, gradients = draw(1)
    given_gradients = copies(gradients[0])
    build_optimizer(spec, start).step(given_gradients, spec.lr)
    assert_same_bits(given_gradients, gradients[0])


@pytest.mark.parametrize("spec", SETTINGS, ids=by_id)
def test_one_tensor_given_as_two_gradients_counts_once_for_each(spec: OptimizerSpec) -> None:
    shared = torch.full((3,), 2.0, dtype=torch.float64)
    one, two = (
        [torch.ones(3, dtype=torch.float64) for _ in range(2)],
        [torch.ones(3, dtype=torch.float64) for _ in range(2)],
    )
    build_optimizer(spec, one).step([shared, shared], spec.lr)
    build_optimizer(spec, two).step([shared.clone(), shared.clone()], spec.lr)
    assert_same_bits(one, two)


@pytest.mark.parametrize("spec", SETTINGS, ids=by_id)
def test_transposed_and_expanded_gradients_are_read_as_what_they_are(spec: OptimizerSpec) -> None:
    transposed = torch.arange(12.0, dtype=torch.float64).view(4, 3).t()
    expanded = torch.ones((), dtype=torch.float64).expand(2, 5)
    start = [torch.ones(3, 4, dtype=torch.float64), torch.ones(2, 5, dtype=torch.float64)]
    odd, plain = copies(start), copies(start)
    build_optimizer(spec, odd).step([transposed, expanded], spec.lr)
    build_optimizer(spec, plain).step([transposed.contiguous(), expanded.contiguous()], spec.lr)
    assert_same_bits(odd, plain)


@pytest.mark.parametrize("spec", DEFAULTS, ids=by_id)
def test_parameters_that_require_gradients_move_in_place_and_stay_leaves(spec: OptimizerSpec) -> None:
    parameter = torch.nn.Parameter(torch.ones(3))
    storage = parameter.data_ptr()
    build_optimizer(spec, [parameter]).step([torch.ones(3)], spec.lr)
    assert parameter.data_ptr() == storage
    assert parameter.is_leaf
    assert (parameter < 1).all()


def test_adamw_shrinks_weights_by_rate_times_decay_whatever_the_gradient() -> None:
    weights = torch.full((3,), 2.0, dtype=torch.float64)
    build_optimizer(AdamW(weight_decay=0.1), [weights]).step([torch.zeros(3, dtype=torch.float64)], 0.5)
    torch.testing.assert_close(weights, torch.full((3,), 2.0 * (1 - 0.5 * 0.1), dtype=torch.float64))


def test_adagrad_without_its_fused_kernel_gives_the_same_weights() -> None:
    spec = Adagrad(lr=0.1, weight_decay=0.1)
    start, gradients = draw(20)
    parameters = copies(start)
    optimizer = build_optimizer(spec, parameters)
    optimizer._fused = False  # type: ignore[attr-defined]
    optimizer._deviation = optimizer._scratch()  # type: ignore[attr-defined]
    for step in gradients:
        optimizer.step(step, spec.lr)
    assert_close(parameters, moved_by_us(spec, start, gradients, [spec.lr] * 20), 1e-12)


def test_clipping_leaves_short_gradients_alone_and_shortens_long_ones() -> None:
    gradients = [torch.tensor([3.0], dtype=torch.float64), torch.tensor([[4.0]], dtype=torch.float64)]
    assert_same_bits(clip_gradients(gradients, 6.0), gradients)
    shortened = clip_gradients(gradients, 2.5)
    torch.testing.assert_close(torch.cat([g.flatten() for g in shortened]).norm().item(), 2.5, rtol=1e-6, atol=0)
    assert_same_bits(clip_gradients([torch.zeros(2)], 1.0), [torch.zeros(2)])


def test_parameters_that_the_kernels_would_misread_are_refused() -> None:
    with pytest.raises(ValueError, match="contiguous"):
        build_optimizer(SGD(), [torch.ones(3, 4).t()])
    with pytest.raises(ValueError, match="dtypes"):
        build_optimizer(SGD(), [torch.ones(3), torch.ones(3, dtype=torch.float64)])


def test_steps_and_metrics_load_neither_dynamo_nor_torchs_optimizers() -> None:
    script = """
        import sys
        import torch
        at_first = {name for name in sys.modules if name.startswith("torch.optim")}
        from nettool.config.losses import CrossEntropy
        from nettool.config.optimization import Adadelta, Adagrad, Adam, AdamW, Cosine, RMSprop, SGD
        from nettool.config.signature import ClassTarget
        from nettool.model.losses import build_loss
        from nettool.training.metrics import compute_metrics
        from nettool.training.optimizers import build_optimizer
        from nettool.training.schedules import build_schedule
        from nettool.training.stopping import EarlyStopper

        target = ClassTarget(("a", "b", "c"), binary=False)
        loss = build_loss(CrossEntropy(), target, None)
        weights, classes = torch.zeros(2, 3, requires_grad=True), torch.tensor([0, 1, 2])
        for spec in (SGD(), Adam(), AdamW(), Adadelta(), Adagrad(), RMSprop()):
            logits = torch.ones(3, 2) @ weights
            gradients = torch.autograd.grad(loss.mean(logits, classes), [weights])
            rate = build_schedule(Cosine(), spec.lr, 1, 2).rate(0)
            build_optimizer(spec.model_copy(update={"clip_norm": 1.0}), [weights]).step(list(gradients), rate)
        EarlyStopper(3).update(0.5)
        predictions = loss.predictions(logits)
        compute_metrics(("accuracy", "f1", "log_loss", "auroc"), predictions, classes, target)
        assert {name for name in sys.modules if name.startswith("torch.optim")} == at_first
        assert not any(name.startswith("torch._dynamo") for name in sys.modules)
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(script)], check=True)


def test_names_of_metrics_schedules_and_stopping_load_no_torch() -> None:
    script = """
        import sys
        import nettool.model.class_weights, nettool.training.metrics
        import nettool.training.schedules, nettool.training.stopping
        assert "torch" not in sys.modules
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(script)], check=True)
