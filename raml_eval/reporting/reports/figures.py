"""Figures of reports, drawn from the frame: along an axis of checkpoints, over G-Pass@k's threshold, and a map of all tasks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from raml_eval.drawing import new_figure, plain_label, style_of
from raml_eval.reporting.numbers import Key
from raml_eval.reporting.plots import draw_budget_curve
from raml_eval.reporting.render import Figure
from raml_eval.reporting.reports.checking import runs_left_out
from raml_eval.reporting.reports.definition import Part
from raml_eval.reporting.reports.material import Built, Material
from raml_eval.reporting.sections import TITLES, Section
from raml_eval.tables import DOMAINS, MACRO, TAUS, Measure, Row
from raml_eval.types import Domain

# Not quite white and black, which a page takes for its paper and ink.
LIGHT, DARK = "#fdfdfd", "#020202"
SMALLEST_GAIN = 5.0  # points at the end of a map's scale, at least, so that noise has pale colours
Point = tuple[str, Domain, float, Row | None]  # group, domain, x, the number


def draw_axis(points: Sequence[Point], name: str, measure: Measure, runs: Sequence[str] = ()) -> Any:
    """A figure with one pair of axes for each domain, x in logarithms if it spans much, a line for each group.

    A group is drawn in the style of its first run among runs, which list the page's.
    """
    with new_figure(7.2, 3.4) as figure:
        domains = list(dict.fromkeys(domain for _, domain, _, row in points if row is not None))
        every = figure.subplots(1, max(len(domains), 1), sharey=True, squeeze=False)[0]
        groups = list(dict.fromkeys(group for group, *_ in points))
        for axes, domain in zip(every, domains, strict=False):
            for place, group in enumerate(groups):
                held = [runs.index(row["run"]) for of, _, _, row in points if of == group and row and row["run"] in runs]
                own = [
                    (x, row)
                    for of, where, x, row in points
                    if of == group and where == domain and row and row["value"] is not None
                ]
                shift = 4 * (place - (len(groups) - 1) / 2)
                _line(axes, own, group, min(held, default=place), 100 if measure.bounds else 1, shift)
            xs = [x for _, _, x, _ in points]
            logarithmic = min(xs) > 0 and max(xs) / min(xs) >= 8
            if logarithmic:
                axes.set_xscale("log", base=2)
                axes.set_xticks(sorted(set(xs)), [f"{x:g}" for x in sorted(set(xs))])
            axes.set_title(TITLES[domain], fontsize=10)
            axes.set_xlabel(plain_label(f"{name} (log scale)" if logarithmic else name))
            _plain(axes)
        every[0].set_ylabel(f"{measure.name} (%)" if measure.bounds else measure.name)
        if any(groups):
            figure.legend(*_legend(every), loc="outside right center", frameon=False)
        return figure


def _legend(every: Sequence[Any]) -> tuple[list[Any], list[str]]:
    """The lines of all axes with their labels, each label once: a run may have tasks of one domain only."""
    shown: dict[str, Any] = {}
    for axes in every:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            shown.setdefault(label, handle)
    return list(shown.values()), list(shown)


def _line(axes: Any, own: Sequence[tuple[float, Row]], label: str, number: int, scale: float = 100, shift: float = 0) -> None:
    """A line in the style of that number. shift moves it aside, in typographic points, so that no line covers another."""
    from matplotlib.transforms import ScaledTranslation

    own = sorted(own, key=lambda point: point[0])
    values = [scale * row["value"] for _, row in own]
    ends = [(row["value"] if row[end] is None else row[end]) * scale for _, row in own for end in ("low", "high")]
    below = [max(value - low, 0) for value, low in zip(values, ends[::2], strict=True)]
    above = [max(high - value, 0) for value, high in zip(values, ends[1::2], strict=True)]
    colour, (line, marker) = style_of(number)
    shown = plain_label(label) or None
    aside = {"transform": axes.transData + ScaledTranslation(shift / 72, 0, axes.figure.dpi_scale_trans)}
    axes.errorbar(
        [x for x, _ in own], values, yerr=[below, above], fmt=marker + line, color=colour, capsize=2.5, label=shown, **aside
    )
    # Lines that are moved aside do not widen the axes by themselves.
    axes.update_datalim(
        [(x, end) for (x, _), pair in zip(own, zip(ends[::2], ends[1::2], strict=True), strict=True) for end in pair]
    )
    axes.autoscale_view()


def _plain(axes: Any) -> None:
    axes.grid(axis="y", linewidth=0.5, alpha=0.4)
    axes.spines[["top", "right"]].set_visible(False)


def budget_curve(material: Material, part: Part) -> Built | None:
    """Accuracy over thinking budget, a line for each task and run; None if no run has two budgets."""
    budgets = {budget for _, budget in material.numbers.lines}
    if len(budgets) < 2:
        return None
    title = part.title or "Accuracy over thinking budget"
    about = "avg@n of each task and run at each thinking budget, in percent with 95 % intervals"
    figure = Figure("budget-curve", title, about, draw_budget_curve(material.frame))
    return Built(Section(title, part.note, (), (figure,)))


def stability_curve(material: Material, part: Part) -> Built | None:
    """G-Pass@k over tau at the largest k and budget: how fast a run's score falls as more of k samples must be right."""
    if not material.numbers.ks:
        return None
    k = material.numbers.ks[-1]
    with new_figure(7.2, 3.4) as figure:
        every = figure.subplots(1, 2, sharey=True)
        drawn = set()
        for axes, domain in zip(every, DOMAINS, strict=True):
            for number, label in enumerate(material.labels):
                budget = [of for run, of in material.numbers.lines if run == label][-1]
                rows = [material.numbers.rows.get(Key(label, MACRO, domain, budget, "g_pass@k", k, tau)) for tau in TAUS]
                own = [(tau, row) for tau, row in zip(TAUS, rows, strict=True) if row and row["value"] is not None]
                if own:
                    _line(
                        axes,
                        own,
                        f"{material.numbers.models[label]}, {budget}",
                        number,
                        shift=2 * number - len(material.labels) + 1,
                    )
                    drawn.add(label)
            axes.set_title(TITLES[domain], fontsize=10)
            axes.set_xlabel("threshold τ")
            _plain(axes)
        every[0].set_ylabel(f"G-Pass@{k} (%)")
        figure.legend(*_legend(every), loc="outside lower center", frameon=False, ncols=2)
    if not drawn:
        return None
    title = part.title or f"G-Pass@{k} over τ"
    about = f"G-Pass@{k} of both domains' means at thresholds from 0.25 to 1, a line for each run at its largest budget"
    note = (
        part.note
        or "A line that falls fast is a model that is right now and then: it can solve the questions, but not reliably."
    )
    left_out = runs_left_out(material, part.place, drawn, lambda label: f"no G-Pass@{k} can be given")
    return Built(Section(title, note, (), (Figure("stability-curve", title, about, figure),)), left_out=left_out)


def heatmap(material: Material, part: Part) -> Built | None:
    """A map of runs by tasks: the gain over the base if one is named, otherwise accuracy; the largest budget of each run."""
    numbers, gains = material.numbers, material.numbers.has_gains
    tasks = [
        (task, domain)
        for domain in DOMAINS
        for task in dict.fromkeys(t for run in material.runs for t, a in run.tasks.items() if a.domain == domain)
    ]
    metric = "gain" if gains else "avg@n"
    lines = [(label, _shown_budget(material, label, metric)) for label in material.labels]
    values = [
        [_value(numbers.rows.get(Key(label, task, domain, budget, metric))) for task, domain in tasks]
        for label, budget in lines
    ]
    kept = [place for place, row in enumerate(values) if not all(map(math.isnan, row))]
    if not kept:
        return None
    names = [f"{numbers.models[lines[place][0]]}, {lines[place][1]}" for place in kept]
    title = part.title or ("Gain by task" if gains else "Accuracy by task")
    drawing = _draw_map([values[place] for place in kept], names, [task for task, _ in tasks], gains)
    about = f"{'the gain over the base in points' if gains else 'avg@n in percent'} of each run (rows) on each task (columns)"
    shown = {lines[place][0] for place in kept} | ({material.base_label} if gains else set())  # which gains nothing on itself
    why = "no task and budget shared with the base" if gains else "no task has a number"
    left_out = runs_left_out(material, part.place, shown, lambda label: why)
    return Built(Section(title, part.note, (), (Figure("heatmap", title, about, drawing),)), left_out=left_out)


def _shown_budget(material: Material, label: str, metric: str) -> str:
    """The largest budget of the run at which any task has the metric; a gain needs a budget that the base has too."""
    own = [budget for run, budget in material.numbers.lines if run == label]
    there = {
        key.budget
        for key, row in material.numbers.rows.items()
        if (key.run, key.metric) == (label, metric) and row["value"] is not None
    }
    return next((budget for budget in reversed(own) if budget in there), own[-1])


def _value(row: Row | None) -> float:
    return math.nan if row is None or row["value"] is None else 100 * row["value"]


def _draw_map(values: Sequence[Sequence[float]], names: Sequence[str], tasks: Sequence[str], gains: bool) -> Any:
    import numpy as np

    grid = np.array(values)
    most = max(float(np.nanmax(np.abs(grid))), SMALLEST_GAIN)
    with new_figure(max(4.0, 1.2 + 0.9 * len(tasks)), max(2.2, 1.4 + 0.4 * len(names))) as figure:
        axes = figure.subplots()
        limits = (-most, most) if gains else (0, 100)
        picture = axes.imshow(grid, cmap="PuOr" if gains else "cividis", vmin=limits[0], vmax=limits[1], aspect="auto")
        axes.set_xticks(range(len(tasks)), [plain_label(task) for task in tasks], rotation=40, ha="right")
        axes.set_yticks(range(len(names)), [plain_label(name) for name in names])
        for row, line in enumerate(grid):
            for column, value in enumerate(line):
                if not math.isnan(value):
                    share = (value - limits[0]) / (limits[1] - limits[0])
                    dark = share < 0.5 if not gains else abs(share - 0.5) > 0.35
                    axes.text(
                        column,
                        row,
                        f"{value:{'+' if gains else ''}.1f}",
                        ha="center",
                        va="center",
                        color=LIGHT if dark else DARK,
                    )
        axes.spines[:].set_visible(False)
        figure.colorbar(picture, ax=axes, label="points" if gains else "percent")
        return figure
