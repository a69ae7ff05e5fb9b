"""The pages of the catalog: the list of entries, one entry, and the graph of dependencies."""
