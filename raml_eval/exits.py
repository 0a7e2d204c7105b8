"""What the exit code of a command means. docs/exit-codes.md shows the same tables, and a test compares the two."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from types import MappingProxyType


class ExitCode(IntEnum):
    """How a command ended. The codes above 128 are those that a shell gives to a process that the signal killed."""

    DONE = 0
    WORSE = 1
    UNUSABLE = 2
    INCONCLUSIVE = 3
    OWED = 4
    CRASH = 70
    INTERRUPTED = 130
    CLOSED_PIPE = 141
    TERMINATED = 143


MEANINGS: Mapping[ExitCode, str] = MappingProxyType(
    {
        ExitCode.DONE: "everything that was asked for is done",
        ExitCode.WORSE: "the comparison says worse, or the gate failed",
        ExitCode.UNUSABLE: "the input cannot be used, the runs cannot be compared, or the output cannot be written",
        ExitCode.INCONCLUSIVE: "the gate could not be decided, where that blocks",
        ExitCode.OWED: "samples or requests failed and are owed; what finished is stored",
        ExitCode.CRASH: "a bug in raml-eval; a traceback was printed",
        ExitCode.INTERRUPTED: "stopped by SIGINT, as by Ctrl-C",
        ExitCode.CLOSED_PIPE: "the reader of the output went away, as `head` does; nothing is printed",
        ExitCode.TERMINATED: "stopped by SIGTERM, as by `timeout`, `docker stop` or a scheduler",
    }
)
ALWAYS = (ExitCode.CRASH, ExitCode.INTERRUPTED, ExitCode.CLOSED_PIPE, ExitCode.TERMINATED)  # any command can end so
COMMANDS: Mapping[str, Mapping[ExitCode, str]] = MappingProxyType(
    {
        "run": {
            ExitCode.DONE: "every sample is stored; --until-decided: the gate passed; --dry-run: all loads, renders and fits",
            ExitCode.WORSE: "--until-decided: the gate failed",
            ExitCode.UNUSABLE: "a setting, task, model, server, base, gate or directory cannot be used, or the directory not "
            "written",
            ExitCode.INCONCLUSIVE: "--until-decided: the gate is inconclusive, where that blocks: all is drawn, or a cell "
            "cannot pass any more",
            ExitCode.OWED: "samples failed, or so many in a row that the run was given up; of several runs, one failed or owes "
            "samples; the same command retries them",
        },
        "watch": {
            ExitCode.DONE: "it ended by --until-step or --idle-timeout, and every checkpoint is evaluated, skipped or deleted",
            ExitCode.WORSE: "--stop-on-regression: the gate failed, for certain over all checkpoints so far",
            ExitCode.UNUSABLE: "a setting, base, gate or directory cannot be used, or the directory not written",
            ExitCode.OWED: "a checkpoint is broken or not whole at the end, or gone together with its folder, or its samples "
            "failed, or none ever came",
        },
        "merge": {
            ExitCode.DONE: "the merged run is written",
            ExitCode.UNUSABLE: "shards are missing or do not belong together, or one lacks samples without --allow-partial, or "
            "--out exists or cannot be written",
        },
        "report": {
            ExitCode.DONE: "the report is printed or written",
            ExitCode.UNUSABLE: "no such run, format or template, or samples are missing without --allow-partial",
        },
        "compare": {
            ExitCode.DONE: "neither the whole nor a single task is worse; with --gate: the gate passed",
            ExitCode.WORSE: "the whole or a single task is worse; with --gate: a blocking cell failed",
            ExitCode.UNUSABLE: "no such run or gate, or the runs, or a cell of the gate, cannot be compared",
            ExitCode.INCONCLUSIVE: "with --gate: no blocking cell failed, and one is inconclusive where that blocks",
        },
        "sweep": {
            ExitCode.DONE: "the analysis is printed or written",
            ExitCode.UNUSABLE: "no such run, fewer than two budgets in tokens, or samples are missing without --allow-partial",
        },
        "noise": {
            ExitCode.DONE: "the split is printed or written",
            ExitCode.UNUSABLE: "no such run, or runs without steps, or runs that cannot be compared",
        },
        "power": {
            ExitCode.DONE: "the plan is printed or written",
            ExitCode.UNUSABLE: "no such task, suite or run, or neither a stored run nor an assumed distribution",
        },
        "regrade": {
            ExitCode.DONE: "every sample is graded, whether or not verdicts changed",
            ExitCode.UNUSABLE: "no such run or task, another --grader-version, or no sandbox for programs",
            ExitCode.OWED: "samples could not be graded and keep their verdicts",
        },
        "audit": {
            ExitCode.DONE: "the findings are printed, however many there are",
            ExitCode.UNUSABLE: "no such run or format",
        },
        "show": {
            ExitCode.DONE: "the question is printed",
            ExitCode.UNUSABLE: "no such run, task, question, sample or budget",
        },
        "view": {
            ExitCode.DONE: "the pages are written",
            ExitCode.UNUSABLE: "no such run or task, or --out holds other files or cannot be written",
        },
        "judge": {
            ExitCode.DONE: "every reply is stored, those that could not be read too; answers that --max leaves are not owed",
            ExitCode.UNUSABLE: "no such run or task, or the endpoint refuses every request",
            ExitCode.OWED: "requests failed, or so many in a row that the judging was given up; the same command retries them",
        },
        "doctor": {
            ExitCode.DONE: "the asked run could start here; without one, vllm or hf could",
            ExitCode.UNUSABLE: "it could not, or no answer came in time; the problems are printed first",
        },
        "import": {
            ExitCode.DONE: "the run is written; samples that failed in the log are counted in it",
            ExitCode.UNUSABLE: "the log cannot be read or imported, or --out exists or cannot be written",
        },
        "export inspect": {
            ExitCode.DONE: "the logs are written",
            ExitCode.UNUSABLE: "no such run, task or budget, inspect_ai is missing, samples are missing without "
            "--allow-partial, or --out exists or cannot be written",
        },
        "export model-card": {
            ExitCode.DONE: "the results are written and read back",
            ExitCode.UNUSABLE: "no such run, metric or budget, made-up answers, or --out cannot be written",
        },
        "export every-eval-ever": {
            ExitCode.DONE: "the records are written",
            ExitCode.UNUSABLE: "no such run, made-up answers, a word that the schema lacks, or --out cannot be written",
        },
        "export hub": {
            ExitCode.DONE: "the data set is pushed, or written to --folder",
            ExitCode.UNUSABLE: "no such run, no token, the hub refuses, or it would publish something private",
        },
        "export wandb": {
            ExitCode.DONE: "the numbers are logged",
            ExitCode.UNUSABLE: "no such run, its library is missing, --together without steps, or it refuses",
        },
        "export mlflow": {
            ExitCode.DONE: "the numbers are logged",
            ExitCode.UNUSABLE: "no such run, its library is missing, --together without steps, or it refuses",
        },
        "export tensorboard": {
            ExitCode.DONE: "the numbers are written",
            ExitCode.UNUSABLE: "no such run, its library is missing, --together without steps, or a folder of --out exists",
        },
        "export trackio": {
            ExitCode.DONE: "the numbers are logged",
            ExitCode.UNUSABLE: "no such run, its library is missing, --together without steps, or it refuses",
        },
        "diagnose statistics": {
            ExitCode.DONE: "the tables and figures are written",
            ExitCode.UNUSABLE: "no such run or task, or a folder with a diagnosis under other settings",
        },
        "diagnose pseudo-gradient": {
            ExitCode.DONE: "the curve of every chosen trajectory is stored, but for those that are left out and named",
            ExitCode.UNUSABLE: "no such run, an imported one, another checkpoint or settings than the folder's, or an engine "
            "that cannot score",
            ExitCode.OWED: "trajectories failed; the same command retries them",
        },
        "diagnose token-roles": {
            ExitCode.DONE: "every chosen occurrence and ending is measured, but for those that are left out and named",
            ExitCode.UNUSABLE: "no such run, an imported one, another checkpoint or settings than the folder's, or an engine "
            "that cannot score",
            ExitCode.OWED: "requests failed; the same command retries them",
        },
        "diagnose pruning": {
            ExitCode.DONE: "every thinking has its answers by each rule, and the tables are written",
            ExitCode.UNUSABLE: "no such run, rule, task or model, a run without thinking that could be shortened, or other "
            "settings than the folder's",
            ExitCode.OWED: "answers or summaries failed, or so many in a row that the rest was given up; the same command "
            "retries them",
        },
        "diagnose landscape": {
            ExitCode.DONE: "every point of the grid and of the path is stored, and the weights are as they were",
            ExitCode.UNUSABLE: "no such run, an imported one, another checkpoint or settings than the folder's, an engine "
            "other than hf, or no question whose gold is a text",
        },
        "diagnose all": {
            ExitCode.DONE: "every diagnosis that the run allows is made, or is kept, because it was made before, of the same "
            "samples, under other settings",
            ExitCode.UNUSABLE: "no such run, or an option or a model that cannot be used: nothing is made; or a diagnosis was "
            "refused, which the last lines name: the others are made",
            ExitCode.OWED: "a diagnosis owes something; the same command retries it",
        },
        "lm-eval": {
            ExitCode.DONE: "lm-eval has printed its table",
            ExitCode.UNUSABLE: "an argument, a task or a model cannot be used",
        },
        "tasks list": {ExitCode.DONE: "the tasks are printed", ExitCode.UNUSABLE: "a --task-path cannot be used"},
        "tasks show": {ExitCode.DONE: "the task is printed", ExitCode.UNUSABLE: "no such task"},
        "tasks new": {ExitCode.DONE: "the files are written", ExitCode.UNUSABLE: "no such grader, or the folder is there"},
        "tasks preview": {ExitCode.DONE: "the questions are printed", ExitCode.UNUSABLE: "the task or the model is unusable"},
        "tasks check": {ExitCode.DONE: "no problems", ExitCode.UNUSABLE: "at least one problem, each in one line"},
        "formats list": {ExitCode.DONE: "the formats are printed"},
        "formats show": {ExitCode.DONE: "the format is printed", ExitCode.UNUSABLE: "no such format"},
        "formats detect": {
            ExitCode.DONE: "the format and its evidence are printed",
            ExitCode.UNUSABLE: "no such model, or its format cannot be told",
        },
        "leaderboard add": {
            ExitCode.DONE: "the run is entered, and the pages are rendered",
            ExitCode.UNUSABLE: "no such board or run, or the run does not fit the board",
        },
        "leaderboard check": {
            ExitCode.DONE: "no problems",
            ExitCode.UNUSABLE: "no such board or run, or at least one problem, each in one line",
        },
        "leaderboard build": {
            ExitCode.DONE: "the pages are rendered",
            ExitCode.UNUSABLE: "no such board, or an entry that `leaderboard check` refuses",
        },
    }
)
