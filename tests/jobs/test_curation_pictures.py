import os
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.cards import original_of, readings_of
from jobs.curation.picture_reader import PictureReader
from jobs.curation.pictures import Place, RunPictures
from manifests.records import Picture, Upscaled
from manifests.schemas import PICTURE
from manifests.tables import write_table
from manifests.upscaled import write_upscaled
from tests.jobs.drawn_runs import BLUE, QUARTERS, RED, drawn, png, write_run
from tests.manifests.rows import candidate, noise


def write(path: Path, pictures: list[bytes | None], **options: Any) -> None:
    rows = [None if data is None else {"bytes": data, "path": ""} for data in pictures]
    options = {"compression": "none", "use_dictionary": False} | options
    pq.write_table(pa.table({"image": pa.array(rows, PICTURE)}), path, **options)


pictures = st.lists(st.none() | st.binary(max_size=40) | st.just(b"twins"), min_size=1, max_size=9)


@given(
    pictures,
    st.integers(1, 4),
    st.sampled_from([{}, {"compression": "zstd"}, {"use_dictionary": True}]),
)
@settings(max_examples=60, deadline=None)
def test_a_picture_is_read_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory,
    written: list[bytes | None],
    rows: int,
    options: dict[str, Any],
):
    """Nulls, empty ones and twins among them, in whatever row group, and however it is stored."""
    path = tmp_path_factory.mktemp("read") / "part.parquet"
    write(path, written, row_group_size=rows, data_page_size=64, **options)
    reader = PictureReader()
    for _ in range(2):
        assert [reader.read(path, row, "image") for row in range(len(written))] == written


@pytest.mark.parametrize("row", [-1, 2])
def test_a_row_that_is_not_there_is_one_clear_line(tmp_path: Path, row: int):
    write(tmp_path / "part.parquet", [b"a", b"b"])
    with pytest.raises(ValueError, match=f"has no row {row}; the index is older"):
        PictureReader().read(tmp_path / "part.parquet", row, "image")


@pytest.mark.skipif(sys.platform != "linux", reason="counts bytes as Linux does")
def test_a_second_picture_costs_no_more_than_its_own_bytes(tmp_path: Path):
    """Its row group is read once, not every time."""

    def read_so_far() -> int:
        lines = Path("/proc/self/io").read_text().splitlines()
        return int(lines[0].removeprefix("rchar: "))

    data = [noise(20_000, seed) for seed in range(30)]
    rows = [candidate(number=n, image=Picture(each)) for n, each in enumerate(data)]
    from manifests.schemas import RESULTS

    write_table(rows, RESULTS, tmp_path / "part.parquet")
    reader = PictureReader()
    assert reader.read(tmp_path / "part.parquet", 3, "image") == data[3]
    before = read_so_far()
    assert reader.read(tmp_path / "part.parquet", 17, "image") == data[17]
    assert read_so_far() - before < len(data[17]) + 10_000


def test_a_run_gives_every_picture_that_a_page_asks_for(tmp_path: Path):
    """By name; None for one that is not there."""
    shown = drawn("jigsaw:seed=7", "identity", kind="inpaint", pictures=[QUARTERS, png(RED)])
    request = shown.request
    folder = write_run(tmp_path / "run", drawn("identity", "flip"), shown)
    folder.upscaled.mkdir()
    for order, colour in enumerate((RED, BLUE)):
        row = Upscaled(
            request.request_id, 1, order, 0, 1, Picture(png(colour)), None, None, "m", "0"
        )
        write_upscaled(folder, order, [row])
    found = RunPictures(folder)
    part = os.path.relpath(next(folder.results.glob("*/*.parquet")), folder.path)
    place = Place(request.request_id, 0, "inpaint", request.views, part, 1)
    assert found.read(place, "large") == QUARTERS
    assert found.read(place, "small") not in (None, QUARTERS)
    assert found.read(place, "original") == original_of(request, QUARTERS)
    assert found.read(place, "reading-0") == readings_of(request.views, QUARTERS)["jigsaw:seed=7"]
    assert [found.read(place, name) for name in ("reading-1", "enlarged", "../x", "")] == [
        None
    ] * 4
    other = Place(request.request_id, 1, "inpaint", request.views, part, 2)
    assert found.read(other, "enlarged") == png(BLUE)
    assert found.enlarged == {(request.request_id, 1): 1}
    plain = Place(request.request_id, 0, "anagram", ("identity", "flip"), part, 0)
    assert [found.read(plain, name) for name in ("original", "reading-0")] == [None, None]
