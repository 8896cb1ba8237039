// What Apollo's checks ask. Used by checks.js.
import { gql } from '@apollo/client'

export const CONNECTIONS = gql`
  query Connections($id: ID!, $first: Int!, $after: String, $search: String) {
    organization(by: { id: $id }) {
      id
      connections(first: $first, after: $after, filter: { search: $search }, orderBy: { field: NAME, direction: ASC }) {
        edges {
          node {
            id
            name
          }
        }
        pageInfo {
          hasNextPage
          endCursor
        }
      }
    }
  }
`
export const CONNECTION = gql`
  query Connection($id: ID!) {
    node(id: $id) {
      id
      ... on ServiceConnection {
        name
        health {
          status
        }
      }
    }
  }
`
export const UPDATE = gql`
  mutation Update($input: UpdateConnectionInput!) {
    updateConnection(input: $input) {
      connection {
        id
        name
      }
      userErrors {
        code
        message
        ... on VersionConflict {
          currentVersion
        }
      }
    }
  }
`
export const DELETE = gql`
  mutation Delete($input: DeleteConnectionInput!) {
    deleteConnection(input: $input) {
      deletedConnectionId
      userErrors {
        code
      }
    }
  }
`
export const EVENTS = gql`
  subscription Events($organizationId: ID!, $after: String) {
    connectionEvents(organizationId: $organizationId, after: $after) {
      id
      type
      connection {
        id
        name
      }
    }
  }
`
export const COSTLY = gql`
  query Costly {
    viewer {
      memberships(first: 100) {
        nodes {
          organization {
            connections(first: 100) {
              nodes {
                events(first: 100) {
                  totalCount
                  nodes {
                    sequence
                  }
                }
              }
            }
          }
        }
      }
    }
  }
`
