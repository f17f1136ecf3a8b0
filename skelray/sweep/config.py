"""A sweep file: a whole experiment, read, checked and resolved into a Plan before anything starts."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator

from skelray import evaluate, methods, yaml_file
from skelray.errors import BadInput, near
from skelray.schema import Section, Strict
from skelray.sweep import space as spaces_of
from skelray.sweep.budget import MANY, Budget, too_small, without_length
from skelray.sweep.layers import Layer, build, flatten, lay
from skelray.sweep.serve import Serving
from skelray.sweep.space import SearchSpace
from skelray.trial_config import TrialConfig
from skelray.yaml_file import Document

LENT = {"price", "trial", "overrides", "budget", "resources", "final"}  # what a sweep takes from `under`
Settings = Annotated[dict[str, Any], BeforeValidator(flatten)]  # dotted key -> value


class Objective(Section):
    """What a search maximises or minimises: a number made on held-out training subjects."""

    metric: str = "val/linear"
    mode: Literal["max", "min"] = "max"

    @field_validator("metric")
    @classmethod
    def is_made_on_validation(cls, metric: str) -> str:
        if not metric.startswith("val/"):
            raise ValueError(f"{metric!r} is not made on validation clips; select on val/linear or val/knn")
        return metric


class Resources(Section):
    """What one trial occupies, and how many run at a time."""

    workers: int = Field(1, ge=1)  # processes of one trial
    cpus: int = Field(1, ge=1)  # for each worker
    gpus: float = Field(0, ge=0)  # for each worker
    concurrent: Literal["auto"] | Annotated[int, Field(ge=1)] = "auto"
    launcher: Literal["auto", "train", "inline"] = "auto"


class Final(Section):
    """What happens to the best: trained again on train + val with other seeds, tested once."""

    top: int = Field(1, ge=1, le=MANY)  # configurations for each method
    seeds: int = Field(2, ge=0, le=1000)  # 0: no finals, test stays unread
    protocols: list[str] = Field(["linear", "knn"], min_length=1)  # files of skelray.evaluate; for test/*
    peek: bool = False  # read test at every report, too: shows what "best epoch on test" would claim, chooses nothing

    _known = field_validator("protocols")(evaluate.known)


class SweepConfig(Section):
    """`sweeps/NAME.yaml`."""

    name: str | None = Field(None, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")  # also of its folders; None: the file's
    question: str
    price: str
    expected: str
    spaces: list[str | dict[str, Any]] = Field(min_length=1)  # names, paths, or whole spaces
    only_points: bool = False  # True: a listed question: each point runs once, to its end, and nothing is drawn
    trial: Settings = {}  # over each method's base
    overrides: dict[str, Settings] = {}  # method -> settings, over `trial`
    objective: Objective = Objective()
    budget: Budget
    resources: Resources = Resources()
    final: Final = Final()
    seed: int = Field(0, ge=0)
    dropped: list[str] = []  # in a sweep as run: what load() left out of the spaces, as sentences


class Plan(Strict):
    """A sweep whose every trial is known to be buildable at the ends of its ranges."""

    name: str
    sweep: SweepConfig
    spaces: dict[str, SearchSpace]  # by method
    dropped: list[str]  # choices that this sweep's frames cannot serve, as sentences

    def trial(self, method: str, values: dict[str, Any]) -> TrialConfig:
        """The trial at one point of a method's space. Raises BadInput (Unbuildable) when no such trial exists."""
        threads = {"train.threads": self.sweep.resources.cpus}  # reserved cores are used, unless a layer says otherwise
        machine = threads | self.sweep.budget.stand_in
        fixed = self.sweep.trial, self.sweep.overrides.get(method, {})
        return build(method, lay(machine, self.spaces[method].base, *fixed, values), self.sweep.seed)

    def trials(self, method: str) -> int:
        """How many trials a method gets at most."""
        return len(self.spaces[method].points) if self.sweep.only_points else self.sweep.budget.trials

    def each(self, method: str) -> float:
        """What a trial of a method gets of the share of a budget in FLOPs or seconds."""
        return (self.sweep.budget.share or 0.0) / self.trials(method)

    def ends(self, method: str, name: str) -> list[TrialConfig]:
        """The trial of the settings alone, and those at the ends of the dimension `name` if it is searched."""
        dimension = self.spaces[method].search.get(name)
        ends = dimension.ends.values() if dimension else ()
        return [self.trial(method, values) for values in ({}, *({name: end} for end in ends))]

    def document(self) -> dict[str, Any]:
        """The sweep as run, self-contained: load() reads it back to an equal plan."""
        unsaid: dict[str, Any] = {} if self.sweep.only_points else {"only_points": True}
        unsaid |= {"budget": {"share"}} if self.sweep.budget.share is None else {}
        whole = self.sweep.model_dump(mode="json", exclude=unsaid)
        spaces = [space.model_dump(mode="json") for space in self.spaces.values()]
        return {**whole, "name": self.name, "spaces": spaces, "dropped": self.dropped}


def load(file: str | Path, under: str | Path | None = None, sets: Sequence[str] = ()) -> Plan:
    """The plan of a sweep file, or of a search space under the sweep `under` (default: sweeps/quick.yaml nearby).

    `under` lends a sweep file its data, trial, budget, resources and final. `sets` are `dotted.key=value` texts,
    which win over every layer and leave the search. Raises BadInput with file, line and key.
    """
    given = yaml_file.read(file)
    alone = "spaces" not in given.data and "budget" not in given.data  # a space, not a sweep
    if alone and "method" not in given.data and "search" not in given.data:
        raise given.error("", "neither a search space (method, search) nor a sweep (question, spaces, budget)")
    if alone:
        lender = _lender(under or _nearby(given.path, "sweeps/quick.yaml", "name a sweep with --under"))
        document = lender.setting("spaces", [str(given.path)], str(given.path)).setting(
            "name", given.path.stem, str(given.path)
        )
    else:
        document = given if under is None else given.taking(_lender(under), LENT)
    document, fixed = _set(document, sets)
    sweep = document.build(SweepConfig, document.data)

    found: dict[str, tuple[SearchSpace, Document, str]] = {}
    for index, entry in enumerate(sweep.spaces):
        space, source, at = _space(document, entry, f"spaces.{index}", given)
        if space.method in found:
            raise document.error(f"spaces.{index}", f"two spaces for the method {space.method}; one study a method")
        found[space.method] = space, source, at
    for method in sweep.overrides.keys() | fixed.keys() - {""}:
        if method not in found and (method in fixed or not (alone or under)):
            at = ".".join(["overrides", method, *list(fixed.get(method, {}))[:1]])
            raise document.error(at, f"no space is for this method{near(method, found)}")

    trial, unread = without_length(lay(sweep.trial, fixed[""]), sweep.budget, "trial")
    served, overrides, dropped = dict[str, SearchSpace](), dict[str, Settings](), [*sweep.dropped, *unread]
    for method, (space, source, at) in found.items():
        mine, theirs = lay(sweep.overrides.get(method, {}), fixed[""]), fixed.get(method, {})
        mine = lay({key: value for key, value in mine.items() if key not in fixed[""]}, theirs)
        overrides[method], unread = without_length(mine, sweep.budget, f"overrides.{method}")
        dropped += unread
        layers = [
            Layer(lay(sweep.budget.stand_in, space.base), source, f"{at}.base".removeprefix(".")),
            Layer(trial, document, "trial"),
            Layer(overrides[method], document, f"overrides.{method}"),
        ]
        serving = Serving(space, layers, [*fixed[""], *theirs], sweep.seed)
        served[method] = serving.serve()
        dropped += serving.dropped
    overrides = {method: settings for method, settings in overrides.items() if settings}
    plain = {"name": None, "spaces": list(served), "trial": trial, "overrides": overrides, "dropped": []}
    run = {"name": sweep.name or given.path.stem, "sweep": sweep.model_copy(update=plain)}
    return _sound(Plan(**run, spaces=served, dropped=dropped), document)


def _sound(plan: Plan, document: Document) -> Plan:
    for method in plan.spaces:
        if not plan.trials(method):
            raise document.error("only_points", f"the space of {method} has no point that could run")
        if not plan.sweep.only_points and (why := too_small(plan.sweep.budget, plan.trials(method))):
            raise document.error("budget.share", why)
        reported = plan.trial(method, {}).evaluate.reported
        if (metric := plan.sweep.objective.metric) not in reported:
            hint = f"{near(metric, reported)} (reported: {', '.join(reported)})"
            raise document.error("objective.metric", f"no trial of {method} reports {metric!r}{hint}")
    return plan


def _set(document: Document, sets: Sequence[str]) -> tuple[Document, dict[str, dict[str, Any]]]:
    """The file with its own keys set; and the trial keys that were set, by method ("" for every method)."""
    fixed: dict[str, dict[str, Any]] = {"": {}}
    for text in sets:
        key, equals, written = text.partition("=")
        if not equals or not all(part.strip() for part in key.split(".")):
            raise BadInput(f"--set {text}: dotted.key=value is due")
        try:
            settings = flatten({key.strip(): yaml_file.value(written, f"--set {text}")})
        except ValueError as error:
            raise BadInput(f"--set {text}: {error}") from None
        for name, value in settings.items():
            head, _, rest = name.partition(".")
            method, _, below = rest.partition(".")
            at = name
            if head == "trial" and rest:
                fixed[""][rest] = value
            elif head == "overrides" and below:
                fixed.setdefault(method, {})[below] = value
            elif head in SweepConfig.model_fields:
                document = document.setting(name, value, "--set")
            elif head in TrialConfig.model_fields:
                fixed[""][name], at = value, f"trial.{name}"
            else:
                hint = near(head, [*SweepConfig.model_fields, *TrialConfig.model_fields])
                raise BadInput(f"--set {text}: unknown key {head}{hint}")
            document = replace(document, where=document.where | {at: "--set"})
    return document, fixed


def _space(
    document: Document, entry: str | dict[str, Any], at: str, given: Document
) -> tuple[SearchSpace, Document, str]:
    """One entry of `spaces`: the space, the file it stands in, and its dotted key there."""
    if isinstance(entry, dict):
        return _known_method(spaces_of.read(document, entry, at), document, at)
    if entry == str(given.path):
        return _known_method(spaces_of.read(given, given.data), given, "")
    named = "/" not in entry and not entry.endswith(".yaml")
    wanted = f"search_spaces/{entry}.yaml" if named else entry
    places = [*document.path.parents[1:3], Path()] if named else [document.path.parent, Path()]
    path = next((place / wanted for place in places if (place / wanted).is_file()), None)
    if path is None:
        there = sorted({file.stem for place in places for file in place.glob("search_spaces/*.yaml")})
        known = f" (there are {', '.join(there)})" if named and there else ""
        raise document.error(at, f"no search space {entry!r}{near(entry, there)}{known}")
    source = yaml_file.read(path)
    return _known_method(spaces_of.read(source, source.data), source, "")


def _known_method(space: SearchSpace, source: Document, at: str) -> tuple[SearchSpace, Document, str]:
    if space.method not in methods.available():
        hint = f"{near(space.method, methods.available())} (there are {', '.join(methods.available())})"
        raise source.error(f"{at}.method".removeprefix("."), f"no method {space.method!r}{hint}")
    return space, source, at


def _lender(path: str | Path) -> Document:
    lender = yaml_file.read(path)
    if "search" in lender.data:
        raise lender.error("", "a search space lends nothing; --under wants a sweep (trial, budget, resources, final)")
    return lender


def _nearby(path: Path, wanted: str, otherwise: str) -> Path:
    for place in (path.parent.parent, Path()):
        if (place / wanted).is_file():
            return place / wanted
    raise BadInput(f"{path}: a search space runs under {wanted}, which is neither beside it nor here; {otherwise}")
