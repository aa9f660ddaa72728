"""Every check, by name, with the row of the list of promises that it belongs to."""

from __future__ import annotations

from functools import partial

from tests.torture import (
    bits,
    bombs,
    corrupt,
    data,
    disk,
    hostile,
    kills,
    malformed,
    metadata,
    numbers,
    outside,
    power,
    processes,
    signals,
    static,
    strangers,
    sweeps,
)
from tests.torture.lab import Check

OUTSIDE = "1, 9  from outside (strace)"
ALL_CASES = ("table", "cnn", "lstm")


def _each(check: object, *cases: str) -> dict[str, Check]:
    """One check a case."""
    return {f"{check.__name__}:{case}": partial(check, case=case) for case in cases}  # type: ignore[attr-defined, arg-type, call-arg]


ROWS: dict[str, dict[str, Check]] = {
    "1, 2  kills": {
        **_each(kills.kill_everywhere, *ALL_CASES),
        **_each(kills.kill_twice, *ALL_CASES),
        **_each(kills.kill_after_damage, "table"),
        **_each(kills.go_further, *ALL_CASES),
        **_each(sweeps.kill_sweeps, "table"),
    },
    "3  strangers' files": {
        "meet_strangers": strangers.meet_strangers,
        "change_metadata": metadata.change_metadata,
    },
    "4  the source": {"scan": static.scan},
    "5  malformed configs": {
        "spoil_configs": malformed.spoil_configs,
        "find_every_mistake": malformed.find_every_mistake,
        "list_mistakes": malformed.list_mistakes,
    },
    "6  bombs": {"defuse_bombs": bombs.defuse_bombs},
    "7  corrupt checkpoints": _each(corrupt.corrupt, "table"),
    "8  power": _each(power.lose_power, *ALL_CASES),
    "9  disks": {**_each(disk.refuse_everywhere, *ALL_CASES), **_each(disk.refuse_resumption, "table")},
    "10  signals": {
        **_each(signals.signal_anywhere, *ALL_CASES),
        **_each(signals.signal_twice, *ALL_CASES),
        **_each(signals.signal_unsaved, "table"),
    },
    "11  evaluation": _each(bits.evaluate_again, *ALL_CASES),
    "12  repetition": {**_each(bits.train_again, *ALL_CASES), **_each(bits.other_threads, *ALL_CASES)},
    "13  leakage": {"spoil_other_splits": data.spoil_other_splits},
    "14  splits": {"shuffle_rows": data.shuffle_rows},
    "15  locks": {
        "start_together": processes.start_together,
        "kill_the_holder": processes.kill_the_holder,
        "start_after_a_kill": processes.start_after_a_kill,
    },
    "16  names": {"meet_names": hostile.meet_names, "print_to_a_terminal": hostile.print_to_a_terminal},
    "17  numbers": {
        "spoil_data": numbers.spoil_data,
        "never_the_best": numbers.never_the_best,
        **_each(numbers.diverge, *ALL_CASES),
    },
    OUTSIDE: {
        "watch_from_outside": outside.watch_from_outside,
        "fail_from_outside": outside.fail_from_outside,
    },
    "18  shells": {"use_shells": processes.use_shells, "set_the_clock_back": processes.set_the_clock_back},
}
CHECKS = {name: check for checks in ROWS.values() for name, check in checks.items()}
