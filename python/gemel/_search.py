# SPDX-License-Identifier: Apache-2.0
"""Search in a space that is too large for a grid: Optuna's sampler (TPE, several objectives) proposes designs in batches and learns from each.

Optuna keeps nothing and computes nothing: proposals are asked for and results are told in one order, whatever order the points were done in, so
that a seed gives the same table with any number of workers, and a search that was ended goes on by being gone through again with what is recorded.
"""

from __future__ import annotations

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
    known = 0
    drawn = iter(space.draws())

    def tell(trial: Any, number: int) -> None:
        values = costs(number)
        if values is None:
            study.tell(trial, state=optuna.trial.TrialState.FAIL)
        else:
            study.tell(trial, list(values))

    while known < space.points:
        batch: list[tuple[Any, int]] = []
        fresh = 0
        wanted = min(space.batch, space.points - known)
        for _ in range(_MOST_ASKS * wanted):
            if fresh == wanted:
                break
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                trial = study.ask(axes)
            number = add(partial(space.chosen, [trial.params[domain.key] for domain in space.domains]))
            if number is None:
                study.tell(trial, state=optuna.trial.TrialState.FAIL)
            elif number == known + fresh:
                batch.append((trial, number))
                fresh += 1
            elif number < known:
                tell(trial, number)  # asked again: answered from the table
            else:
                study.tell(trial, state=optuna.trial.TrialState.FAIL)  # twice in this batch
        for index in drawn:  # the sampler has nothing new to propose
            if fresh == wanted:
                break
            number = add(partial(space.combination, index))
            if number is not None and number == known + fresh:
                fresh += 1
        if not fresh:
            return
        compute()
        for trial, number in batch:
            tell(trial, number)
        known += fresh
