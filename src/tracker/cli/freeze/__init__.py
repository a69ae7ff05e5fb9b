"""`tracker freeze`: freeze windows."""
