// What keeps every connection that is shown as it is at Tether.
import { graphql } from 'relay-runtime'

export const events = graphql`
  subscription ServiceConnectionEventsSubscription($organizationId: ID!, $after: String) {
    connectionEvents(organizationId: $organizationId, after: $after) {
      type
      connection {
        ...ServiceConnectionItem_connection
      }
    }
  }
`
