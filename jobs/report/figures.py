"""The report's figures, drawn with matplotlib as SVG whose colours the page decides."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from jobs.report.svg import GRID, INK, MUTED, PAPER, colour_of, inline_svg
from manifests.kinds import KINDS

WIDTH = 325.0
"""Of a figure in its own units: about that of a telephone in CSS pixels, so text is legible."""

_STYLE: Any = {
    "svg.fonttype": "none",
    "text.parse_math": False,  # a name may hold a dollar sign
    "font.size": 10,
    "text.color": INK,
    "axes.labelcolor": MUTED,
    "axes.edgecolor": GRID,
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "xtick.color": GRID,
    "ytick.color": GRID,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "axes.labelsize": 9.5,
    "legend.frameon": False,
    "legend.fontsize": 9.5,
    "lines.linewidth": 1.8,
}

Row = Mapping[str, Any]


def histograms(edges: Sequence[float], rows: Iterable[Row]) -> str:
    """Return the scores per kind: stage I's filled, stage II's as a line, each by its highest bin.

    Args:
        edges: Of the bins.
        rows: kind, stage, bin and n.
    """
    counts: dict[str, dict[int, list[int]]] = {}
    for row in rows:
        stages = counts.setdefault(row["kind"], {})
        stages.setdefault(row["stage"], [0] * (len(edges) - 1))[row["bin"]] = row["n"]
    with _figure("Scores by kind", 34 + 58 * len(counts), rows=len(counts)) as (axes, done):
        for ax, (kind, stages) in zip(axes, counts.items(), strict=True):
            colour = colour_of(kind)
            for stage, n in stages.items():
                heights = [each / max(n) for each in n]
                fill = stage == 1
                ax.stairs(
                    heights, edges, fill=fill, color=colour, alpha=0.35 if fill else 1, lw=1.6
                )
            ax.set_ylim(0, 1.5)  # room for the name
            ax.set_yticks([])
            ax.grid(visible=False, axis="y")
            ax.spines["left"].set_visible(False)
            ax.annotate(kind, (0, 0.76), xycoords="axes fraction", color=colour, fontsize=10.5)
            ax.tick_params(labelbottom=ax is axes[-1], length=0)
        axes[-1].set_xlabel("score")
    return done()


def view_quantiles(rows: Sequence[Row]) -> str:
    """Return stage I's scores per combination of views: 5 to 95 %, 25 to 75 %, and the median."""
    with _figure("Scores by views", 40 + 38 * len(rows)) as ((ax,), done):
        for place, row in enumerate(rows):
            low, quarter, median, three_quarters, high = row["quantiles"]
            ax.plot([low, high], [place, place], color=MUTED, lw=1.2, solid_capstyle="round")
            ax.plot([quarter, three_quarters], [place, place], color=INK, lw=5, alpha=0.55,
                    solid_capstyle="round")  # fmt: skip
            ax.plot([median], [place], "o", color=PAPER, ms=4.2, mec=INK, mew=1.4)
            ax.annotate(f"{row['views']}  ({row['n']:,})", (0, place), (0, 8), color=INK,
                        xycoords=("axes fraction", "data"), textcoords="offset points",
                        fontsize=9)  # fmt: skip
        ax.set_ylim(len(rows) - 0.5, -0.85)
        ax.set_yticks([])
        ax.grid(visible=False, axis="y")
        ax.spines["left"].set_visible(False)
        ax.locator_params(axis="x", nbins=6)
        ax.set_xlabel("score after stage I")
    return done()


def best_of_n(rows: Iterable[Row]) -> str:
    """Return the mean best of n, a line per kind and stage."""
    lines: dict[tuple[str, int], list[Row]] = {}
    for row in rows:
        lines.setdefault((row["kind"], row["stage"]), []).append(row)
    styles = {2: "-", 1: "-", 0: ":"}
    kinds = [kind for kind, _ in lines]
    with _figure("Best of n", 235) as ((ax,), done):
        for (kind, stage), steps in lines.items():
            several = kinds.count(kind) > 1
            where = {2: "stage II", 1: "stage I", 0: "half-way"}[stage]
            ax.plot([row["n"] for row in steps], [row["best"] for row in steps],
                    styles[stage], color=colour_of(kind), marker="o", ms=3.2,
                    alpha=0.6 if several and stage == 1 else 1,
                    label=f"{kind}, {where}" if several else kind)  # fmt: skip
        _candidates_axis(ax, max(row["n"] for steps in lines.values() for row in steps))
        ax.set_ylabel("mean best score")
    return done()


def accepted_share(rows: Iterable[Row]) -> str:
    """Return the share of requests with an accepted candidate among n, a line per kind."""
    lines: dict[str, list[Row]] = {}
    for row in rows:
        lines.setdefault(row["kind"], []).append(row)
    with _figure("Requests with an accepted candidate", 235) as ((ax,), done):
        for kind, steps in lines.items():
            ax.plot([row["n"] for row in steps], [100 * row["share"] for row in steps],
                    color=colour_of(kind), marker="o", ms=3.2, label=kind)  # fmt: skip
        _candidates_axis(ax, max(row["n"] for steps in lines.values() for row in steps))
        ax.set_ylim(-2, 102)
        ax.set_yticks(range(0, 101, 25), [f"{share} %" for share in range(0, 101, 25)])
        ax.set_ylabel("requests")
    return done()


def _candidates_axis(ax: Any, most: int) -> None:
    """Let the x axis count candidates, in powers of two if they are many."""
    if most > 16:
        ax.set_xscale("log", base=2)
        ax.minorticks_off()
    powers = [2**power for power in range(most.bit_length())]
    ticks = powers if most > 16 else list(range(1, most + 1, 1 if most <= 8 else 3))
    ax.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
    ax.set_xlabel("candidates n")
    names = ax.get_legend_handles_labels()[1]
    columns = 2 if any("," in name for name in names) else 4
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=columns, borderaxespad=0.2,
              handlelength=1.4, columnspacing=1.2)  # fmt: skip


REACHED = {
    "nowhere": ("failed", 0.12),
    "half_way": ("pruned", 0.3),
    "stage_1": ("stage I", 0.55),
    "stage_2": ("stage II", 1.0),
}
"""How far a candidate came: its column, its words, and how strongly it is drawn."""


def funnel(rows: Sequence[Row]) -> str:
    """Return how far candidates came, a bar per kind, in shares."""
    return _bars(
        "How far candidates came",
        rows,
        {words: (column, strength) for column, (words, strength) in REACHED.items()},
    )


def lanes(rows: Sequence[Row]) -> str:
    """Return what each kind's UNet lanes went into, a bar per kind, in shares."""
    stages = {"stage I": ("stage_1_lanes", 0.55), "stage II": ("stage_2_lanes", 1.0)}
    return _bars("UNet lanes", rows, stages)


def _bars(title: str, rows: Sequence[Row], parts: Mapping[str, tuple[str, float]]) -> str:
    """Return a stacked bar per kind; what no kind has is left out."""
    parts = {words: part for words, part in parts.items() if any(row[part[0]] for row in rows)}
    with _figure(title, 44 + 52 * len(rows)) as ((ax,), done):
        for place, row in enumerate(rows):
            total = sum(row[column] for column, _ in parts.values()) or 1
            left = 0.0
            shown = []
            for words, (column, strength) in parts.items():
                share = 100 * row[column] / total
                ax.barh(place, share, 0.32, left, color=colour_of(row["kind"]), alpha=strength)
                left += share
                if row[column]:
                    shown.append(f"{words} {row[column]:,}")
            ax.annotate(row["kind"], (0, place), (0, 12), textcoords="offset points",
                        color=colour_of(row["kind"]), fontsize=10.5)  # fmt: skip
            ax.annotate(", ".join(shown), (0, place), (0, -19), textcoords="offset points",
                        color=MUTED, fontsize=8.5)  # fmt: skip
        ax.set_xlim(0, 100)
        ax.set_ylim(len(rows) - 0.45, -0.7)
        ax.set_yticks([])
        ax.set_xticks(range(0, 101, 25), [f"{share} %" for share in range(0, 101, 25)])
        ax.grid(visible=False, axis="y")
        ax.spines["left"].set_visible(False)
    return done()


def scatter(title: str, x_label: str, y_label: str, points: Iterable[Row]) -> str:
    """Return two numbers of the same candidates against each other.

    Args:
        title: Of the figure.
        x_label: Of the horizontal axis.
        y_label: Of the vertical axis.
        points: kind, x and y.
    """
    kinds: dict[str, list[Row]] = {}
    for point in points:
        kinds.setdefault(point["kind"], []).append(point)
    with _figure(title, 250) as ((ax,), done):
        for kind in sorted(kinds, key=list(KINDS).index):
            ax.plot([p["x"] for p in kinds[kind]], [p["y"] for p in kinds[kind]], "o",
                    color=colour_of(kind), ms=4.4, mew=0, alpha=0.6, label=kind)  # fmt: skip
        ax.locator_params(nbins=6)
        ax.set_xlabel(x_label)
        ax.set_ylabel(y_label)
        ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=4, borderaxespad=0.2,
                  handletextpad=0.1, columnspacing=1.0)  # fmt: skip
    return done()


@contextmanager
def _figure(
    title: str, height: float, rows: int = 1
) -> Iterator[tuple[Sequence[Any], Callable[[], str]]]:
    """Yield the axes of a new figure, one above another, and what returns it as SVG afterwards."""
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    drawn: list[str] = []
    with mpl.rc_context({**_STYLE, "svg.hashsalt": title}):
        size = (WIDTH / 72, height / 72)
        figure = Figure(figsize=size, layout="constrained")
        FigureCanvasSVG(figure)
        axes = list(figure.subplots(rows, 1, squeeze=False, sharex=rows > 1)[:, 0])
        yield axes, lambda: drawn[0]
        drawn.append(inline_svg(figure, title))
