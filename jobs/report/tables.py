"""What the report counts, asked of the index and the manifest in SQL."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from jobs.report.curves import Success, accepted_share, common_count, ladder, mean_best
from manifests.database import database, quoted
from manifests.index import require_index
from manifests.layout import RunFolder
from manifests.schemas import MANIFEST, RESULTS
from manifests.tables import open_table, read_rows

BINS = 40
"""Of a histogram of scores."""

POINTS = 1000
"""Most points of a scatter plot; of more candidates as many are taken, evenly."""

MOST = 14
"""Most rows of a table of causes, and most combinations of views that are told apart."""

Row = dict[str, Any]

_CANDIDATES = """
    select
        scored.*,
        views,
        candidates as round,
        scored.stage = stages as is_final,
        accept is not null or (accept_rank is null and kind in (from barred)) as has_bar,
        case
            when scored.stage > 0 then 'stage ' || scored.stage
            when error_type is null then 'half-way'
            else 'nowhere'
        end as reached,
        regexp_replace(
            replace(replace(reason, 'stage 1', 'stage I'), 'stage 2', 'stage II'),
            '-?\\d+(\\.\\d+)?', '…', 'g'
        ) as cause
    from read_parquet({index}) as scored
    join (
        select request_id, views, candidates, stages, accept, accept_rank
        from read_parquet({manifest})
    ) using (request_id)
"""

_VIEWS = (
    "list_transform(views, lambda name: regexp_replace(name, ':[^+]*', '', 'g'))"
    ".array_to_string(' | ')"
)
"""A request's views without their parameters, such as `jigsaw:seed=7`: those would be too many."""


@contextmanager
def candidates_of(folder: RunFolder, barred: list[str]) -> Iterator[Any]:
    """Yield a connection with the table of a run's candidates, and what their requests asked.

    Args:
        folder: A run with an index.
        barred: Kinds that have a bar of the run's own for requests that name none.

    Raises:
        ValueError: If there is no index yet, or it is of another version.
    """
    require_index(folder)
    open_table(folder.manifest, MANIFEST).close()
    with database() as connection:
        connection.execute("create table barred as select unnest($1::varchar[]) as kind", [barred])
        query = _CANDIDATES.format(index=quoted(folder.index), manifest=quoted(folder.manifest))
        connection.execute(f"create view candidates as {query}")
        yield connection


def ask(connection: Any, query: str, **values: Any) -> list[Row]:
    """Return the rows of an answer."""
    cursor = connection.execute(query, values or None)
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def kinds(connection: Any) -> list[Row]:
    """Return per kind how far its candidates came, how they ended, and what they cost."""
    return ask(
        connection,
        """
        select
            kind,
            count(distinct request_id) as requests,
            count(*) as candidates,
            count(*) filter (reached = 'nowhere') as nowhere,
            count(*) filter (reached = 'half-way') as half_way,
            count(*) filter (reached = 'stage 1') as stage_1,
            count(*) filter (reached = 'stage 2') as stage_2,
            count(*) filter (status = 'accepted') as accepted,
            count(*) filter (status = 'kept') as kept,
            count(*) filter (status = 'rejected') as rejected,
            count(*) filter (status = 'failed') as failed,
            sum(stage_1_lanes)::bigint as stage_1_lanes,
            sum(stage_2_lanes)::bigint as stage_2_lanes
        from candidates
        group by kind
        order by kind
        """,
    )


def histograms(connection: Any) -> tuple[list[float], list[Row]]:
    """Return the edges of the bins, and rows of kind, stage, bin (from 0) and count n.

    Stage I's scores are those of every candidate that has one, stage II's of those that came
    there. Without any score there are no edges.
    """
    scores = """
        select kind, 1 as stage, stage_1_score as score from candidates
        where stage_1_score is not null
        union all
        select kind, 2, score from candidates where stage = 2 and score is not null
    """
    (span,) = ask(connection, f"select min(score) as low, max(score) as high from ({scores})")
    if span["low"] is None:
        return [], []
    low, width = span["low"], (span["high"] - span["low"]) / BINS or 1 / BINS
    rows = ask(
        connection,
        f"""
        select
            kind,
            stage,
            least(floor((score - $low) / $width)::int, $bins - 1) as bin,
            count(*) as n
        from ({scores})
        group by all
        order by all
        """,
        low=low,
        width=width,
        bins=BINS,
    )
    return [low + width * edge for edge in range(BINS + 1)], rows


def views(connection: Any) -> list[Row]:
    """Return the quantiles of stage I's scores per combination of views, the best first.

    Returns:
        Rows with views, n (scores), quantiles (5, 25, 50, 75, 95 %) and combinations, the number
        there are in all; of the most frequent ones.
    """
    return ask(
        connection,
        f"""
        with scored as (
            select stage_1_score as score, {_VIEWS} as views
            from candidates where stage_1_score is not null
        ), frequent as (
            select
                views,
                count(*) as n,
                quantile_cont(score, [0.05, 0.25, 0.5, 0.75, 0.95]) as quantiles,
                count(*) over () as combinations
            from scored group by views order by n desc, views limit {MOST}
        )
        from frequent order by quantiles[3] desc, views
        """,
    )


def best_of(connection: Any) -> list[Row]:
    """Return the mean best of n of a request's candidates, per kind and stage, for n from 1.

    The scores are those of the furthest stage that every candidate of a request's first round
    reached, failures aside: there the candidates are compared before any was chosen, and how
    many they are does not depend on their scores. A curve is over the same requests from its
    beginning to its end: the half or more of them that have as many candidates.

    Returns:
        Rows with kind, stage (0 is half-way through stage I), n, best (a mean score), requests
        (of the curve) and of (requests of that kind and stage).
    """
    connection.execute(
        """
        create or replace temp table firsts as
        with round as (
            from candidates where candidate < round and status != 'failed'
        ), levels as (
            select
                request_id,
                case
                    when count(*) = count(score) filter (stage = 2) then 2
                    when count(*) = count(stage_1_score) then 1
                    when count(*) = count(glimpse_score) then 0
                end as level
            from round group by request_id
        ), scored as (
            select
                request_id,
                kind,
                level,
                case level when 2 then score when 1 then stage_1_score else glimpse_score end
                    as score
            from round join levels using (request_id) where level is not null
        )
        select
            kind,
            level,
            count(*) over (partition by request_id) as count,
            row_number() over (partition by request_id order by score) as place,
            score
        from scored
        """
    )
    curves: dict[tuple[str, int], dict[int, tuple[int, list[float]]]] = {}
    for row in ask(
        connection,
        "select kind, level, count, list(n order by place) as n, list(total order by place) "
        "as totals from (select kind, level, count, place, count(*) as n, sum(score) as total "
        "from firsts group by all) group by all order by all",
    ):
        curve = curves.setdefault((row["kind"], row["level"]), {})
        curve[row["count"]] = row["n"][0], row["totals"]
    return [row for (kind, level), curve in curves.items() for row in _steps(kind, level, curve)]


def _steps(kind: str, stage: int, curve: dict[int, tuple[int, list[float]]]) -> Iterator[Row]:
    """Yield the rows of one curve, from number of scores -> requests and sums by place."""
    every = {count: requests for count, (requests, _) in curve.items()}
    most = common_count(every)
    long = [group for count, group in curve.items() if count >= most]
    for n in ladder(most):
        yield {
            "kind": kind,
            "stage": stage,
            "n": n,
            # Sums of several threads differ in their last digits; the page is to be the same.
            "best": round(mean_best(long, n), 9),
            "requests": sum(requests for requests, _ in long),
            "of": sum(every.values()),
        }


def accepted(connection: Any) -> list[Row]:
    """Return the share of requests with an accepted one among n candidates, per kind.

    Only requests with a bar count: without one the best are accepted, whatever they are.

    Returns:
        Rows with kind, n (from 1), share and requests.
    """
    rows = ask(
        connection,
        """
        with rounds as (
            select
                request_id,
                kind,
                min(candidate) as start,
                count(*) as size,
                count(*) filter (status = 'accepted') as accepted
            from candidates where has_bar
            group by request_id, kind, candidate // round
        ), firsts as (
            select
                kind,
                max(start + size) as drawn,
                arg_min(start, start) filter (accepted > 0) as start,
                arg_min(size, start) filter (accepted > 0) as size,
                arg_min(accepted, start) filter (accepted > 0) as accepted
            from rounds group by request_id, kind
        )
        select
            kind,
            max(max(drawn)) over (partition by kind) as most,
            coalesce(start, 0) as start,
            coalesce(size, 1) as size,
            coalesce(accepted, 0) as accepted,
            count(*) as requests
        from firsts
        group by kind, start, size, accepted
        order by all
        """,
    )
    kinds: dict[str, list[Success]] = {}
    most: dict[str, int] = {}
    for row in rows:
        kind, most[row["kind"]] = row["kind"], row["most"]
        success = Success(row["start"], row["size"], row["accepted"], row["requests"])
        kinds.setdefault(kind, []).append(success)
    return [
        {
            "kind": kind,
            "n": n,
            "share": accepted_share(successes, n),
            "requests": sum(each.requests for each in successes),
        }
        for kind, successes in kinds.items()
        for n in ladder(most[kind])
    ]


def causes(connection: Any) -> list[Row]:
    """Return why candidates ended where they did, errors aside, the most frequent cause first."""
    return ask(
        connection,
        f"""
        select status, cause, count(*) as n, count(distinct request_id) as requests
        from candidates
        where status != 'failed' and cause != ''
        group by status, cause
        order by n desc, status, cause
        limit {MOST}
        """,
    )


def failures(connection: Any, folder: RunFolder) -> list[Row]:
    """Return the errors that ended candidates, the most frequent first, with one's message."""
    rows = ask(
        connection,
        f"""
        select
            error_type,
            cause,
            count(*) as n,
            count(distinct request_id) as requests,
            string_agg(distinct kind, ', ' order by kind) as kinds,
            arg_min(part, (request_id, candidate)) as part,
            arg_min("row", (request_id, candidate)) as "row"
        from candidates
        where status = 'failed'
        group by error_type, cause
        order by n desc, error_type, cause
        limit {MOST}
        """,
    )
    for row in rows:
        messages = read_rows(folder.path / row["part"], RESULTS, ["error_message"])
        row["message"] = messages["error_message"][row["row"]].as_py() or ""
    return rows


PAIRS = {
    "held_out": ("held_out", "score", "held_out is not null"),
    "stage_1": ("stage_1_score", "score", "is_final and stage = 2"),
    "glimpse": ("glimpse_score", "score", "is_final"),
}
"""What is held against what: two columns, and of which candidates."""


def agreement(connection: Any, pair: str, points: int = POINTS) -> Row | None:
    """Return how well two numbers for the same candidates agree, or None if nothing has both.

    Args:
        connection: From `candidates_of`.
        pair: One of `PAIRS`.
        points: Most that are returned.

    Returns:
        n, rho (Spearman's, all candidates), within (the mean of the requests' own), requests
        (that have one: three candidates or more, not all alike), and points (kind, x, y).
    """
    x, y, which = PAIRS[pair]
    pairs = f"""
        select request_id, candidate, stage, kind, {x} as x, {y} as y
        from candidates where {which} and {x} is not null and {y} is not null
    """
    (together,) = ask(
        connection,
        f"""
        with ranked as (select {_rank("x")} as x, {_rank("y")} as y from ({pairs}))
        select count(*) as n, round({_CORRELATION}, 9) as rho from ranked
        """,
    )
    if not together["n"]:
        return None
    within = "request_id, stage"
    (apart,) = ask(
        connection,
        f"""
        with ranked as (
            select {within}, {_rank("x", within)} as x, {_rank("y", within)} as y from ({pairs})
        ), each as (
            select request_id, {_CORRELATION} as rho
            from ranked group by {within} having count(*) >= 3
        )
        select
            round(avg(rho), 9) as within,
            count(distinct request_id) filter (rho is not null) as requests
        from each
        """,
    )
    found = ask(
        connection,
        f"select kind, x, y from ({pairs}) "
        "order by md5(concat(request_id, ' ', candidate)) limit $points",
        points=points,
    )
    return together | apart | {"points": found}


def _rank(column: str, within: str = "") -> str:
    """Return the rank of a value in SQL, ties at the mean of their places."""
    group = f"partition by {within}" if within else ""
    among = f"{within}, {column}" if within else column
    return (
        f"rank() over ({group} order by {column}) + (count(*) over (partition by {among}) - 1) / 2"
    )


_CORRELATION = "case when min(x) < max(x) and min(y) < max(y) then corr(x, y) end"
