"""What Tether is about: connections, credentials, health and people. Knows no database and no GraphQL."""
