"""`raml-eval diagnose token-roles`: what single words, ends of lines and ends of thinking do to the gold's likelihood."""
