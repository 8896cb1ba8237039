"""Health checks under load: keeping up with a schedule, the most that a worker does, claims and records alone."""
