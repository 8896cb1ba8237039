// Tells what an editor reads in .graphqlrc.yml, as JSON. Argument: the folder from which it looks for it.
// Run by test_editor_config.py.
import { loadConfig } from "graphql-config";

const config = await loadConfig({ rootDir: process.argv[2] });
const project = config.getDefault();
const schema = await project.getSchema();
const documents = await project.getDocuments();
process.stdout.write(
  JSON.stringify({
    types: Object.keys(schema.getTypeMap()).length,
    documents: documents.map((one) => one.location),
    endpoint: project.extension("endpoints").default,
  }),
);
