"""Stage III: works an order until every picked candidate is enlarged."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from fundiff.calls import Calls
from fundiff.engine import Engine, Finished
from fundiff.guidance import Prompts
from fundiff.models import choose_device, choose_dtype, quiet
from fundiff.noise import Noise
from fundiff.pictures import to_image, to_tensor
from fundiff.upscale import (
    Upscaler,
    decode,
    encode_text,
    load_upscaler,
    load_upscaler_text,
    upscale,
    upscale_canvas,
)
from fundiff.view_names import view
from jobs.config import RunConfig, code_version
from jobs.orders import Order, read_order
from jobs.recipes import open_picture, seed_of, store_picture
from manifests.files import read_json
from manifests.index import load_pictures, rows_of
from manifests.layout import RunFolder
from manifests.manifest import read_manifest
from manifests.records import Picture, Request, Upscaled
from manifests.upscaled import Key, drawn_for, write_upscaled


def work_order(run: str, number: int, stopping: Callable[[], bool] = lambda: False) -> bool:
    """Draw what is missing of an order; return whether all of it is drawn.

    Each picture is written as soon as it is there, so a killed attempt loses at most those that
    were under way.

    Args:
        run: Path of the run folder.
        number: Of the order.
        stopping: Asked between UNet calls; once true, work ends.
    """
    folder = RunFolder(Path(run))
    order = read_order(folder, number)
    drawn = drawn_for(folder, number)
    missing = [pick for pick in order.picks if not drawn.get(pick)]  # what failed is tried again
    if not missing:
        return True
    wanted = {request_id for request_id, _ in missing}
    requests = {r.request_id: r for r in read_manifest(folder.manifest) if r.request_id in wanted}
    studio = _open_studio(folder, order, requests)

    # A batch has one shape, so pictures of stage I and of stage II take turns.
    engines: dict[int, Engine[Key]] = {}
    for key, row in rows_of(folder, missing).items():
        first, second = load_pictures(folder, row["part"], row["row"])
        picture = second or first
        assert picture is not None  # `rows_of` gives only candidates with one
        x = to_tensor(open_picture(Picture(picture))).to(studio.upscaler.device)
        engine = engines.setdefault(x.shape[-1], Engine(studio.upscaler, order.lanes))
        engine.add(key, studio.draw(*key, x))
    for engine in engines.values():
        while not engine.idle:
            if stopping():
                return False
            for finished in engine.step():
                write_upscaled(folder, number, [studio.row(number, finished)])
    return True


def _open_studio(
    folder: RunFolder, order: Order, requests: Mapping[str, Request]
) -> "EnlargingStudio":
    """Load the upscaler and encode what the requests say; the text encoder is let go again."""
    quiet()
    device = choose_device(order.device)
    if device.type == "cpu":
        torch.set_num_threads(1)  # rows are bit-identical in any company with one thread only
    dtype = choose_dtype(order.dtype, device)
    texts = {text for r in requests.values() for text in (*r.full_prompts, r.negative_prompt)}
    encoder = load_upscaler_text(order.model, device, dtype, order.revision)
    embeddings = {text: e.to(device) for text, e in encode_text(sorted(texts), *encoder).items()}
    del encoder
    upscaler = load_upscaler(order.model, device, dtype, order.revision)
    config = RunConfig.from_json(read_json(folder.run_json))
    return EnlargingStudio(order, upscaler, embeddings, requests, config.seed)


@dataclass(frozen=True, slots=True)
class EnlargingStudio:
    """What picked candidates are enlarged with.

    Attributes:
        order: Its settings.
        upscaler: The model.
        embeddings: Prompt -> (77, width), on the model's device.
        requests: Those of the picked candidates, by id.
        run_seed: The run's seed, for requests without one of their own.
    """

    order: Order
    upscaler: Upscaler
    embeddings: Mapping[str, Tensor]
    requests: Mapping[str, Request]
    run_seed: int

    def draw(self, request_id: str, candidate: int, picture: Tensor) -> Calls[Tensor]:
        """Return the algorithm that draws the latent of a candidate's large picture.

        Args:
            request_id: The request.
            candidate: The candidate.
            picture: What it is drawn from, (3, h, h) in [-1, 1].
        """
        request = self.requests[request_id]
        canvas = upscale_canvas(
            picture,
            self.upscaler,
            Noise(seed_of(request, candidate, self.run_seed), 3, self.upscaler.device),
            self.order.noise_level,
            self.order.num_inference_steps,
        )
        prompts = Prompts(
            tuple(self.embeddings[prompt] for prompt in request.full_prompts),
            self.embeddings[request.negative_prompt],
            self.order.guidance_scale,
        )
        views = [view(name) for name in request.views]
        return upscale(canvas, views, prompts, request.reduction)

    def row(self, number: int, finished: Finished[Key]) -> Upscaled:
        """Return the row of a candidate whose latent is drawn, decoded."""
        request_id, candidate = finished.key
        image, error = None, finished.error
        if finished.picture is not None:
            try:
                image = store_picture(to_image(decode(finished.picture, self.upscaler)))
            except ValueError as not_finite:
                error = not_finite
        return Upscaled(
            request_id=request_id,
            candidate=candidate,
            order=number,
            seed=seed_of(self.requests[request_id], candidate, self.run_seed),
            lanes=finished.lanes,
            image=image,
            error_type=type(error).__name__ if error else None,
            error_message=str(error) if error else None,
            model=self.order.model,
            code_version=code_version(),
        )
