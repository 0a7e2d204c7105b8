"""Rebuilds the rendered example of every report in reports/: python scripts/build_reports.py. The runs are of the pocket model.

The checkpoints of the examples are pocket with noise added to its weights, and what is told of their training is made up, which
every page says. The runs are kept in the folder of --runs, so that a second build only renders. It takes some ten minutes on
two cores.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
from pathlib import Path

import raml_eval
from raml_eval.drawing import save_figure
from raml_eval.reporting.reports.assemble import Assembled, assemble
from raml_eval.reporting.reports.definition import find_report, report_names, reports_dir
from raml_eval.reporting.reports.files import figures_of, text_of
from raml_eval.tables import load_run

EXAMPLE = (
    "An example of this report, from the pocket model: the checkpoints are pocket with noise added to its weights, and what is "
    "told of their training is made up. Nothing here says anything about SFT or RL."
)
# name -> the noise as a share of each tensor's standard deviation, and the made-up record
CHECKPOINTS: dict[str, tuple[float, dict[str, object]]] = {
    "base": (0.12, {"paradigm": "base", "step": 0}),
    "sft-1": (0.08, {"base": "base", "paradigm": "sft", "step": 100, "trajectories_per_question": 1, "data_size": 1000}),
    "sft-4": (0.05, {"base": "base", "paradigm": "sft", "step": 200, "trajectories_per_question": 4, "data_size": 4000}),
    "rl-4": (0.06, {"base": "base", "paradigm": "rl", "step": 100, "trajectories_per_question": 4, "data_size": 2000}),
    "rl-16": (0.0, {"base": "base", "paradigm": "rl", "step": 200, "trajectories_per_question": 16, "data_size": 8000}),
}


def make_checkpoint(folder: Path, noise: float, record: dict[str, object]) -> None:
    """The folder holds the pocket checkpoint with the noise, seeded, and its record."""
    import torch
    from safetensors.torch import load_file, save_file

    pocket = Path(raml_eval.__file__).parent / "pocket"
    shutil.copytree(pocket, folder, dirs_exist_ok=True)
    generator = torch.Generator().manual_seed(0)
    weights = {
        name: tensor + noise * tensor.std() * torch.randn(tensor.shape, generator=generator)
        for name, tensor in sorted(load_file(pocket / "model.safetensors").items())
    }
    save_file({name: tensor.contiguous() for name, tensor in weights.items()}, folder / "model.safetensors")
    (folder / "checkpoint.yaml").write_text("".join(f"{key}: {json.dumps(value)}\n" for key, value in record.items()))


def draw(runs: Path) -> list[Path]:
    """The run of each checkpoint is complete."""
    made = []
    for name, (noise, record) in CHECKPOINTS.items():
        checkpoint, out = runs / "checkpoints" / name, runs / name
        if not checkpoint.exists():
            make_checkpoint(checkpoint, noise, record)
        # In that folder, because a page names the model as the run was given it, and no path of this machine belongs there.
        command = [sys.executable, "-m", "raml_eval", "run", "pocket", "--model", f"checkpoints/{name}", "--out", name]
        command += ["--thinking-budget", "off,0,16,32,64,unlimited"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=runs)
        made.append(out)
    # The last one alone, because each section of a diagnosis has some figures.
    pruning = ["pruning", "--by", "no-reflections", "--by", "no-repeats", "--by", "share:0.5"]
    for words in (["pseudo-gradient"], ["token-roles"], pruning, ["landscape", "--plane", "thinking"]):
        diagnose = [sys.executable, "-m", "raml_eval", "diagnose", words[0], name, *words[1:], "--quiet"]
        subprocess.run(diagnose, check=True, stdout=subprocess.DEVNULL, cwd=runs)
    return made


def write_example(made: Assembled, folder: Path) -> None:
    """README.md with its figures, and index.html."""
    for old in folder.glob("figures/*"):
        old.unlink()
    (folder / "README.md").write_text(text_of(made, "markdown", "figures"), encoding="utf-8")
    (folder / "index.html").write_text(text_of(made, "html"), encoding="utf-8")
    for figure in figures_of(made):
        save_figure(figure.drawing, folder / "figures" / f"{figure.name}.svg")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=Path, default=Path("runs/report-examples"), help="where the runs are kept")
    arguments = parser.parse_args()
    loaded = [load_run(path) for path in draw(arguments.runs)]
    for name in report_names():
        _, definition = find_report(name)
        folder = reports_dir()
        assert folder is not None
        write_example(assemble(definition, loaded, base=loaded[0], example=EXAMPLE), folder / name)
        print(folder / name)


if __name__ == "__main__":
    main()
