"""The database of a search: how it is opened, what a study is called in it, and the sampler that asks next."""

import hashlib
import json
import warnings
from typing import Any

import optuna
import sqlalchemy
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.storages import BaseStorage, RDBStorage

from skelray.errors import BadInput
from skelray.rng import seed_for
from skelray.sweep.config import Plan

PLAN = "plan"  # user attribute of a study: the fingerprint of the search it belongs to


def open_storage(url: str) -> BaseStorage:
    """The database behind any SQLAlchemy URL, made when it is new. Raises BadInput when it cannot be opened."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    patience = {"connect_args": {"timeout": 60}} if url.startswith("sqlite") else {}  # a reader may hold the lock
    try:
        return optuna.storages.get_storage(RDBStorage(url, engine_kwargs=patience))
    except (sqlalchemy.exc.SQLAlchemyError, optuna.exceptions.OptunaError, ImportError, ValueError) as error:
        reason = str(error.__cause__ or error).splitlines()[0]
        raise BadInput(f"{shown(url)}: the study database cannot be opened: {reason}") from None


def open_study(plan: Plan, method: str, storage: BaseStorage, url: str) -> optuna.Study:
    """The study of one method. Raises BadInput when the one of that name belongs to another search."""
    name = f"{plan.name}/{method}"
    study = optuna.create_study(
        storage=storage,
        study_name=name,
        direction="maximize" if plan.sweep.objective.mode == "max" else "minimize",
        sampler=sampler(plan, method, 0),
        load_if_exists=True,
    )
    mine = fingerprint(plan, method)
    if study.user_attrs.get(PLAN, mine) != mine:
        raise BadInput(f"{shown(url)}: the study {name!r} is of another search; give this sweep another name")
    study.set_user_attr(PLAN, mine)
    return study


def sampler(plan: Plan, method: str, question: int, at_random: bool = False) -> BaseSampler:
    """A fresh sampler for one question: its seed is addressed, so it has no state that a kill could lose."""
    seed = seed_for(plan.sweep.seed, "search", method, question) % 2**32
    if at_random:
        return RandomSampler(seed=seed)
    startup = min(10, max(2, plan.sweep.budget.trials // 3))  # questions answered at random before there is a model
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return TPESampler(multivariate=True, group=True, constant_liar=True, n_startup_trials=startup, seed=seed)


def fingerprint(plan: Plan, method: str) -> str:
    """What must not change between two runs of a search: the budget may grow, the machine may be another."""
    sweep = plan.sweep
    parts: list[Any] = [plan.spaces[method].model_dump(), sweep.trial, sweep.overrides.get(method)]
    parts += [sweep.objective.model_dump(), sweep.budget.identity(), sweep.seed]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def shown(url: str) -> str:
    """A URL without its password."""
    try:
        return sqlalchemy.make_url(url).render_as_string(hide_password=True)
    except sqlalchemy.exc.ArgumentError:
        return "the storage URL"
