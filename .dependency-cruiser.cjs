// The arrows of the codebase: which module may import which. Breaches and cycles are errors; see
// docs/architecture.md.

const modules = (names) => `^src/(${names})`;

/** A rule that forbids files of `from` to import `to`, with the reason a developer will read. */
const forbid = (name, comment, from, to) => ({ name, comment, severity: 'error', from, to });

module.exports = {
  forbidden: [
    forbid('no-cycles', 'A cycle means that two files are one file in disguise.', {}, { circular: true }),
    forbid(
      'domain-imports-nothing',
      'The nouns and rules are pure: they know no other module and no package.',
      { path: '^src/domain/' },
      { pathNot: '^src/domain/|^(node:)?crypto$' },
    ),
    forbid(
      'store-knows-domain-only',
      'The store is the last module before PostgreSQL.',
      { path: '^src/store/' },
      { path: modules('engine|jobs|transports|cli|embedded|main|willcall|config|settings|telemetry') },
    ),
    forbid(
      'postgres-connections-know-no-noun',
      'Connections, hot calls and health serve every noun of the store and know none.',
      { path: '^src/store/postgres/' },
      { path: '^src/store/', pathNot: '^src/store/(postgres/|schema/migration-files.ts)' },
    ),
    forbid(
      'schema-knows-connections-alone',
      'Migrations run before any noun of the store can be used.',
      { path: '^src/store/schema/' },
      { path: '^src/store/', pathNot: '^src/store/(schema|postgres)/' },
    ),
    forbid(
      'packing-knows-no-statement',
      'Packing turns arrays into rows and back; which statement runs is not its business.',
      { path: '^src/store/packing/' },
      { path: '^src/store/[^/]+\\.ts$' },
    ),
    forbid(
      'embedded-stands-alone',
      'Our own PostgreSQL process is started before there is a store: it knows roles, sessions and errors alone.',
      { path: '^src/embedded/' },
      { path: '^src/', pathNot: '^src/(embedded|domain|store/(schema|postgres))/' },
    ),
    forbid(
      'engine-knows-store-and-domain',
      'The engine knows no transport, no timer library and no setting.',
      { path: '^src/engine/' },
      { path: modules('jobs|transports|cli|embedded|main|willcall|config|settings|telemetry') },
    ),
    forbid(
      'transports-go-through-the-engine',
      'Transports, jobs and commands reach PostgreSQL by the engine alone.',
      { path: modules('transports|jobs|cli') },
      { path: '^src/(store|embedded)/' },
    ),
    forbid(
      'transports-do-not-know-each-other',
      'A transport is one folder: what two of them need is an engine verb, or belongs to transports/http.',
      { path: '^src/transports/([^/]+)/' },
      { path: '^src/transports/[^/]+/', pathNot: '^src/transports/($1|http)/' },
    ),
    forbid(
      'http-knows-no-transport',
      'What all HTTP transports share must not depend on one of them.',
      { path: '^src/transports/http/' },
      { path: '^src/transports/', pathNot: '^src/transports/http/' },
    ),
    forbid(
      'secrets-know-domain-only',
      'Key files belong to the process, whatever database it uses; they are handed in.',
      { path: '^src/secrets/' },
      { path: modules('engine|store|embedded|jobs|transports|cli|main|willcall|config|settings|telemetry') },
    ),
    forbid(
      'telemetry-knows-domain-only',
      'Loggers and metrics are handed in; they reach for nothing.',
      { path: '^src/telemetry/' },
      { path: modules('engine|store|embedded|jobs|transports|cli|main|willcall|config|settings') },
    ),
    forbid(
      'client-stands-alone',
      'The client runs in other programs: it knows no module of this one, no package and no builtin of Node.',
      { path: '^src/client/' },
      { pathNot: '^src/client/' },
    ),
    forbid(
      'only-the-command-imports-the-client',
      'The service does not call itself over HTTP; the command is a client of it.',
      { path: '^src/', pathNot: '^src/(client|cli)/' },
      { path: '^src/client/' },
    ),
    forbid(
      'nothing-imports-main',
      'main.ts knows every module; no module knows main.ts.',
      { pathNot: '^(src/main.ts|test/)' },
      { path: '^src/main.ts' },
    ),
    forbid(
      'source-does-not-import-tests',
      'Tests look at the source, never the other way round.',
      { path: '^src/' },
      { path: '^(test|docs)/' },
    ),
    forbid(
      'fastify-in-transports',
      'HTTP is the business of transports.',
      { path: '^src/', pathNot: '^src/transports/' },
      { path: 'node_modules/(fastify|@fastify)' },
    ),
    forbid(
      'embedded-through-its-index',
      'What the embedded PostgreSQL is made of is its own; its index says what others may use.',
      { path: '^src/', pathNot: '^src/embedded/' },
      { path: '^src/embedded/', pathNot: '^src/embedded/index.ts$' },
    ),
    forbid(
      'sql-clients-in-the-store',
      'SQL is the business of the store, and of what starts its database.',
      { path: '^src/', pathNot: '^src/(store|embedded)/' },
      { path: 'node_modules/(pg|kysely|@types/pg)/' },
    ),
    forbid(
      'cron-in-jobs',
      'Timed upkeep lives in jobs.',
      { path: '^src/', pathNot: '^src/jobs/' },
      { path: 'node_modules/node-cron' },
    ),
    forbid(
      'zod-at-the-edge',
      'Parsing happens once, at the edge.',
      { path: '^src/', pathNot: '^src/(config.ts|settings.ts|transports/)' },
      { path: 'node_modules/zod' },
    ),
    forbid(
      'no-undeclared-packages',
      'A package that package.json does not name may vanish any day.',
      { path: '^(src|test|docs)/' },
      { dependencyTypes: ['npm-no-pkg', 'npm-unknown'] },
    ),
    forbid(
      'no-dev-packages-in-source',
      'What the service runs on is a dependency, not a dev dependency.',
      { path: '^src/' },
      { dependencyTypes: ['npm-dev'], pathNot: 'node_modules/@types/' },
    ),
    forbid('no-unresolvable', 'An import that resolves to nothing fails at start.', {}, { couldNotResolve: true }),
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    // The bench has a package.json of its own, for what it measures; what drives it is the root's.
    combinedDependencies: true,
    tsPreCompilationDeps: true,
    enhancedResolveOptions: {
      extensions: ['.ts', '.js', '.cjs', '.mjs', '.json'],
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'types', 'default'],
    },
    tsConfig: { fileName: 'tsconfig.json' },
  },
};
