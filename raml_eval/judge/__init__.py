"""An optional second opinion of a language model on rejected answers, kept beside the rules' verdicts, never in their place."""
