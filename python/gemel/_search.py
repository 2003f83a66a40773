# SPDX-License-Identifier: Apache-2.0
"""Search in a space that is too large for a grid: half of each batch are designs one step beside the best so far, the other half are proposed by
Optuna's sampler (TPE, several objectives), which learns from all.

Optuna keeps nothing and computes nothing: proposals are asked for and results are told in one order, whatever order the points were done in, so
that a seed gives the same table with any number of workers, and a search that was ended goes on by being gone through again with what is recorded.
"""

from __future__ import annotations

import random
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from importlib.util import find_spec
from typing import Any

from ._errors import user_error
from ._space import Combination, Space

_MOST_ASKS = 50  # for each new design of a batch; then it is drawn


def require_optuna() -> None:
    """Raises UserError E1212 if there can be no search here."""
    if find_spec("optuna") is None:
        raise user_error(
            "E1212", "`strategy: search` needs Optuna, which this Python does not have", 'pip install "gemel[search]"; grid and random need nothing'
        )


def search(
    space: Space, add: Callable[[Callable[[], Combination]], int | None], compute: Callable[[], None], costs: Callable[[int], Sequence[float] | None]
) -> None:
    """Until there are as many designs as the space wants, or no more.

    add: takes up the design that it is told how to choose: its number, which is one of before where that machine is there already; None: constraints
    exclude it.
    compute: the points of what was added since. costs: of a design by number, less is better; None: it failed, is excluded, or not computed yet.
    """
    import optuna  # type: ignore[import-not-found, import-untyped, unused-ignore]

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # `multivariate` is experimental in name
        sampler = optuna.samplers.TPESampler(
            seed=space.seed % (1 << 32), multivariate=True, n_startup_trials=max(10, min(space.batch, space.points // 5))
        )
    study = optuna.create_study(directions=["minimize"] * len(space.objectives), sampler=sampler)
    axes: dict[str, Any] = {domain.key: optuna.distributions.IntDistribution(0, len(domain.values) - 1) for domain in space.domains}
    sizes = [len(domain.values) for domain in space.domains]
    places: list[tuple[int, ...]] = []  # of each design: the number of each parameter's value
    known = 0  # designs whose points are computed
    seen: set[tuple[int, ...]] = set()  # places of neighbours that were proposed
    drawn = iter(space.draws())

    def take(place: tuple[int, ...]) -> int | None:
        number = add(partial(space.chosen, place))
        if number == len(places):
            places.append(place)
        return number

    def tell(trial: Any, number: int) -> None:
        values = costs(number)
        if values is None:
            study.tell(trial, state=optuna.trial.TrialState.FAIL)
        else:
            study.tell(trial, list(values))

    while known < space.points:
        end = known + min(space.batch, space.points - known)
        asked: dict[int, Any] = {}  # trial by number
        corners = [tuple(0 for _ in sizes), tuple(size - 1 for size in sizes)] if not known else []
        for place in (*corners, *_neighbours(places, [costs(number) for number in range(known)], sizes, seen, f"{space.seed} {known}")):
            if len(places) >= known + (end - known) // 2:
                break
            seen.add(place)
            take(place)
        for _ in range(_MOST_ASKS * (end - known)):
            if len(places) == end:
                break
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                proposed = study.ask(axes)
            count = len(places)
            number = take(tuple(proposed.params[domain.key] for domain in space.domains))
            if number is not None and number == count:
                asked[number] = proposed
            elif number is not None and number < known:
                tell(proposed, number)  # asked again: answered from the table
            else:  # constraints exclude it, or it is there twice in this batch
                study.tell(proposed, state=optuna.trial.TrialState.FAIL)
        for index in drawn:  # there is nothing new to propose
            if len(places) == end:
                break
            take(space.digits(index))
        if len(places) == known:
            return
        compute()
        for number in range(known, len(places)):
            trial: Any = asked.get(number)
            if trial is None:  # Optuna learns from what others proposed
                study.enqueue_trial({domain.key: digit for domain, digit in zip(space.domains, places[number], strict=True)})
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    trial = study.ask(axes)
            tell(trial, number)
        known = len(places)


def _neighbours(
    places: Sequence[tuple[int, ...]], costs: Sequence[Sequence[float] | None], sizes: Sequence[int], seen: set[tuple[int, ...]], seed: str
) -> list[tuple[int, ...]]:
    """Places one step of one parameter away from the designs that no other beats, in an order that follows from the seed: what lies between and beside
    these is often in the front as well, and a sampler that learns from everything is slow to find the last of it."""
    best: list[int] = []
    for number in sorted((n for n, values in enumerate(costs) if values is not None), key=lambda n: (tuple(costs[n] or ()), n)):
        values = costs[number] or ()
        if not any(all(a <= b for a, b in zip(costs[other] or (), values, strict=True)) for other in best):
            best.append(number)
    beside = {
        place[:axis] + (digit,) + place[axis + 1 :]
        for place in (places[number] for number in best)
        for axis, size in enumerate(sizes)
        for digit in (place[axis] - 1, place[axis] + 1)
        if 0 <= digit < size
    }
    found = sorted(beside - seen - set(places))
    random.Random(seed).shuffle(found)
    return found
