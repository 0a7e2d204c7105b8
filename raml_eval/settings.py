"""Settings of a run that exclude each other, which no check of one setting alone can see."""

from __future__ import annotations

from raml_eval.budgets import share_of
from raml_eval.config import RunConfig
from raml_eval.errors import ConfigError


def check_together(config: RunConfig) -> None:
    """Raises ConfigError if two settings contradict each other, or if one has no effect without another."""
    if config.thinking.min_tokens and config.thinking.extensions:
        raise ConfigError(
            f"thinking.min_tokens {config.thinking.min_tokens} and thinking.extensions {config.thinking.extensions} are both "
            f"given, and they ask for different lengths. Give one of the two."
        )
    shares = [budget for budget in config.thinking.budgets if share_of(budget) is not None]
    if config.thinking.min_tokens and shares:
        raise ConfigError(
            f"thinking budget {shares[0]} and thinking.min_tokens {config.thinking.min_tokens} are both given, and a share may "
            f"be less than the minimum. Give one of the two."
        )
    _check_lengths(config)
    if config.thinking.capped_by == "engine":
        _check_native(config)


def _check_lengths(config: RunConfig) -> None:
    """Raises ConfigError if a budget, a minimum and the total cap exclude each other, or if a setting has no effect."""
    section, total = config.thinking, config.max_total_tokens
    for budget in (budget for budget in section.budgets if isinstance(budget, int)):
        if budget < section.min_tokens:
            raise ConfigError(
                f"thinking budget {budget} is below --min-thinking-tokens {section.min_tokens}, so one of them would be "
                f"broken. Ask for a budget >= {section.min_tokens}, or for fewer."
            )
        if total is not None and budget > total:
            raise ConfigError(
                f"thinking budget {budget} exceeds --max-total-tokens {total}, which would cut it first. Ask for a budget <= "
                f"{total}, or unlimited."
            )
    default = type(section)()
    if section.grace != default.grace and section.cut == "exact":
        raise ConfigError(f"--grace {section.grace} has no effect without --cut newline. Add that, or leave it out.")
    if section.continuation != default.continuation and not (section.min_tokens or section.extensions):
        raise ConfigError(
            f"--continuation {section.continuation!r} has no effect without --extensions or --min-thinking-tokens. Add one, or "
            f"leave it out."
        )


def _check_native(config: RunConfig) -> None:
    """Raises ConfigError if the settings ask the engine for more than its own budget can do."""
    section = config.thinking
    closing = section.closing not in (None, "bare") or bool(section.closing_text)
    wrong = {
        f"backend {config.backend} has no budget of its own": config.backend != "vllm",
        "min_tokens and extensions are given": bool(section.min_tokens or section.extensions),
        "cut is newline": section.cut != "exact",
        "a closing text is given, and vLLM then misses ends that the model writes itself": closing,
        "a budget is not a number, unlimited or off": not all(
            isinstance(budget, int) or budget in ("unlimited", "off") for budget in section.budgets
        ),
        "max_total_tokens is given": config.max_total_tokens is not None,
    }
    for problem, is_wrong in wrong.items():
        if is_wrong:
            raise ConfigError(f"capped_by is engine, but {problem}. Leave it out: the harness then enforces the budgets.")
