"""The contract of a store, and the databases that keep it, one folder each."""
