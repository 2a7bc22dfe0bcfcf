"""Rows for tests."""

import io
import random
from typing import Any

from PIL import Image

from manifests.records import Candidate, Picture, Request, make_request


def request(**fields: Any) -> Request:
    """An anagram, or what the fields make of it."""
    plain = {
        "kind": "anagram",
        "prompts": ("a skull", "a rocket ship"),
        "views": ("identity", "flip"),
    }
    return make_request(**(plain | fields))


def candidate(request_id: str = "a" * 16, number: int = 0, **fields: Any) -> Candidate:
    """An accepted candidate, or what the fields make of it."""
    plain: dict[str, Any] = {
        "kind": "anagram",
        "status": "accepted",
        "reason": "",
        "stage": 2,
        "seed": 2**63 - 1,
        "score": 0.25,
        "mean_rank": 1.0,
        "held_out": None,
        "glimpse_score": None,
        "stage_1_score": 0.2,
        "alignment": 0.25,
        "concealment": 0.9,
        "near": None,
        "far": None,
        "far_shrunk": None,
        "change_distance": None,
        "split": -0.1,
        "source_distance": None,
        "seam": None,
        "kept_error": None,
        "stage_1_similarities": (0.2, 0.1, 0.1, 0.2),
        "similarities": (0.25, 0.1, 0.1, 0.3),
        "judge_scores": (0.25,),
        "embedding": (1.0, 0.0),
        "stage_1_lanes": 120,
        "stage_2_lanes": 120,
        "glimpse_image": None,
        "stage_1_image": Picture(b"small", "s.png"),
        "image": Picture(b"large", "l.png"),
        "error_type": None,
        "error_message": None,
        "shard": 0,
        "attempt": "attempt",
        "model": "mini",
        "code_version": "0",
    }
    return Candidate(request_id=request_id, candidate=number, **(plain | fields))


def png(level: int, name: str = "picture.png", side: int = 4) -> Picture:
    """A grey picture; another level is another picture."""
    buffer = io.BytesIO()
    Image.new("RGB", (side, side), (level,) * 3).save(buffer, format="PNG")
    return Picture(buffer.getvalue(), name)


def half_mask(side: int = 4) -> Picture:
    """A mask that is to be repainted on the left."""
    mask, buffer = Image.new("L", (side, side), 0), io.BytesIO()
    mask.paste(255, (0, 0, side // 2, side))
    mask.save(buffer, format="PNG")
    return Picture(buffer.getvalue(), "mask.png")


def noise(size: int, seed: int) -> bytes:
    """A PNG file of about this many bytes."""
    side = round((size / 3) ** 0.5)
    pixels = random.Random(seed).randbytes(side * side * 3)
    buffer = io.BytesIO()
    Image.frombytes("RGB", (side, side), pixels).save(buffer, format="PNG")
    return buffer.getvalue()


def inpainting(**fields: Any) -> Request:
    """An inpainting, or what the fields make of it."""
    plain = {"kind": "inpaint", "prompts": ("a cat",), "views": ("identity",)}
    pictures = {"image": png(9, "cat.png"), "mask": half_mask()}
    return make_request(**(plain | pictures | fields))
