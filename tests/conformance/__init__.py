"""Tether held against the GraphQL-over-HTTP specification by the audits of the npm package graphql-http."""
