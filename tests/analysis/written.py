"""What stands in a written calculation, done again: digits and signs, read from the text."""

from __future__ import annotations

import ast
import math
import operator
import re
from collections.abc import Callable
from typing import Any

FUNCTIONS: dict[str, Callable[..., float]] = {
    "exp": math.exp,
    "log": math.log,
    "max": max,
    "abs": abs,
    "tanh": math.tanh,
    "sqrt": math.sqrt,
    "Phi": lambda z: (1 + math.erf(z / math.sqrt(2))) / 2,
    "phi": lambda z: math.exp(-z * z / 2) / math.sqrt(2 * math.pi),
}
OPERATORS: dict[type, Callable[..., float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
    ast.USub: operator.neg,
}


def done_again(text: str) -> float:
    """The value of `0.5·(-2) + exp(1)²`, by the usual rules."""
    for sign, name in (("·", "*"), ("²", "**2"), ("√", "sqrt"), ("Φ", "Phi"), ("φ", "phi")):
        text = text.replace(sign, name)
    assert re.fullmatch(r"[\w\s.,()+*/-]+", text), text
    return value_of(ast.parse(text, mode="eval").body)


def value_of(node: Any) -> float:
    match node:
        case ast.Constant(value=value):
            return float(value)
        case ast.BinOp(left=left, op=op, right=right):
            return OPERATORS[type(op)](value_of(left), value_of(right))
        case ast.UnaryOp(op=op, operand=operand):
            return OPERATORS[type(op)](value_of(operand))
        case ast.Call(func=ast.Name(id=name), args=args):
            return FUNCTIONS[name](*map(value_of, args))
    raise AssertionError(ast.dump(node))
