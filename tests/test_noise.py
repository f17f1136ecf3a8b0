"""Noise schedules, conversions and samplers, against published tables and denoisers that are known to be perfect."""

import math

import pytest
import torch
from chance import draw

from skelray import noise
from skelray.errors import BadInput
from skelray.rng import generator

SCHEDULES = [("linear_beta", 1.0), ("cosine", 1.0), ("inverse_cosine", 1.0), ("family", 0.0), ("family", 0.5)]
TABLE = {  # abar at t = 1, 100, 250, 500, 750, 900, 999, 1000
    ("linear_beta", 1.0): ["0.99990", "0.8970", "0.5241", "0.0786", "0.00335", "0.000275", "4.1e-5", "4.04e-5"],
    ("cosine", 1.0): ["0.99996", "0.9721", "0.8470", "0.4938", "0.1443", "0.0241", "2.4e-6", "2.4e-9"],
    ("family", 0.0): ["0.99900", "0.9000", "0.7500", "0.5000", "0.2500", "0.1000", "1.0e-3", "1.0e-6"],
    ("inverse_cosine", 1.0): ["0.99804", "0.8279", "0.6530", "0.5062", "0.3557", "0.1759", "2.0e-3", "2.0e-6"],
}
SUMMARY = {  # over uniform t: mean abar, mean log SNR, its deviation, share of |log SNR| < 1, share of abar in 0.2..0.8
    ("linear_beta", 1.0): [0.276, -2.70, 3.88, 0.186, 0.251],
    ("cosine", 1.0): [0.496, -0.09, 3.06, 0.309, 0.413],
    ("family", 0.0): [0.500, -0.01, 1.85, 0.463, 0.601],
    ("inverse_cosine", 1.0): [0.503, 0.01, 1.42, 0.659, 0.764],
}
every_schedule = pytest.mark.parametrize(("name", "tau"), SCHEDULES)


def level(name: str, tau: float = 1.0, steps: int = 1000) -> torch.Tensor:
    return noise.alpha_bar(name, steps, tau)


def betas(levels: torch.Tensor) -> torch.Tensor:
    return 1 - levels / torch.cat([torch.ones(1, dtype=torch.float64), levels[:-1]])


@pytest.mark.parametrize("key", TABLE)
def test_levels_are_those_of_the_table(key):
    got = level(*key)[torch.tensor([1, 100, 250, 500, 750, 900, 999, 1000]) - 1]
    for value, text in zip(got.tolist(), TABLE[key], strict=True):
        digits = len(text.partition("e")[0].partition(".")[2])
        unit = 10.0 ** -(digits - int(text.partition("e")[2] or 0))
        assert value == pytest.approx(float(text), abs=0.51 * unit)


@pytest.mark.parametrize("key", SUMMARY)
def test_schedules_spend_their_steps_where_the_table_says(key):
    a = level(*key)
    log_snr = noise.snr(a).log()
    middle = ((a >= 0.2) & (a <= 0.8)).double().mean()
    got = [a.mean(), log_snr.mean(), log_snr.std(), (log_snr.abs() < 1).double().mean(), middle]
    for value, expected, digit in zip(got, SUMMARY[key], [1e-3, 1e-2, 1e-2, 1e-3, 1e-3], strict=True):
        assert value.item() == pytest.approx(expected, abs=0.51 * digit)


@every_schedule
def test_levels_are_float64_and_fall_within_zero_and_one(name, tau):
    a = level(name, tau)
    assert a.dtype == torch.float64
    assert ((a > 0) & (a < 1)).all()
    assert (a.diff() < 0).all()


def test_cosine_and_inverse_cosine_are_mirror_images_about_the_straight_line():
    both, line = level("cosine") + level("inverse_cosine"), level("family", 0.0)
    torch.testing.assert_close(both, 2 * line, atol=1e-12, rtol=0)
    straight = 2 * (1 - torch.arange(1, 1001, dtype=torch.float64) / 1000)
    torch.testing.assert_close(both[:-1], straight[:-1], atol=1e-12, rtol=0)
    assert (both[-1] - straight[-1]).item() == pytest.approx(2e-6, rel=0.01)  # the one beta that is cut off


def test_the_ends_of_the_family_have_names():
    assert torch.equal(level("family", -1.0), level("cosine"))
    assert torch.equal(level("family", 1.0), level("inverse_cosine"))


@pytest.mark.parametrize("tau", [-1.0, -0.5, 0.7, 1.5, 1.78, 1.789])
def test_the_family_falls_within_its_range_and_one_beta_is_cut_off(tau):
    beta = betas(level("family", tau))
    assert (beta > 0).all()
    assert (beta > 0.999 - 1e-9).sum() == 1
    assert beta.argmax() == 999


def test_no_linear_beta_is_cut_off():
    assert betas(level("linear_beta")).max().item() == pytest.approx(0.02)


@pytest.mark.parametrize(("name", "least"), [("inverse_cosine", 8.6e-4), ("cosine", 4.1e-5), ("linear_beta", 1e-4)])
def test_the_smallest_betas(name, least):
    assert betas(level(name)).min().item() == pytest.approx(least, rel=0.01)


@pytest.mark.parametrize("tau", [-1.01, 1.79, 2.0, float("nan")])
def test_a_family_that_would_rise_is_refused(tau):
    with pytest.raises(BadInput, match=r"-1 <= tau < 1\.79"):
        level("family", tau)


def test_outside_its_range_a_beta_would_be_negative(monkeypatch):
    monkeypatch.setattr(noise, "TAU_END", 9.0)
    assert (betas(level("family", 1.80)) < 0).any()


@pytest.mark.parametrize(("key", "t"), list(zip(TABLE, [259, 496, 500, 514], strict=True)))
def test_where_half_of_the_variance_is_signal(key, t):
    assert (level(*key) >= 0.5).sum().item() == pytest.approx(t, abs=1)


def test_cosine_is_cleaner_at_first_and_noisier_later():
    cosine, inverse, linear = level("cosine"), level("inverse_cosine"), level("linear_beta")
    cleaner = cosine > inverse
    assert cleaner.int().diff().abs().sum() == 1  # one crossing
    assert cleaner.sum().item() == pytest.approx(488, abs=2)
    assert cosine[249] > inverse[249] > linear[249]
    assert inverse[749] > cosine[749] > linear[749]


@pytest.mark.parametrize(
    ("name", "before", "last"), [("inverse_cosine", 22, 708), ("linear_beta", 156, 157), ("cosine", 642, 20_300)]
)
def test_an_error_of_eps_grows_on_its_way_to_x0(name, before, last):
    a, x = level(name), draw(3, 4).double()
    grown = [(noise.x0_of_eps(x, x + 1, a[t]) - noise.x0_of_eps(x, x, a[t])).abs().mean().item() for t in (998, 999)]
    assert grown == pytest.approx([before, last], rel=0.03)


def test_fewer_steps_end_at_about_the_same_noise():
    ends = [level("linear_beta", steps=steps)[-1].item() for steps in (250, 500, 1000)]
    assert max(ends) / min(ends) < 1.3
    assert torch.allclose(level("cosine", steps=250)[:-1], level("cosine")[3:-4:4])
    with pytest.raises(BadInput, match="at least 1 step"):
        level("cosine", steps=0)


@every_schedule
def test_eps_x0_and_v_say_the_same(name, tau):
    x0, eps = draw(5, 7).double(), draw(5, 7, seed=1).double()
    a = level(name, tau)[[0, 100, 500, 900, 990]][:, None]
    x_t = noise.noised(x0, eps, a)
    v = noise.velocity(x0, eps, a)
    for got, expected in [
        (noise.x0_of_eps(x_t, eps, a), x0),
        (noise.eps_of_x0(x_t, x0, a), eps),
        (noise.x0_of_v(x_t, v, a), x0),
        (noise.eps_of_v(x_t, v, a), eps),
        *((noise.eps_of(kind, x_t, noise.wanted(kind, x0, eps, a), a), eps) for kind in ("eps", "x0", "v")),
    ]:
        torch.testing.assert_close(got, expected, atol=1e-9, rtol=0)


def test_v_is_orthogonal_to_x_t_and_as_long():
    x0, eps = torch.eye(2, dtype=torch.float64)  # orthonormal, as unit white data and noise are on average
    for a in level("cosine")[::100]:
        x_t, v = noise.noised(x0, eps, a), noise.velocity(x0, eps, a)
        assert (x_t @ v).abs().item() < 1e-15
        assert v.norm().item() == pytest.approx(1)


def test_min_snr_weighs_the_same_error_alike_whatever_is_predicted():
    a = level("cosine")
    ratio, weights = noise.snr(a), {kind: noise.min_snr(a, kind) for kind in ("eps", "x0", "v")}
    assert all(weight.mean().item() == pytest.approx(1) for weight in weights.values())
    shapes = {"eps": (5 / ratio).clamp(max=1), "x0": ratio.clamp(max=5), "v": ratio.clamp(max=5) / (ratio + 1)}
    for kind, shape in shapes.items():
        torch.testing.assert_close(weights[kind], shape / shape.mean())


def test_the_best_guess_about_white_data_errs_by_the_mean_level():
    x0, eps = draw(1000, 200).double(), draw(1000, 200, seed=1).double()
    for key, expected in SUMMARY.items():
        a = level(*key)[:, None]
        guess = (1 - a).sqrt() * noise.noised(x0, eps, a)
        assert (guess - eps).square().mean().item() == pytest.approx(expected[0], abs=5e-3)
    assert eps.square().mean().item() == pytest.approx(1, abs=0.01)  # guessing zero


@every_schedule
@pytest.mark.parametrize(("dtype", "error"), [(torch.float64, 1e-15), (torch.float32, 1e-5)])
def test_a_perfect_denoiser_recovers_x0(name, tau, dtype, error):
    a, x0, start, chance = level(name, tau), draw(4, 6).to(dtype), draw(4, 6, seed=1).to(dtype), generator(0, "walk")

    def perfect(x_t, index):
        return noise.eps_of_x0(x_t, x0, a[index])

    walks = [noise.ddpm(perfect, start, a, chance, variance) for variance in ("large", "small")]
    for steps, eta in ((10, 0.0), (50, 0.0), (1000, 0.0), (10, 0.5), (50, 1.0)):
        walks.append(noise.ddim(perfect, start, a, noise.ddim_times(steps, 1000), chance, eta))
    walks.append(noise.ddpm(perfect, noise.noised(x0, start, a[299]), a[:300], chance))  # from the middle
    for walk in walks:
        assert walk.dtype == dtype
        assert (walk - x0).abs().max().item() < error


@pytest.mark.parametrize(
    ("name", "deviations"),
    [
        ("inverse_cosine", [0.9955, 0.986, 0.946, 0.882]),
        ("cosine", [0.9988, 0.995, 0.975, 0.938]),
        ("linear_beta", [0.9981, 0.993, 0.963, 0.908]),
    ],
)
def test_few_steps_shrink_white_data(name, deviations):
    """With the Bayes-optimal denoiser of unit white data each step of DDIM is a factor: the output's deviation."""
    a, one = level(name), torch.ones(1, dtype=torch.float64)
    for steps, expected in zip((1000, 250, 50, 20), deviations, strict=True):
        times = noise.ddim_times(steps, 1000)
        end = noise.ddim(lambda x_t, t: (1 - a[t]).sqrt() * x_t, one, a, times, generator(0, "none"))
        assert end.item() == pytest.approx(expected, abs=5.1e-4 if steps < 1000 else 5.1e-5)


@every_schedule
def test_ddim_with_eta_one_over_all_steps_is_ddpm_with_the_small_variance(name, tau):
    a, start = level(name, tau, 100), draw(4, 6).double()

    def predict(x_t, index):
        return torch.sin(x_t) * math.cos(index)

    one = noise.ddim(predict, start, a, noise.ddim_times(100, 100), generator(0, "walk"), 1.0)
    torch.testing.assert_close(one, noise.ddpm(predict, start, a, generator(0, "walk"), "small"), rtol=1e-6, atol=1e-6)


def test_the_generator_is_the_only_chance_of_a_walk():
    a, start = level("cosine", steps=20), draw(4, 6)
    walks = [noise.ddpm(lambda x, t: 0 * x, start, a, generator(seed, "walk")) for seed in (0, 0, 1)]
    assert torch.equal(walks[0], walks[1])
    assert not torch.equal(walks[0], walks[2])


@pytest.mark.parametrize(("steps", "total"), [(1, 1), (1, 10), (10, 10), (50, 1000), (7, 1000)])
def test_times_fall_from_the_last_step_and_are_distinct(steps, total):
    times = noise.ddim_times(steps, total)
    assert len(set(times)) == steps
    assert times == sorted(times, reverse=True)
    assert times[0] == total - 1
    assert steps == 1 or times[-1] == 0


@pytest.mark.parametrize("steps", [0, 11])
def test_more_sampling_steps_than_there_are_are_refused(steps):
    with pytest.raises(BadInput, match=r"1\.\.10"):
        noise.ddim_times(steps, 10)
