// What graphql-codegen makes of Tether's schema and of the operations in app/: their types, and a manifest of them.
import type { CodegenConfig } from '@graphql-codegen/cli'

const config: CodegenConfig = {
  schema: '../../../schema.graphql',
  documents: 'app/*.ts',
  generates: {
    'app/__generated__/': {
      preset: 'client',
      presetConfig: { persistedDocuments: { hashAlgorithm: 'sha256' } },
      config: {
        scalars: { ID: 'string', DateTime: 'string', URL: 'string', JSON: 'unknown' },
        strictScalars: true,
        useTypeImports: true,
      },
    },
  },
  importExtension: '.ts',
}

export default config
