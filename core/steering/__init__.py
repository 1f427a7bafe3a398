"""Recipe + directions -> interventions on the residual stream, and readings along a direction."""
