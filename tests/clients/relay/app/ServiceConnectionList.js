// An organization's connections, page by page: what usePaginationFragment takes.
import { graphql } from 'relay-runtime'

export const query = graphql`
  query ServiceConnectionListQuery($slug: String!, $filter: ServiceConnectionFilter) {
    organization(by: { slug: $slug }) {
      ...ServiceConnectionList_organization @arguments(filter: $filter)
    }
  }
`

export const fragment = graphql`
  fragment ServiceConnectionList_organization on Organization
  @argumentDefinitions(
    first: { type: "Int", defaultValue: 2 }
    after: { type: "String" }
    filter: { type: "ServiceConnectionFilter" }
  )
  @refetchable(queryName: "ServiceConnectionListPageQuery") {
    connections(first: $first, after: $after, filter: $filter, orderBy: { field: NAME, direction: ASC })
      @connection(key: "ServiceConnectionList_connections", filters: ["filter"]) {
      __id
      totalCount
      edges {
        node {
          id
          ...ServiceConnectionItem_connection
        }
      }
    }
  }
`
