"""Answers in double square brackets, as KOR-Bench asks for them."""
