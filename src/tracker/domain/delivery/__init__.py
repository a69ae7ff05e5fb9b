"""How well software is delivered: the metrics of DORA by the methods of Four Keys, DevLake and Datadog."""
