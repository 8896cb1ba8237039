// graphql-yoga with data loaders, made anew for each request, on Node's own HTTP server.

import { readFileSync } from "node:fs";
import { createServer } from "node:http";

import DataLoader from "dataloader";
import { createSchema, createYoga } from "graphql-yoga";

import { connectionById, connectionCount, credentialsOf, newestConnections, organizationBySlug, repositoriesOf } from "./database.js";
import { page, scalars } from "./objects.js";

const resolvers = {
  ...scalars,
  Node: { __resolveType: (object) => object.__typename },
  Query: {
    node: (_, { id }) => (id.startsWith("conn_") ? connectionById(id.slice(5)) : null),
    organization: (_, { by }) => organizationBySlug(by.slug),
  },
  Organization: {
    connections: async ({ key }, { first }) => page(key, first, await newestConnections(key, first)),
  },
  ServiceConnectionConnection: { totalCount: ({ organizationKey }) => connectionCount(organizationKey) },
  ServiceConnection: {
    credential: (connection, _, { credentials }) => credentials.load(connection),
    repositories: (connection, { first }, { repositories }) => repositories.load({ connection, first }),
  },
};

function loaders() {
  return {
    credentials: new DataLoader(credentialsOf),
    repositories: new DataLoader((asked) =>
      repositoriesOf(
        asked.map(({ connection }) => connection),
        asked.map(({ first }) => first),
      ),
    ),
  };
}

const typeDefs = readFileSync(new URL("schema.graphql", import.meta.url), "utf8");
const yoga = createYoga({ schema: createSchema({ typeDefs, resolvers }), context: loaders, graphiql: false, logging: "error" });
createServer(yoga).listen(Number(process.env.PORT), "127.0.0.1");
