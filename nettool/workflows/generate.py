"""nettool generate: text from a network that was trained to predict the next token."""

from __future__ import annotations

import codecs
import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from nettool.data.text_encoder import StreamEncoder
from nettool.data.values import show
from nettool.data.vocabulary import Vocabulary
from nettool.errors import UsageError
from nettool.model.generation import NextToken
from nettool.workflows import machine
from nettool.workflows.trained import Trained


def generate(trained: Trained, prompt: str, length: int, temperature: float, seed: int) -> Iterator[str]:
    """The prompt, then `length` tokens piece by piece, each drawn from what the network thinks comes next.

    temperature: 1 draws as the network thinks, less takes fewer risks, 0 always takes the likeliest. The same seed
    draws the same text on the same machine, whoever reads it and how fast.

    Raises UsageError for a run that does not predict the next token, and for a prompt with characters that training
    never saw.
    """
    encoder = _encoder(trained)
    vocabulary = encoder.vocabulary
    codes = _start(prompt, vocabulary)
    if not (math.isfinite(temperature) and temperature >= 0):
        raise UsageError(f"--temperature: must be 0 or more, not {temperature:g}. 1 is usual, 0.5 takes fewer risks.")
    return _stream(trained, encoder, prompt, codes, length, temperature, seed)


def _encoder(trained: Trained) -> StreamEncoder:
    if not isinstance(trained.encoders.features, StreamEncoder):
        raise UsageError(
            f"{trained.source} does not predict the next token, so it cannot write text. Only a run whose config has "
            "`target: next` can; for this one there is `nettool predict`."
        )
    return trained.encoders.features


def _start(prompt: str, vocabulary: Vocabulary) -> list[int]:
    """The codes of the prompt; of none, those of a line's end, or of the first unit there is."""
    try:
        prompt.encode()
    except UnicodeEncodeError:
        raise UsageError("--prompt: is no valid text. Cure: a terminal that is set to UTF-8.") from None
    unknown = vocabulary.unknown(prompt)
    if unknown:
        known = ", ".join(show(token) for token in vocabulary.units[:100]) if vocabulary.unit == "character" else ""
        listed = ", ".join(show(token) for token in unknown[:10])
        raise UsageError(
            f"--prompt: the vocabulary has no {vocabulary.unit} {listed}, so it knows nothing of "
            f"{'it' if len(unknown) == 1 else 'them'}. {f'It has {known}.' if known else 'Choose other words.'}"
        )
    codes = [int(code) for code in vocabulary.encode(prompt)]
    return codes or [int(code) for code in vocabulary.encode("\n") if code >= vocabulary.first] or [vocabulary.first]


def _stream(
    trained: Trained, encoder: StreamEncoder, prompt: str, codes: list[int], length: int, temperature: float, seed: int
) -> Iterator[str]:
    vocabulary = encoder.vocabulary
    if prompt:
        yield prompt
    generator = torch.Generator().manual_seed(seed)
    source = NextToken(trained.network, encoder.length)
    write = _writer(vocabulary, follows=bool(prompt))
    for _ in range(length):
        # One thread: the fastest for one step, and the same bits everywhere.
        with machine.computing(trained.experiment.runtime, trained.device, 1):
            logits = source.feed(codes).double().cpu()
            code = _draw(logits, vocabulary.first, temperature, generator)
        codes = [code]
        piece = write(code)
        if piece:
            yield piece


def _draw(logits: Tensor, first: int, temperature: float, generator: torch.Generator) -> int:
    """A code by its probability; never one that stands for no unit."""
    logits[:first] = -math.inf
    if temperature == 0:
        return int(logits.argmax())
    probabilities = torch.softmax((logits - logits.max()) / temperature, dim=0)
    return int(torch.multinomial(probabilities, 1, generator=generator))


def _writer(vocabulary: Vocabulary, follows: bool) -> Callable[[int], str]:
    """From a code to the text that it adds. Bytes wait until a character is complete."""
    if vocabulary.unit == "character":
        return lambda code: vocabulary.decode([code])
    if vocabulary.unit == "byte":
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        return lambda code: decoder.decode(bytes([code - vocabulary.first]))
    written = [follows]

    def word(code: int) -> str:
        blank = " " if written[0] else ""
        written[0] = True
        return blank + vocabulary.decode([code])

    return word
