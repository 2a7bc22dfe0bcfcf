"""Animations as files: GIF, WebP and MP4."""

from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from manifests.files import write_whole


def write_animation(frames: Sequence[Image.Image], path: Path, fps: int = 20) -> None:
    """Write frames as an animation, whole or not at all; GIF and WebP loop forever.

    MP4 is H.264 in yuv420p, which every browser and phone plays, and has no word for looping. It
    needs even sides: odd ones get their last row or column twice.

    Args:
        frames: RGB images of one size.
        path: Its suffix says which format: .gif, .webp or .mp4.
        fps: Frames per second, 1 to 50: a GIF counts hundredths of a second, and viewers slow
            down what is shown for only one.

    Raises:
        ValueError: If the suffix is another one, there are no frames, they differ in size or
            mode, or fps is out of range.
    """
    write = WRITERS.get(path.suffix.lower())
    if write is None:
        raise ValueError(
            f"{path.name!r} is no name of an animation; let it end in {', '.join(WRITERS)}"
        )
    if not 1 <= fps <= 50:
        raise ValueError(f"{fps} frames per second are not possible; take 1 to 50")
    kinds = {(frame.mode, frame.size) for frame in frames}
    if len(kinds) != 1 or next(iter(kinds))[0] != "RGB":
        raise ValueError(
            f"frames of {sorted(kinds) or 'no'} mode and size make no animation; "
            "give RGB images of one size"
        )
    write_whole(path, lambda hidden: write(frames, hidden, fps))


def _runs(
    frames: Iterable[Image.Image], fps: int, unit: int
) -> tuple[list[Image.Image], list[int]]:
    """Return frames without immediate repetitions, and how long each is shown, in ms.

    Args:
        frames: A frame that is held comes as the same object.
        fps: Frames per second.
        unit: Durations are multiples of so many ms; rounding does not add up.
    """
    images, durations, number, shown = [], [], 0, 0
    for _, run in groupby(frames, key=id):
        held = list(run)
        number += len(held)
        until = round(number * 1000 / fps / unit) * unit
        images.append(held[0])
        durations.append(until - shown)
        shown = until
    return images, durations


def _write_gif(frames: Sequence[Image.Image], path: Path, fps: int) -> None:
    images, durations = _runs(frames, fps, unit=10)
    palette = _palette(images)
    first, *rest = (image.quantize(palette=palette, dither=_DITHER) for image in images)
    first.save(
        path, "GIF", save_all=True, append_images=rest, duration=durations, loop=0, optimize=False
    )


_DITHER = Image.Dither.FLOYDSTEINBERG


def _palette(images: Sequence[Image.Image]) -> Image.Image:
    """Return 256 colours for all images, so that what stands still does not flicker."""
    width, height = images[0].size
    sheet = Image.new("RGB", (width, height * len(images)))
    for number, image in enumerate(images):
        sheet.paste(image, (0, height * number))
    return sheet.quantize(256, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)


def _write_webp(frames: Sequence[Image.Image], path: Path, fps: int) -> None:
    (first, *rest), durations = _runs(frames, fps, unit=1)
    first.save(
        path, "WEBP", save_all=True, append_images=rest, duration=durations, loop=0, quality=90
    )


def _write_mp4(frames: Sequence[Image.Image], path: Path, fps: int) -> None:
    import av

    with av.open(str(path), "w", format="mp4", options={"movflags": "faststart"}) as file:
        stream = file.add_stream("libx264", rate=Fraction(fps))
        width, height = (length + length % 2 for length in frames[0].size)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        # The colours' meaning is told, since players guess it by the size if it is not.
        stream.options = {
            "crf": "18",
            "x264-params": "colorprim=bt709:transfer=bt709:colormatrix=bt709",
        }
        for image in frames:
            array = np.pad(
                np.asarray(image),
                ((0, height - image.height), (0, width - image.width), (0, 0)),
                mode="edge",
            )
            frame = av.VideoFrame.from_ndarray(array, format="rgb24")
            file.mux(stream.encode(frame.reformat(format="yuv420p", dst_colorspace="ITU709")))
        file.mux(stream.encode())


WRITERS: dict[str, Callable[[Sequence[Image.Image], Path, int], Any]] = {
    ".gif": _write_gif,
    ".webp": _write_webp,
    ".mp4": _write_mp4,
}
"""What writes an animation, by the suffix of its name."""
