"""Where and how a run computes, and how often it saves."""

from __future__ import annotations

import re
from typing import Annotated, ClassVar, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from nettool.config.spec import Spec
from nettool.limits import MAX_THREADS

_INTERVAL = re.compile(r"(\d+(?:\.\d+)?)\s*(s|sec|seconds?|epochs?|steps?)")
_UNITS: dict[str, Literal["seconds", "epochs", "steps"]] = {"epoch": "epochs", "step": "steps"}


def parse_interval(text: str) -> tuple[float, Literal["seconds", "epochs", "steps"]]:
    """Read "30 seconds", "30s", "5 epochs", "500 steps" as a number and its unit; raise ValueError otherwise."""
    match = _INTERVAL.fullmatch(text.strip())
    if not match or float(match[1]) <= 0:
        raise ValueError("write a number of seconds, epochs or steps: `30 seconds`, `5 epochs`, `500 steps`")
    unit = _UNITS.get(match[2].rstrip("s"), "seconds")
    if unit != "seconds" and not float(match[1]).is_integer():
        raise ValueError(f"write a whole number of {unit}, or seconds")
    return float(match[1]), unit


def _checked_interval(text: str) -> str:
    parse_interval(text)
    return text


class Runtime(Spec):
    """The machine's part; results on another device or number of threads differ in the last digits."""

    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """auto takes cuda where there is one, else the cpu."""
    threads: Annotated[int, Field(ge=1, le=MAX_THREADS)] | None = None
    """Threads of the cpu's matrix products. Default: by the size of the network, at most the number of cores."""
    engine: Literal["auto", "closed_form", "autograd"] = "auto"
    """How gradients are found: closed_form (backpropagation written out: the faster one, on the cpu, for dense,
    activation, dropout and norm layers) or autograd (torch's own, for everything). auto takes the first that can."""
    compile: bool = False
    """Let torch.compile make kernels for this very network: up to a minute at the start of a long training, for fewer
    seconds in every epoch. In place of the closed form. On the cpu it needs a C++ compiler; what was compiled once is
    found again."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """Of the network's arithmetic in training, not of its weights. bfloat16 has 8 bits of precision instead of 24, and
    is fast where the machine has instructions for it (cuda, some cpus). Validation is always in float32."""
    deterministic: bool = True
    """On cuda, only kernels that give the same bits each time. false: whichever is the fastest on trial; such a run can
    be repeated and resumed, but not to the bit. The cpu has no others."""

    @property
    def allows_closed_form(self) -> bool:
        """Whether nothing here takes a network off the closed form."""
        is_plain = not self.compile and self.precision == "float32"
        return is_plain and self.engine != "autograd" and self.device in ("auto", "cpu")

    @model_validator(mode="after")
    def _closed_form_is_neither_compiled_nor_narrow(self) -> Self:
        if self.engine == "closed_form" and (self.compile or self.precision != "float32"):
            given = "compile: true" if self.compile else f"precision: {self.precision}"
            why = "is not compiled" if self.compile else "computes in float32"
            raise ValueError(f"the engine closed_form {why}: set engine: auto, or leave out {given}")
        return self


class Checkpoint(Spec):
    """How often the state of training is saved, and what is kept of the past."""

    main: ClassVar[str | None] = "every"

    every: Annotated[str, AfterValidator(_checked_interval)] = "30 seconds"
    """`30 seconds`, `5 epochs` or `500 steps`. The end of training and a signal save in any case."""
    keep: Literal["trace", "all", "none"] = "trace"
    """Which weights of the past are kept, for pictures of how they came about. trace: those of up to 256 epochs, in one
    file of at most 10 MB; a network for which that is too little has none. all: those of every checkpoint, each as a
    file that `nettool eval` takes."""
