"""Pipelines, split layers, replicas and shards, on real ranks: gradients and steps are those of one process."""

import pytest

from tests.models import launch

pytestmark = pytest.mark.distributed


@pytest.mark.parametrize("ranks", [2, pytest.param(3, marks=pytest.mark.soak)])
def test_every_schedule_and_checkpointing_counts_every_row_once(ranks: int) -> None:
    launch.together("tests.models.parallel.alike", ranks, "pipeline_cases")


@pytest.mark.parametrize("ranks", [2, pytest.param(4, marks=pytest.mark.soak)])
def test_split_layers_do_what_whole_ones_do(ranks: int) -> None:
    launch.together("tests.models.parallel.alike", ranks, "tensor_cases")


@pytest.mark.parametrize("ranks", [2, pytest.param(4, marks=pytest.mark.soak)])
def test_replicas_and_shards_and_replicas_of_shards_do_what_one_process_does(ranks: int) -> None:
    launch.together("tests.models.parallel.alike", ranks, "replica_cases", "buckets_are_laid_in_the_first_step")


def test_ranks_drop_numbers_of_their_own_where_they_have_activations_of_their_own() -> None:
    launch.together("tests.models.parallel.alike", 2, "own_dropout")
