"""What a UNet with learned variance is trained on: noisy pictures, timesteps, a loss."""

import torch
from torch import Generator, Tensor

from fundiff.schedule import squared_cosine

ALPHAS_CUMPROD = torch.tensor(squared_cosine())


def draw_timesteps(count: int, generator: Generator) -> Tensor:
    """Return timesteps: half anywhere, half in [400, 950), where the shape is decided."""
    anywhere = torch.randint(0, 1000, (count,), generator=generator)
    early = torch.randint(400, 950, (count,), generator=generator)
    return torch.where(torch.rand(count, generator=generator) < 0.5, anywhere, early)


def add_noise(x_0: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
    """Return a draw of q(x_t | x_0), a timestep per row."""
    alpha_prod = ALPHAS_CUMPROD[timesteps].view(-1, 1, 1, 1)
    return alpha_prod.sqrt() * x_0 + (1 - alpha_prod).sqrt() * noise


def weights(timesteps: Tensor) -> Tensor:
    """Return the weight of each timestep's noise error: min-SNR, raised at high noise.

    min(SNR, 5) / SNR is Hang et al., 2023, arXiv:2303.09556; the second factor, up to 4, makes up
    for its small gradients where the picture's layout is decided.
    """
    snr = ALPHAS_CUMPROD[timesteps] / (1 - ALPHAS_CUMPROD[timesteps])
    return snr.clamp(max=5) / snr * (1 + 1 / snr).clamp(max=4)


def loss(output: Tensor, x_0: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
    """Return the weighted noise error plus a small bound that trains the variance alone.

    The hybrid objective of Nichol & Dhariwal, 2021, arXiv:2102.09672, section 3.1.
    """
    noise_pred, predicted_variance = output.float().chunk(2, dim=1)
    error = (noise_pred - noise).square().mean((1, 2, 3))
    bound = _bound(noise_pred.detach(), predicted_variance, x_0, noise, timesteps)
    return (weights(timesteps) * error).mean() + 0.02 * bound.mean()


def _bound(
    noise_pred: Tensor, predicted_variance: Tensor, x_0: Tensor, noise: Tensor, timesteps: Tensor
) -> Tensor:
    """Return KL(q(x_{t-1} | x_t, x_0) || p(x_{t-1} | x_t)) per row, the means held fixed."""
    alpha_prod = ALPHAS_CUMPROD[timesteps].view(-1, 1, 1, 1)
    before = ALPHAS_CUMPROD[(timesteps - 1).clamp(min=0)].view(-1, 1, 1, 1)
    beta = 1 - alpha_prod / before.where((timesteps > 0).view(-1, 1, 1, 1), torch.ones(()))
    posterior = ((1 - before) / (1 - alpha_prod) * beta).clamp(min=1e-8)
    fraction = (predicted_variance + 1) / 2
    log_variance = fraction * beta.log() + (1 - fraction) * posterior.log()
    # Both means differ by the posterior's share of the error in x_0, Ho et al. Eq. 7.
    error = ((1 - alpha_prod) / alpha_prod).sqrt() * (noise_pred - noise)
    mean_error = before.sqrt() * beta / (1 - alpha_prod) * error
    excess = posterior.log() - log_variance
    kl = 0.5 * (-1 - excess + excess.exp() + mean_error.square() * torch.exp(-log_variance))
    return torch.where((timesteps > 0).view(-1, 1, 1, 1), kl, kl * 0).mean((1, 2, 3))
