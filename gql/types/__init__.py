"""The schema's types, one noun a file. Fields of stored objects have no resolvers: documents answer them."""

from gql.types import enums as enums  # before any type that has one, so that Strawberry learns their descriptions
