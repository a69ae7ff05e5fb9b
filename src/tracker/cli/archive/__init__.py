"""`tracker export` and `tracker import`: events as lines of JSON in a file."""
