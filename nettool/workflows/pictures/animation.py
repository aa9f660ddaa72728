"""A film of the boundary: what was predicted where, epoch after epoch."""

from __future__ import annotations

from pathlib import Path

from nettool.analysis.outcomes import Numbers
from nettool.data.examples import spread_early
from nettool.runs import durable
from nettool.workflows.pictures.columns import plane_of
from nettool.workflows.pictures.draw import check_folder, check_free
from nettool.workflows.pictures.options import check_heeded
from nettool.workflows.pictures.path import past_weights
from nettool.workflows.pictures.subject import Subject, Unsuitable

MOST_FRAMES = 30
"""Spread over the epochs that something was kept of."""


def animate_boundary(subject: Subject, folder: Path) -> Path:
    """Write boundary.gif. Raises Unsuitable where there is no boundary, or the weights of the past are not known."""
    from nettool.plots.boundary import decision_regions, surface
    from nettool.plots.figures import as_frame, as_gif, caption, plain

    check_heeded(subject.wishes, ["boundary"])
    check_folder(folder)
    epochs, past = past_weights(subject.run)
    if len(epochs) < 2:
        raise Unsuitable(
            f"--animate: {subject.run.path} kept too little of the weights it had. Train with checkpoint.keep=all."
        )
    plane = plane_of(subject)
    frames = []
    for place in spread_early(len(epochs), MOST_FRAMES).tolist():
        then = subject.with_weights(past[place])
        outcome = next(iter(then.outcomes.values()))
        shown = plane.show(then.predict)
        if isinstance(outcome, Numbers):
            figure = surface(shown, outcome, f"epoch {epochs[place]}: predicted {plain(outcome.name)}")
        else:
            figure = decision_regions(shown, outcome, f"epoch {epochs[place]}: {outcome.accuracy:.1%} right")
        frames.append(as_frame(caption(figure, f"{subject.run.path.name}, {subject.where}")))
    path = folder / "boundary.gif"
    check_free(subject, [path])
    durable.make_folders(folder)
    durable.write_file(path, as_gif(frames))
    return path
