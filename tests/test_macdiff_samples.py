"""What MacDiff generates, how it standardises, and that its condition tells the denoiser something."""

import pytest
import torch
from chance import draw
from conftest import tiny_batch

from skelray import noise
from skelray.batch import Batch
from skelray.errors import BadInput
from skelray.layers.modulation import condition_map
from skelray.layers.patch import patchify
from skelray.methods.macdiff import MacDiff, MacDiffConfig
from skelray.optim import OptimConfig
from skelray.rng import generator
from skelray.skeletons import Skeleton
from skelray.train import TrainConfig, train

ENCODER = {"frames": 8, "patch": 2, "width": 16, "depth": 1, "heads": 2}


class Clips:
    """The same 32 one-bodied clips again and again: offsets and swings that a few tokens give away."""

    clips = 32

    def __init__(self) -> None:
        phase = draw(32, 1, 1, 1, 1) + torch.arange(8)[:, None, None] / 2
        self.x = 0.2 * draw(32, 1, 1, 5, 3, seed=1) + 0.3 * draw(32, 1, 1, 1, 3, seed=2) + 0.05 * phase.sin()

    def batch(self, step: int, size: int) -> Batch:
        present = torch.ones(32, 1, dtype=torch.bool)
        return Batch([self.x], present, torch.zeros(32, dtype=torch.long), generator(0, "loss", step))


def build(skeleton: Skeleton, **settings) -> MacDiff:
    """A method with a condition that matters: at the start the head's weights are as large as any."""
    torch.manual_seed(0)
    settings = {"encoder": ENCODER, "mask_ratio": 0.75, "decoder_depth": 2, "diffusion_steps": 100, **settings}
    method = MacDiff(MacDiffConfig(**settings), skeleton)
    method.standard.give((0.1, -0.2, 0.3), (0.02, 0.08, 0.05))
    return method.eval()


@pytest.fixture(scope="module")
def trained(five_joints) -> tuple[MacDiff, Clips]:
    torch.manual_seed(0)
    settings = {"mask_ratio": 0.5, "loss_tokens": "all", "decoder_depth": 2, "diffusion_steps": 100}
    cfg = MacDiffConfig(encoder={**ENCODER, "width": 32}, **settings)
    method, clips = MacDiff(cfg, five_joints), Clips()
    method.begin(clips)
    train(method, clips, TrainConfig(clips=32 * 400, batch=32, reports=1), OptimConfig(lr=5e-3, warmup=0.02), seed=0)
    return method.eval(), clips


def error(method: MacDiff, clips: Clips, how: str) -> float:
    """Mean squared error of eps on every token at medium noise, with a condition, another clip's, or none."""
    x, step = clips.x.flatten(0, 1), torch.full((32,), 50)
    mask = method.mask(x, generator(1, "mask"))
    z = condition_map(method.encoder(method.standard(x), mask), mask, "local_global")
    z = {"matched": z, "shuffled": z.roll(1, 0), "none": 0 * z}[how]
    eps = draw(32, 8, 5, 3, seed=3)
    x_t = noise.noised(method.standard(x), eps, method.levels[50])
    with torch.no_grad():
        return (method.decoder(x_t, step, z) - patchify(eps, 2)).square().mean().item()


@pytest.mark.slow
def test_the_condition_helps_and_another_clips_condition_harms(trained):
    method, clips = trained
    matched, none, shuffled = (error(method, clips, how) for how in ("matched", "none", "shuffled"))
    assert matched < 0.7 * none
    assert matched < 0.5 * shuffled


@pytest.mark.slow
def test_samples_of_a_trained_model_look_like_their_clips(trained):
    """Seen through half of its tokens each clip comes back nearer to itself than the average clip is."""
    method, clips = trained
    x = clips.x.flatten(0, 1)
    with torch.no_grad():
        sample = method.generate(x, 32, generator(0, "sample"), sampler="ddpm")
        free = method.generate(None, 32, generator(0, "sample"), sampler="ddpm")
    assert sample.shape == free.shape == x.shape
    assert (sample - x).square().mean() < 0.5 * (x - x.mean(0)).square().mean()
    assert (sample - x).square().mean() < 0.5 * (free - x).square().mean()


@pytest.mark.parametrize("schedule", ["linear_beta", "cosine", "inverse_cosine", "family"])
@pytest.mark.parametrize("how", [{}, {"eta": 1.0}, {"sampler": "ddpm"}, {"start": 40}, {"guidance": 2.0}])
def test_a_perfect_denoiser_gives_the_clip_back_in_metres(five_joints, schedule, how):
    method, x = build(five_joints, schedule=schedule, schedule_tau=0.3), 0.1 * draw(3, 8, 5, 3)
    method.eps = lambda x_t, index, z: noise.eps_of_x0(x_t, method.standard(x), method.levels[index])
    sample = method.generate(x, 3, generator(0, "sample"), **{"steps": 20, **how})
    torch.testing.assert_close(sample, x, atol=2e-5, rtol=0)


def test_no_coordinate_leaves_the_bound(five_joints):
    method = build(five_joints)
    method.eps = lambda x_t, index, z: 100 * x_t  # as wrong as can be
    sample = method.standard(method.generate(None, 2, generator(0, "sample"), steps=10, bound=2.0))
    assert sample.abs().max().item() == pytest.approx(2)


@pytest.mark.parametrize("target", ["eps", "x0", "v"])
def test_every_target_implies_the_same_noise(five_joints, target):
    method, x, eps = build(five_joints, target=target), draw(3, 8, 5, 3), draw(3, 8, 5, 3, seed=1)
    for index in (5, 50, 90):
        level = method.levels[index]
        method.decoder.forward = lambda x_t, step, z, level=level: patchify(noise.wanted(target, x, eps, level), 2)
        got = method.eps(noise.noised(x, eps, level), index, torch.zeros(3, 20, 16))
        torch.testing.assert_close(got, eps, atol=1e-4, rtol=0)


def test_guidance_ends_at_the_condition_and_at_none(five_joints):
    """w = 0 is the condition as it is (scale 1 elsewhere), w = -1 no condition (scale 0): eps, and so x0, is linear."""
    method, x = build(five_joints), 0.3 * draw(3, 8, 5, 3)
    for p in method.decoder.parameters():  # without learned biases no condition would mean a dead decoder
        torch.nn.init.normal_(p, std=0.2, generator=generator(0, "weights"))

    def asked(weight: float) -> torch.Tensor:
        return method.generate(x, 3, generator(0, "sample"), steps=1, guidance=weight, bound=None)

    with_it, seen = asked(0.0), []
    plain = method.eps
    method.eps = lambda x_t, index, z: seen.append(z) or plain(x_t, index, z)
    asked(0.0)
    assert len(seen) == 1  # no second pass is paid for
    method.eps = lambda x_t, index, z: plain(x_t, index, 0 * z)
    without = asked(0.0)
    method.eps = plain
    assert not torch.allclose(with_it, without, atol=1e-2)
    torch.testing.assert_close(asked(-1.0), without, atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(asked(1.5), with_it + 1.5 * (with_it - without), atol=1e-3, rtol=1e-3)


def test_each_variant_of_a_clip_sees_it_through_another_mask(five_joints):
    method, masks = build(five_joints), []
    method.encoder.register_forward_hook(lambda module, inputs, output: masks.append(inputs[1]))
    method.generate(draw(1, 8, 5, 3).expand(4, -1, -1, -1), 4, generator(0, "sample"), steps=1)
    assert masks[0].keep.shape == (4, 5)
    assert len({tuple(row) for row in masks[0].keep.tolist()}) > 1


def test_without_a_clip_nothing_is_encoded_and_no_condition_given(five_joints):
    method, seen = build(five_joints), []
    method.encoder.register_forward_hook(lambda module, inputs, output: seen.append("encoder"))
    method.decoder.register_forward_hook(lambda module, inputs, output: seen.append(inputs[2].abs().sum().item()))
    one, same, other = (method.generate(None, 2, generator(s, "sample"), steps=3, guidance=5.0) for s in (0, 0, 1))
    assert seen == [0.0] * 9
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    assert one.shape == (2, 8, 5, 3)


@pytest.mark.parametrize(
    ("x", "how", "rule"),
    [
        (draw(3, 8, 5, 3), {}, r"cannot steer clips of shape \(2, 8, 5, 3\)"),
        (None, {"start": 5}, "needs a clip"),
        (draw(2, 8, 5, 3), {"start": 101}, r"1\.\.100"),
        (None, {"steps": 101}, r"1\.\.100"),
    ],
)
def test_what_cannot_be_generated_is_refused(five_joints, x, how, rule):
    with pytest.raises(BadInput, match=rule):
        build(five_joints).generate(x, 2, generator(0, "sample"), **how)


def test_mean_and_variance_are_measured_once_and_travel_with_the_weights(five_joints):
    torch.manual_seed(0)
    method, clips = MacDiff(MacDiffConfig(encoder=ENCODER), five_joints), Clips()
    method.begin(clips)
    x = method.standard(clips.x)
    torch.testing.assert_close(x.mean((0, 1, 2, 3)), torch.zeros(3), atol=1e-4, rtol=0)
    torch.testing.assert_close(x.var((0, 1, 2, 3)), torch.ones(3), atol=1e-2, rtol=0)
    torch.testing.assert_close(method.standard.metres(x), clips.x)
    other = MacDiff(MacDiffConfig(encoder=ENCODER), five_joints)
    other.load_state_dict(method.state_dict())
    bodies = clips.x.flatten(0, 1)
    assert torch.equal(other.pretrained(bodies), method.pretrained(bodies))
    torch.testing.assert_close(method.pretrained(bodies), method.encoder(method.standard(bodies)))


def test_the_published_numbers_stay_whatever_the_clips_are(five_joints):
    method = MacDiff(MacDiffConfig(encoder=ENCODER, standard="published"), five_joints)
    method.begin(Clips())
    torch.testing.assert_close(method.standard.mean, torch.tensor([-0.0058, -0.1333, -0.0246]))
    five_millimetres = 0.005 / method.standard.variance.sqrt()
    torch.testing.assert_close(five_millimetres, torch.tensor([0.035, 0.018, 0.034]), atol=5.1e-4, rtol=0)
    flat = five_joints.model_copy(update={"channels": 2})
    with pytest.raises(BadInput, match="3 coordinates, not 2"):
        MacDiff(MacDiffConfig(encoder=ENCODER, standard="published"), flat)


def test_jitter_is_on_what_the_encoder_sees_alone(five_joints):
    method, seen = build(five_joints, jitter=0.005).train(), []
    method.encoder.register_forward_hook(lambda module, inputs, output: seen.append(inputs[0]))
    batch = tiny_batch(clips=64)
    method(batch)
    clean = method.standard(batch.chosen("first").counted())
    spread = (seen[0] - clean).std((0, 1, 2)) * method.standard.variance.sqrt()
    torch.testing.assert_close(spread, torch.full((3,), 0.005), rtol=0.05, atol=0)


@pytest.mark.parametrize(
    "settings",
    [{"schedule_tau": 1.79}, {"schedule_tau": -1.1}, {"mask_ratio": 1.0}, {"condition_dropout": 1.1}, {"jitter": -1.0}],
)
def test_ranges_that_cannot_work_are_refused(settings):
    with pytest.raises(ValueError, match="Input should be"):
        MacDiffConfig(**settings)
