"""The first step of each optimizer written out for one weight, when it remembers no gradient yet.

In symbols what it remembers ends in 0, and is 0: m0, v0, s0, d0.
"""

from __future__ import annotations

import math
from typing import assert_never

from nettool.analysis.formulas import Formula
from nettool.config.optimization import SGD, Adadelta, Adagrad, Adam, AdamW, OptimizerSpec, RMSprop

CLIP_EPSILON = 1e-6
"""Added to the length that a gradient is clipped by, as torch does."""


class _Sums:
    """Calculations one after another."""

    def __init__(self) -> None:
        self.written: list[Formula] = []

    def say(self, name: str, symbols: str, template: str, value: float, **numbers: float) -> float:
        self.written.append(Formula(name, symbols, template, numbers, value))
        return value


def first_step(
    spec: OptimizerSpec, lr: float, weight: float, gradient: float, after: float, norm: float
) -> tuple[Formula, ...]:
    """Each calculation from a weight and its gradient to the new weight, which the last one gives.

    after: the new weight as the optimizer has it. norm: length of all gradients together, for clipping.
    """
    sums = _Sums()
    w, g = _prepared(sums, spec, lr, weight, gradient, norm)
    match spec:
        case SGD():
            _sgd(sums, spec, lr, w, g, after)
        case Adam() | AdamW():
            _adam(sums, spec, lr, w, g, after)
        case Adagrad():
            s = sums.say("s", "s0 + g²", "0 + {g}²", g * g, g=g)
            numbers = {"w": w, "lr": lr, "g": g, "s": s, "e": spec.epsilon}
            sums.say("w", "w - lr·g / (√s + ε)", "{w} - {lr}·{g} / (√({s}) + {e})", after, **numbers)
        case Adadelta():
            _adadelta(sums, spec, lr, w, g, after)
        case RMSprop():
            _rmsprop(sums, spec, lr, w, g, after)
        case _:
            assert_never(spec)
    return tuple(sums.written)


def clips(spec: OptimizerSpec, norm: float) -> bool:
    """Whether gradients of this length, all together, are shortened."""
    return spec.clip_norm is not None and spec.clip_norm / (norm + CLIP_EPSILON) < 1


def _prepared(sums: _Sums, spec: OptimizerSpec, lr: float, w: float, g: float, norm: float) -> tuple[float, float]:
    """Weight and gradient as the rule takes them: clipped and decayed."""
    if spec.clip_norm is not None and clips(spec, norm):
        length = norm + CLIP_EPSILON
        value, symbols = g * spec.clip_norm / length, "g·clip_norm / the length of all gradients"
        g = sums.say("g", symbols, "{g}·{c} / {n}", value, g=g, c=spec.clip_norm, n=length)
    decay = spec.weight_decay
    if decay and isinstance(spec, AdamW):
        w = sums.say("w", "w·(1 - lr·decay)", "{w}·(1 - {lr}·{d})", w * (1 - lr * decay), w=w, lr=lr, d=decay)
    elif decay:
        g = sums.say("g", "g + decay·w", "{g} + {d}·{w}", g + decay * w, g=g, d=decay, w=w)
    return w, g


def _sgd(sums: _Sums, spec: SGD, lr: float, w: float, g: float, after: float) -> None:
    step, name = g, "g"
    if spec.momentum:
        name, m = "v", spec.momentum
        step = sums.say("v", "momentum·v0 + g", "{m}·0 + {g}", g, m=m, g=g)
        if spec.nesterov:
            name = "step"
            step = sums.say("step", "g + momentum·v", "{g} + {m}·{v}", g + m * g, g=g, m=m, v=g)
    sums.say("w", f"w - lr·{name}", "{w} - {lr}·{s}", after, w=w, lr=lr, s=step)


def _adam(sums: _Sums, spec: Adam | AdamW, lr: float, w: float, g: float, after: float) -> None:
    b1, b2 = spec.beta1, spec.beta2
    m, v = (1 - b1) * g, (1 - b2) * g * g
    sums.say("m", "β1·m0 + (1 - β1)·g", "{b}·0 + (1 - {b})·{g}", m, b=b1, g=g)
    sums.say("v", "β2·v0 + (1 - β2)·g²", "{b}·0 + (1 - {b})·{g}²", v, b=b2, g=g)
    mean = sums.say("m'", "m / (1 - β1)", "{m} / (1 - {b})", m / (1 - b1), m=m, b=b1)
    square = sums.say("v'", "v / (1 - β2)", "{v} / (1 - {b})", v / (1 - b2), v=v, b=b2)
    numbers = {"w": w, "lr": lr, "m": mean, "v": square, "e": spec.epsilon}
    sums.say("w", "w - lr·m' / (√v' + ε)", "{w} - {lr}·{m} / (√({v}) + {e})", after, **numbers)


def _adadelta(sums: _Sums, spec: Adadelta, lr: float, w: float, g: float, after: float) -> None:
    r, e = spec.rho, spec.epsilon
    s = sums.say("s", "ρ·s0 + (1 - ρ)·g²", "{r}·0 + (1 - {r})·{g}²", (1 - r) * g * g, r=r, g=g)
    value, symbols = math.sqrt(e) / math.sqrt(s + e) * g, "√(d0 + ε) / √(s + ε)·g"
    step = sums.say("step", symbols, "√(0 + {e}) / √({s} + {e})·{g}", value, e=e, s=s, g=g)
    sums.say("w", "w - lr·step", "{w} - {lr}·{s}", after, w=w, lr=lr, s=step)


def _rmsprop(sums: _Sums, spec: RMSprop, lr: float, w: float, g: float, after: float) -> None:
    a, e, m = spec.alpha, spec.epsilon, spec.momentum
    s = sums.say("s", "α·s0 + (1 - α)·g²", "{a}·0 + (1 - {a})·{g}²", (1 - a) * g * g, a=a, g=g)
    step = sums.say("step", "g / (√s + ε)", "{g} / (√({s}) + {e})", g / (math.sqrt(s) + e), g=g, s=s, e=e)
    if m:
        sums.say("v", "momentum·v0 + step", "{m}·0 + {s}", step, m=m, s=step)
    sums.say("w", f"w - lr·{'v' if m else 'step'}", "{w} - {lr}·{s}", after, w=w, lr=lr, s=step)
