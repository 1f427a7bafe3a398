"""The report on a model pair: four findings with figures, controls, verdicts; HTML and Markdown."""
