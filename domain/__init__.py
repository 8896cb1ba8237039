"""What Tether is about: connections, credentials, health and the people who keep them. Knows no database and no GraphQL."""
