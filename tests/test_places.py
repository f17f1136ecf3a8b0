"""The folders of a sweep: whose they are, and when they are refused."""

import pytest

from skelray.errors import BadInput
from skelray.results import Results
from skelray.sweep.places import Places


def test_two_drivers_on_one_folder_refuse(tmp_path):
    places = Places.of("one", tmp_path / "results")
    with places.alone(), pytest.raises(BadInput, match="another process"), places.alone():
        pass
    with places.alone():  # and a lock that was left is free
        pass


@pytest.mark.parametrize("name", ["", "..", "a/b", "a\0b"])
def test_a_sweep_s_name_is_a_plain_folder_name(name, tmp_path):
    with pytest.raises(BadInput, match="plain folder name"):
        Places.of(name, tmp_path)


def test_results_whose_runs_are_gone_are_not_written_over(tmp_path):
    places = Places.of("one", tmp_path / "results")
    places.results.mkdir(parents=True)
    (places.results / "trials.parquet").touch()
    with pytest.raises(BadInput, match="is gone"):
        places.refuse_half()
    assert not places.is_finished()
    (places.results / "best.yaml").touch()
    (places.results / "report.md").touch()
    assert places.is_finished()  # brought from elsewhere
    places.runs.mkdir(parents=True)
    places.journal.touch()
    assert not places.is_finished()  # killed before the tracking server had all
    places.finished.touch()
    assert places.is_finished()


def test_folders_that_cannot_be_made_are_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(BadInput, match="cannot be written"), Places.of("one", tmp_path / "file" / "results").alone():
        pass
    with pytest.raises(BadInput, match="cannot be written"):
        Results(tmp_path / "file" / "one").create({"name": "one"}, {"data": {}})
