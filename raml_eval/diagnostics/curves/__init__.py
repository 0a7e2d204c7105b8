"""`raml-eval diagnose pseudo-gradient`: how the negative log-likelihood of the gold answer moves along a thinking."""
