"""An optional second opinion of a language model on rejected answers, beside the rules' verdicts and never in their place."""
