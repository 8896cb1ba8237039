// One connection: what useRefetchableFragment takes, and asks for again by its id.
import { graphql } from 'relay-runtime'

export const fragment = graphql`
  fragment ServiceConnectionItem_connection on ServiceConnection @refetchable(queryName: "ServiceConnectionItemRefetchQuery") {
    name
    status
    externalAccount {
      id
      name
    }
    health {
      status
      checkedAt
    }
  }
`
