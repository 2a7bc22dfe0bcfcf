"""What the benchmarks take for granted."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.best_of_n.replay import COSTS
from fundiff.catalogue import MINI
from fundiff.models import load_stage


@pytest.mark.parametrize("number", [1, 2])
def test_a_lane_of_the_embedded_model_costs_what_the_replay_says(number):
    """GFLOP of one row of each UNet, as torch counts them."""
    stage = load_stage(str(MINI / f"stage-{number}"), torch.device("cpu"), torch.float32)
    sample = torch.zeros((1, 3 * number, stage.size, stage.size))
    embeds = torch.zeros((1, 77, stage.unet.config.encoder_hid_dim))
    level = torch.tensor([50]) if number == 2 else None
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        stage(sample, torch.tensor([10]), embeds, level)
    assert counter.get_total_flops() / 1e9 == pytest.approx(COSTS[0].lane[number - 1], abs=5e-4)
