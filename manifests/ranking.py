"""The ranking: the best candidates of every request, best request first."""

from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa

from manifests.database import database, quoted
from manifests.diversity import without_twins
from manifests.filters import CONDITIONS, Filters
from manifests.index import require_index
from manifests.layout import RunFolder
from manifests.picks import PICKED
from manifests.schemas import PICKS
from manifests.scores import parts_of_judges
from manifests.tables import read_rows


def top(folder: RunFolder, n: int, **filters: Any) -> list[dict[str, Any]]:
    """Return the best n candidates of every request; see `ranking` and `Filters`."""
    return list(ranking(folder, n, Filters(**filters)))


def ranking(folder: RunFolder, n: int, filters: Filters) -> Iterator[dict[str, Any]]:
    """Yield the best n candidates of every request, the request with the best one first.

    Candidates that went through stage II come before those that did not, then the better mean
    rank counts, then the better score. The memory that it takes is bounded.

    Args:
        folder: A run with an index.
        n: Candidates per request.
        filters: Which of them, and by whom they are ranked.

    Yields:
        Rows of the index with `rank` and the request's prompts, views, style and tags; if it is
        ranked by judges, with `by`: each one's score, None where not all of them gave one.

    Raises:
        ValueError: If there is no index yet, no picks or no such judge where they are asked for,
            or the filters leave nothing.
    """
    require_index(folder)
    with database() as connection:
        _make_views(connection, folder)
        if filters.picked:
            _make_picked(connection, folder)
        if filters.by:
            _make_judged(connection, folder, filters.by)
        _make_ranked(connection, filters, n if filters.distinct is None else None)
        _require_rows(connection, folder, filters)
        if filters.distinct is not None:
            _drop_twins(connection, folder, n, filters.distinct)
        query = _ROWS.format(*(_BY if filters.by else ("", "")))
        for batch in connection.sql(query).to_arrow_reader(2**12):
            for row in batch.to_pylist():
                yield row | _by(filters.by, row) if filters.by else row


_ROWS = """
    select candidates.*, rank, prompts, views, style, tags {}
    from ranked
        join candidates using (request_id, candidate)
        join requests using (request_id) {}
    order by best desc nulls last, request_id, rank
"""

_BY = ', said as "by"', "left join judged using (request_id, candidate)"


def _by(names: Sequence[str], row: dict[str, Any]) -> dict[str, dict[str, float | None]]:
    """Return what judges said of a candidate, by name."""
    judges = dict.fromkeys(names)
    return {"by": dict(zip(judges, row["by"], strict=True)) if row["by"] else judges}


def _make_views(connection: Any, folder: RunFolder) -> None:
    """Make the views candidates and requests."""
    connection.execute(f"""
        create view candidates as from read_parquet({quoted(folder.index)});
        create view requests as
        select request_id, prompts, views, style, tags
        from read_parquet({quoted(folder.manifest)})
    """)


def _make_picked(connection: Any, folder: RunFolder) -> None:
    """Make the view picked, of candidates that somebody's latest word speaks for."""
    if not folder.picks.is_file():
        raise ValueError(
            f"nobody has picked from {folder.path} yet; `fundiff curate {folder.path}` does"
        )
    connection.register("picks", read_rows(folder.picks, PICKS))
    connection.execute(f"""
        create view picked as
        select request_id, candidate from (
            from picks
            qualify row_number() over (
                partition by request_id, candidate, who order by "at" desc
            ) = 1
        )
        where rating >= {PICKED} and not rejected
    """)


def _make_judged(connection: Any, folder: RunFolder, names: Sequence[str]) -> None:
    """Make the table judged: candidates' mean ranks by judges, ties on average, and scores."""
    judges = parts_of_judges(folder, names)
    scores = " union all ".join(
        f"select {number} as judge, request_id, candidate, stage, score "
        f"from read_parquet([{', '.join(map(quoted, parts))}])"
        for number, parts in enumerate(judges.values())
    )
    connection.execute(f"""
        create table judged as
        with scores as (
            select judge, request_id, candidate, stage, avg(score) as score
            from ({scores}) semi join candidates using (request_id, candidate, stage)
            group by all
        ), places as (
            select request_id, candidate, judge, score,
                rank() over (partition by judge, request_id, stage order by score desc)
                + (count(*) over (partition by judge, request_id, stage, score) - 1) / 2 as place
            from scores
        )
        select request_id, candidate, avg(place) as place, list(score order by judge) as said
        from places group by all having count(*) = {len(judges)}
    """)


def _make_ranked(connection: Any, filters: Filters, n: int | None) -> None:
    """Make the table ranked, of the best n candidates of each request that pass, or of all.

    Candidates without a picture are none. The table is narrow: what else there is to a
    candidate is read later, for those alone that are shown, and by its key, since the index may
    have been built anew meanwhile.
    """
    given = filters.given()
    judged = "left join judged using (request_id, candidate)" if filters.by else ""
    query = f"""
        create table ranked as
        select request_id, candidate, rank, first_value(score) over (
            partition by request_id order by rank
        ) as best
        from (
            select request_id, candidate, score, row_number() over (
                partition by request_id
                order by stage desc, {"place" if filters.by else "mean_rank"} nulls last,
                    score desc nulls last, candidate
            ) as rank
            from candidates {judged}
            where {" and ".join(["stage > 0", *(CONDITIONS[name] for name in given)])}
        )
        {"" if n is None else f"where rank <= {n}"}
    """
    connection.execute(query, {name: given[name] for name in given if f"${name}" in query})


def _drop_twins(connection: Any, folder: RunFolder, n: int, distinct: float) -> None:
    """Leave in the table ranked the best n of each request that are no twins of better ones."""
    query = """
        select shard, request_id, candidate, part, candidates.row
        from ranked join candidates using (request_id, candidate)
        order by shard, request_id, rank
    """
    reader = connection.sql(query).to_arrow_reader(2**12)
    rows = (row for batch in reader for row in batch.to_pylist())
    kept: dict[str, list[Any]] = {"request_id": [], "candidate": [], "rank": []}
    for rank, row in without_twins(folder, rows, n, distinct):
        kept["request_id"].append(row["request_id"])
        kept["candidate"].append(row["candidate"])
        kept["rank"].append(rank)
    connection.register("kept", pa.table(kept))
    connection.execute("""
        create or replace table ranked as
        select request_id, candidate, kept.rank, best
        from ranked join kept using (request_id, candidate)
    """)


def _require_rows(connection: Any, folder: RunFolder, filters: Filters) -> None:
    """Refuse filters that leave nothing, and say what there is."""
    words = ", ".join(f"{name} {value!r}" for name, value in filters.given().items())
    if not words or connection.execute("select * from ranked limit 1").fetchall():
        return
    kinds = connection.execute("select distinct kind from candidates order by all").fetchall()
    tags = connection.execute(
        "select distinct unnest(tags) as tag from requests order by all limit 20"
    ).fetchall()
    raise ValueError(
        f"nothing in {folder.path} has {words}; its kinds are "
        f"{', '.join(kind for (kind,) in kinds)}, its tags {[tag for (tag,) in tags]}"
    )
