"""Orders for stage III: which candidates were picked, and how they are to be enlarged."""

from dataclasses import asdict, dataclass, replace

from manifests.files import publish_numbered, read_json
from manifests.index import rows_of
from manifests.layout import RunFolder
from manifests.upscaled import Key

UPSCALER = "stabilityai/stable-diffusion-x4-upscaler"


@dataclass(frozen=True, slots=True)
class Order:
    """What stage III is asked for.

    Attributes:
        picks: Request and candidate of each.
        model: Hub id or folder of the upscaler.
        revision: Git revision on the hub, or None.
        guidance_scale: 1 means off.
        noise_level: Noise on the picture that is enlarged.
        num_inference_steps: Steps of the reverse process.
        lanes: Rows of the UNet's batch.
        device: Or None for a GPU if there is one.
        dtype: Or None for the device's own.
    """

    picks: tuple[Key, ...]
    model: str = UPSCALER
    revision: str | None = None
    guidance_scale: float = 9.0
    noise_level: int = 20
    num_inference_steps: int = 75
    lanes: int = 4
    device: str | None = None
    dtype: str | None = None


def place_order(folder: RunFolder, order: Order) -> int:
    """Write an order into a run and return its number.

    The same order has the same number, in whatever sequence its picks are.

    Raises:
        ValueError: If a pick is no candidate of the run that has a picture.
    """
    if not order.picks:
        raise ValueError(
            f"nothing is picked; `fundiff curate {folder.path}` does, or give --picks "
            "REQUEST:CANDIDATE"
        )
    known = rows_of(folder, order.picks)
    for request_id, candidate in order.picks:
        row = known.get((request_id, candidate))
        if row is None:
            raise ValueError(
                f"{folder.path} has no picture of candidate {candidate} of request {request_id!r} "
                f"in its index; `fundiff top {folder.path}` lists them, and "
                f"`fundiff index {folder.path}` brings the index up to date"
            )
        if row["kind"] == "denoise":
            raise ValueError(
                f"request {request_id!r} is a comparison of panels; pick a picture instead"
            )
    folder.upscaled.mkdir(exist_ok=True)
    order = replace(order, picks=tuple(sorted(set(order.picks))))
    return publish_numbered(folder.order, asdict(order))


def read_order(folder: RunFolder, number: int) -> Order:
    """Return an order of a run."""
    content = read_json(folder.order(number))
    picks = tuple((request_id, candidate) for request_id, candidate in content.pop("picks"))
    return Order(picks, **content)
