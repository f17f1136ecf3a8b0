"""Fine-tuning: encoder and head are trained together on every labelled clip; the last epoch counts."""

from skelray.data.splits import Indices
from skelray.evaluate import classifier
from skelray.evaluate.case import Case, Outcome
from skelray.rng import seed_for


class Config(classifier.Recipe):
    """Nothing beside the recipe; nothing is left open, so nothing is chosen."""


def fewest(case: Case) -> Indices:
    """The clips that it is trained on."""
    return case.training


def measure(case: Case, cfg: Config) -> Outcome:
    """The accuracy of a classifier trained on the training side. Raises BadInput for a single clip, Diverged."""
    model = classifier.fit(case.method, case.pool, case.training, cfg, seed=seed_for(case.seed, "finetune"))
    return case.score("finetune", lambda clips: model.classes(case.batches(clips)))
