"""JAX by hand, as fast as it gets: resident data, and a whole epoch as one compiled scan over its batches."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from job import Job, Stopwatch

BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8

Params = list[tuple[Array, Array]]
Examples = tuple[Array, Array]


class State(NamedTuple):
    """What a step changes. mean, square: Adam's moving averages of the gradients and their squares."""

    params: Params
    mean: Params
    square: Params
    step: Array


def predict(params: Params, x: Array) -> Array:
    """The logits, without dropout."""
    *hidden, last = params
    for weight, bias in hidden:
        x = jax.nn.relu(x @ weight + bias)
    return x @ last[0] + last[1]


def loss_of(params: Params, x: Array, y: Array, key: Array, rate: float) -> Array:
    """Softmax cross-entropy, with dropout."""
    *hidden, last = params
    for index, (weight, bias) in enumerate(hidden):
        x = jax.nn.relu(x @ weight + bias)
        if rate:
            kept = jax.random.bernoulli(jax.random.fold_in(key, index), 1 - rate, x.shape)
            x = jnp.where(kept, x / (1 - rate), 0)
    log_probabilities = jax.nn.log_softmax(x @ last[0] + last[1])
    return -jnp.take_along_axis(log_probabilities, y[:, None], axis=1).mean()


def train_step(job: Job, examples: Examples, state: State, batch: tuple[Array, Array]) -> tuple[State, Array]:
    """One step of Adam with the bias corrections of its paper (Kingma and Ba 2015)."""
    rows, key = batch
    x, y = examples
    loss, gradients = jax.value_and_grad(loss_of)(state.params, x[rows], y[rows], key, job.dropout)
    step = state.step + 1
    mean = jax.tree.map(lambda m, g: BETA1 * m + (1 - BETA1) * g, state.mean, gradients)
    square = jax.tree.map(lambda s, g: BETA2 * s + (1 - BETA2) * g * g, state.square, gradients)
    rate, bias = job.lr / (1 - BETA1**step), 1 - BETA2**step
    params = jax.tree.map(lambda p, m, s: p - rate * m / (jnp.sqrt(s / bias) + EPSILON), state.params, mean, square)
    return State(params, mean, square, step), loss


def train_epoch(job: Job, state: State, examples: Examples, order: Array, key: Array) -> tuple[State, Array]:
    """All whole batches in one scan, then the rest, which has another shape."""
    num_whole = len(order) // job.batch_size
    whole, rest = order[: num_whole * job.batch_size], order[num_whole * job.batch_size :]
    keys = jax.random.split(key, num_whole + 1)
    step = partial(train_step, job, examples)
    state, losses = jax.lax.scan(step, state, (whole.reshape(num_whole, job.batch_size), keys[:-1]))
    if len(rest):
        state, _ = step(state, (rest, keys[-1]))
    return state, losses.mean()


def main() -> None:
    """Train, predict."""
    job = Job.from_command_line()
    x, y = job.examples()
    examples = jnp.asarray(x), jnp.asarray(y.astype(np.int32))
    params: Any = [(jnp.asarray(weight), jnp.asarray(bias)) for weight, bias in job.first_weights()]
    zeros = partial(jax.tree.map, jnp.zeros_like)
    state = State(params, zeros(params), zeros(params), jnp.zeros((), jnp.float32))
    epoch = jax.jit(partial(train_epoch, job), donate_argnums=0)
    generator = np.random.default_rng(0)
    keys = jax.random.split(jax.random.key(0), job.epochs)
    stopwatch = Stopwatch()
    for number in range(job.epochs):
        stopwatch.start()
        order = generator.permutation(len(x)).astype(np.int32)  # numpy's is much faster than jax.random's on a CPU
        state, loss = epoch(state, examples, order, keys[number])
        loss.block_until_ready()
        stopwatch.stop()
    job.finish(stopwatch.seconds, np.asarray(jax.jit(predict)(state.params, job.held_out_features())))


if __name__ == "__main__":
    main()
