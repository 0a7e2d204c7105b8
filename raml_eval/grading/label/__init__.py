"""Labels of a closed set, such as true, false and uncertain."""
