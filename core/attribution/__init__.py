"""Which training stage made it say that: effects of stages, live and as studies, their noise, first-order estimates."""
