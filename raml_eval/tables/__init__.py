"""Turns runs into one tidy frame, with a row for every number and its interval."""

from raml_eval.tables.clusters import global_clusters
from raml_eval.tables.counted import (
    Cells,
    budget_label,
    budget_order,
    count_run,
    describe_engine,
    draws_apart,
    largest_budget,
    missing_samples,
    n_planned,
    repeats_draws,
    run_labels,
    step_of,
    suites_of,
)
from raml_eval.tables.escape import EscapeRate, escape_rates
from raml_eval.tables.frame import COLUMNS, DOMAINS, MACRO, Row, Run, as_run, build_frame, frame_rows, load_run, pair_counts
from raml_eval.tables.measures import STABILITY, TAUS, Measure, parse_measure, question_values
from raml_eval.tables.redraw import redraw_variances
from raml_eval.tables.sweep import SWEEP_COLUMNS, build_sweep, has_sweep

__all__ = [
    "COLUMNS",
    "DOMAINS",
    "MACRO",
    "STABILITY",
    "SWEEP_COLUMNS",
    "TAUS",
    "Cells",
    "EscapeRate",
    "Measure",
    "Row",
    "Run",
    "as_run",
    "budget_label",
    "budget_order",
    "build_frame",
    "build_sweep",
    "count_run",
    "describe_engine",
    "draws_apart",
    "escape_rates",
    "frame_rows",
    "global_clusters",
    "has_sweep",
    "largest_budget",
    "load_run",
    "missing_samples",
    "n_planned",
    "pair_counts",
    "parse_measure",
    "question_values",
    "redraw_variances",
    "repeats_draws",
    "run_labels",
    "step_of",
    "suites_of",
]
