"""Reports as files: a report.yaml says which runs, tables and figures; everything is made from stored samples alone."""
