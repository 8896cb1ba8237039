// The page where nothing was built: GraphiQL from a CDN, whose scripts the page has loaded before this one.

import { showGraphiQL } from "./graphiql.js";

const { GraphiQL, React, ReactDOM, graphqlWs } = globalThis;

await showGraphiQL({
  createElement: React.createElement,
  createRoot: ReactDOM.createRoot,
  createClient: graphqlWs.createClient,
  GraphiQL,
});
