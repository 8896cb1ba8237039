// Mercurius on Fastify, with its just-in-time compiler and its own loaders.

import { readFileSync } from "node:fs";

import Fastify from "fastify";
import mercurius from "mercurius";

import { connectionById, connectionCount, credentialsOf, newestConnections, organizationBySlug, repositoriesOf } from "./database.js";
import { page, scalars } from "./objects.js";

const resolvers = {
  ...scalars,
  Node: { resolveType: (object) => object.__typename },
  Query: {
    node: (_, { id }) => (id.startsWith("conn_") ? connectionById(id.slice(5)) : null),
    organization: (_, { by }) => organizationBySlug(by.slug),
  },
  Organization: {
    connections: async ({ key }, { first }) => page(key, first, await newestConnections(key, first)),
  },
  ServiceConnectionConnection: { totalCount: ({ organizationKey }) => connectionCount(organizationKey) },
};

// Nothing is asked for twice within a request, so the loaders' caches would only cost: each key would be serialized.
const loaders = {
  ServiceConnection: {
    credential: { loader: (queries) => credentialsOf(queries.map(({ obj }) => obj)), opts: { cache: false } },
    repositories: {
      loader: (queries) =>
        repositoriesOf(
          queries.map(({ obj }) => obj),
          queries.map(({ params }) => params.first),
        ),
      opts: { cache: false },
    },
  },
};

const schema = readFileSync(new URL("schema.graphql", import.meta.url), "utf8");
const server = Fastify();
server.register(mercurius, { schema, resolvers, loaders, jit: 1, graphiql: false });
await server.listen({ port: Number(process.env.PORT), host: "127.0.0.1" });
