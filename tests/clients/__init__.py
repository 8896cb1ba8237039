"""Real GraphQL clients, as their users write them, against a running Tether."""
