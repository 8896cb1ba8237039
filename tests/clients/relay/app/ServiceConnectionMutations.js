// What changes the lists that are shown: `connections` are the __id of each.
import { graphql } from 'relay-runtime'

export const create = graphql`
  mutation ServiceConnectionMutationsCreateMutation($input: CreateConnectionInput!, $connections: [ID!]!) {
    createConnection(input: $input) {
      connection @prependNode(connections: $connections, edgeTypeName: "ServiceConnectionEdge") {
        id
        ...ServiceConnectionItem_connection
      }
      userErrors {
        message
        field
      }
    }
  }
`

export const remove = graphql`
  mutation ServiceConnectionMutationsDeleteMutation($input: DeleteConnectionInput!, $connections: [ID!]!) {
    deleteConnection(input: $input) {
      deletedConnectionId @deleteEdge(connections: $connections)
      userErrors {
        message
      }
    }
  }
`
