"""Single pictures of a run, read without the row group that they lie in."""

import mmap
import os
from bisect import bisect_right
from collections.abc import Iterator
from functools import lru_cache
from itertools import accumulate
from pathlib import Path
from threading import Lock

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

REMEMBERED = 4096
"""Row groups whose pictures' places are kept in mind; 16 bytes a picture."""


class PictureReader:
    """Reads single pictures out of Parquet files.

    Pictures are stored plain and uncompressed, so each lies in its file as it is. The first time
    a row group is asked for, its column is read whole and the place of every picture found;
    from then on a picture is one read of its own bytes. Where a file is stored otherwise, the
    row group is read each time. It may be used from several threads.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._groups = lru_cache(REMEMBERED)(_groups)
        self._places = lru_cache(REMEMBERED)(_places)

    def read(self, path: Path, row: int, column: str) -> bytes | None:
        """Return one picture's PNG file, or None if that row has none.

        Args:
            path: A Parquet file with a column of pictures that is never written again.
            row: Of the file.
            column: Of the pictures.

        Raises:
            ValueError: If the file has no such row.
        """
        with self._lock:  # so that two who want the same row group do not both search it
            starts = self._groups(path)
            if not 0 <= row < starts[-1]:
                raise ValueError(f"{path} has no row {row}; the index is older than the results")
            group = bisect_right(starts, row) - 1
            place, length = self._places(path, group, column)[row - starts[group]]
        if length < 0:
            return None
        if place < 0:
            return _column(path, group, column)[row - starts[group]].as_py()  # type: ignore[no-any-return]
        with path.open("rb") as file:
            return os.pread(file.fileno(), length, place)


def _groups(path: Path) -> tuple[int, ...]:
    """Return the first row of each row group, and the number of rows."""
    metadata = pq.read_metadata(path)
    rows = (metadata.row_group(group).num_rows for group in range(metadata.num_row_groups))
    return tuple(accumulate(rows, initial=0))


def _places(path: Path, group: int, column: str) -> npt.NDArray[np.int64]:
    """Return place and length in bytes of each picture of a row group.

    The length is -1 where there is none; the place -1 where it lies nowhere as it is.
    """
    chunk = _chunk(path, group, column)
    return np.array(list(_found(path, _column(path, group, column), chunk)), np.int64)


def _column(path: Path, group: int, column: str) -> pa.ChunkedArray:
    with pq.ParquetFile(path) as file:
        return pc.struct_field(file.read_row_group(group, columns=[column])[column], "bytes")


def _chunk(path: Path, group: int, column: str) -> range:
    """Return where in the file the pictures' bytes lie."""
    row_group = pq.read_metadata(path).row_group(group)
    chunks = (row_group.column(number) for number in range(row_group.num_columns))
    chunk = next(each for each in chunks if each.path_in_schema == f"{column}.bytes")
    start = chunk.data_page_offset
    return range(start, start + chunk.total_compressed_size)


def _found(path: Path, pictures: pa.ChunkedArray, chunk: range) -> Iterator[tuple[int, int]]:
    """Yield place and length of each picture, which follow each other in the file."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as whole:
        at = chunk.start
        for picture in pictures:
            if not picture.is_valid:
                yield -1, -1
                continue
            data = picture.as_py()
            place = _find(whole, data, at, chunk.stop)
            yield place, len(data)
            at = place + len(data) if place >= 0 else at


def _find(whole: mmap.mmap, data: bytes, start: int, stop: int) -> int:
    """Return where bytes lie, or -1; as `find`, which would take its time over a long needle."""
    place = whole.find(data[:64], start, stop)
    while place >= 0 and whole[place : place + len(data)] != data:
        place = whole.find(data[:64], place + 1, stop)
    return place
