"""The adapters between Tune and a queue of jobs, without a cluster: what Tune would do is done by hand."""

import pickle
from types import SimpleNamespace

import pytest
from ray.tune.schedulers import TrialScheduler
from ray.tune.search import Searcher

from skelray.sweep.tune_search import Bridge, Job


class Told:
    """A queue of three jobs that keeps what it hears and stops a trial at 200 clips."""

    def __init__(self, jobs: int = 3):
        self.waiting = [Job(f"amr-{number:03d}", "search", {"seed": number}) for number in range(jobs)]
        self.heard: list[tuple] = []

    def next(self):
        return self.waiting.pop(0) if self.waiting else None

    def started(self, key):
        self.heard.append(("started", key))

    def reported(self, key, clips, metrics):
        self.heard.append(("reported", key, clips, metrics))
        return clips >= 200

    def ended(self, key, state, reason):
        self.heard.append(("ended", key, state, reason))


def bridge(queue=None, concurrent: int = 2) -> Bridge:
    return Bridge(queue or Told(), concurrent, lambda job: {"key": job.key})


def trial(identity: str, error: str | None = None) -> SimpleNamespace:
    return SimpleNamespace(trial_id=identity, get_error=lambda: error)


def report(tune: Bridge, identity: str, clips: int, **more) -> str:
    result = {"clips": clips, "metrics/val/linear": 0.5, "pid": 7, "trial_id": identity, "done": False} | more
    return tune.scheduler.on_trial_result(None, trial(identity), result)


def test_no_more_jobs_are_handed_out_than_may_run_at_once():
    tune = bridge(concurrent=2)
    assert [tune.searcher.suggest("a")["key"], tune.searcher.suggest("b")["key"]] == ["amr-000", "amr-001"]
    assert tune.searcher.suggest("c") is None
    tune.callback.on_trial_complete(0, [], trial("a"))
    assert tune.searcher.suggest("c")["key"] == "amr-002"


def test_an_empty_queue_finishes_the_experiment():
    assert bridge(Told(jobs=0)).searcher.suggest("a") == Searcher.FINISHED


def test_a_queue_that_waits_for_what_a_trial_leaves_is_asked_again():
    queue = Told(jobs=1)
    tune, answers = bridge(queue), iter(["wait", Job("amr-001", "search", {}), None])
    assert tune.searcher.suggest("a")["key"] == "amr-000"
    queue.next = lambda: next(answers)
    assert tune.searcher.suggest("b") is None
    tune.callback.on_trial_complete(0, [], trial("a"))
    assert tune.searcher.suggest("b")["key"] == "amr-001"
    assert tune.searcher.suggest("c") == Searcher.FINISHED


def test_a_report_asks_once_and_carries_only_our_metrics():
    queue = Told()
    tune = bridge(queue)
    tune.searcher.suggest("a")
    assert report(tune, "a", 100) == TrialScheduler.CONTINUE
    assert report(tune, "a", 100, done=True) == TrialScheduler.CONTINUE  # Tune says the last result twice
    assert queue.heard == [("reported", "amr-000", 100, {"val/linear": 0.5})]


def test_a_trial_that_the_queue_stops_is_pruned_and_not_complete():
    queue = Told()
    tune = bridge(queue)
    tune.searcher.suggest("a")
    assert report(tune, "a", 200) == TrialScheduler.STOP
    tune.searcher.on_trial_complete("a", {"done": True})
    tune.callback.on_trial_complete(0, [], trial("a"))
    assert queue.heard[-1] == ("ended", "amr-000", "pruned", "")


def test_a_trial_that_reports_its_failure_is_failed_with_the_reason_and_no_metrics_of_that_report():
    queue = Told()
    tune = bridge(queue)
    tune.searcher.suggest("a")
    tune.scheduler.on_trial_result(None, trial("a"), {"clips": 0, "failure": "Diverged: loss is nan"})
    tune.callback.on_trial_complete(0, [], trial("a"))
    assert queue.heard == [("ended", "amr-000", "failed", "Diverged: loss is nan")]


@pytest.mark.parametrize(
    ("error", "reason"), [(None, "the worker process died"), ("Traceback\n  x\nKilled: 9", "Killed: 9")]
)
def test_a_dead_process_is_a_failed_trial_and_frees_its_slot(error, reason):
    queue = Told()
    tune = bridge(queue, concurrent=1)
    tune.searcher.suggest("a")
    tune.searcher.on_trial_complete("a", error=True)
    tune.callback.on_trial_error(0, [], trial("a", error))
    assert queue.heard == [("ended", "amr-000", "failed", reason)]
    assert tune.searcher.suggest("b")["key"] == "amr-001"


def test_a_fault_of_our_own_ends_the_experiment_instead_of_the_trial():
    class Broken(Told):
        def reported(self, key, clips, metrics):
            raise OSError("disk full")

    queue = Broken()
    tune = bridge(queue)
    tune.searcher.suggest("a")
    assert report(tune, "a", 100) == TrialScheduler.CONTINUE  # Tune would swallow what is raised here
    with pytest.raises(RuntimeError) as caught:
        tune.callback.on_step_end(0, [])
    assert isinstance(tune.fault, OSError)
    assert caught.value.__cause__ is tune.fault
    tune.callback.on_trial_complete(0, [], trial("a"))
    assert queue.heard == []  # after a fault nothing more is told: the trial stays to be resumed


def test_nothing_of_a_sweep_is_in_what_tune_pickles():
    queue = Told()
    queue.secret = lambda: None  # not picklable
    tune = bridge(queue)
    assert pickle.loads(pickle.dumps(tune.searcher)).bridge.__dict__ == {}
    assert tune.searcher.save("anywhere") is None
