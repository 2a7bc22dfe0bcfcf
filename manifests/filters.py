"""Which candidates of a run one wants to see, and the SQL that says so."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Filters:
    """Which candidates one wants to see, and by whom they are ranked.

    Attributes:
        kind: Only requests of this kind.
        tag: Only requests with this tag.
        status: Only candidates with this status.
        request_id: Only this request.
        text: Only requests in whose style, prompts and tags all these words occur, in any case.
        min_score: Only candidates with at least this score.
        picked: Only candidates that somebody rated 3 or better, and did not cross out since.
        distinct: Pass over a candidate whose cosine with a better one that is shown of the same
            request is above this, by their embeddings.
        by: Rank by the mean of the ranks that these judges give among the request's candidates
            of the same stage, instead of by `mean_rank`. Whom one of them has not scored comes
            last.
    """

    kind: str | None = None
    tag: str | None = None
    status: str | None = None
    request_id: str | None = None
    text: str | None = None
    min_score: float | None = None
    picked: bool = False
    distinct: float | None = None
    by: tuple[str, ...] = ()

    def given(self) -> dict[str, Any]:
        """Return the filters that leave out candidates whatever their company, by name."""
        values = {name: getattr(self, name) for name in CONDITIONS}
        return {name: value for name, value in values.items() if _is_given(value)}


def _is_given(value: Any) -> bool:
    """Return whether a filter says anything; a score of 0 does."""
    return value is not None and value is not False and value != ""


CONDITIONS = {
    "kind": "kind = $kind",
    "status": "status = $status",
    "request_id": "request_id = $request_id",
    "min_score": "score >= $min_score",
    "picked": "(request_id, candidate) in (from picked)",
    "tag": "request_id in (select request_id from requests where list_contains(tags, $tag))",
    "text": r"""request_id in (
        select request_id from (
            select request_id, lower(array_to_string([style] || prompts || tags, ' ')) as words
            from requests
        )
        where len(list_filter(
            regexp_split_to_array(trim(lower($text)), '\s+'),
            lambda word: not contains(words, word)
        )) = 0
    )""",
}
"""What a row of the table candidates must be, by the filter's name, whose value is $name."""
