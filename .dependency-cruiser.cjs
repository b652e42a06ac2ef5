// The arrows of the house: who may import whom. Breaches and cycles are errors; see docs/architecture.md.

const rooms = (names) => `^src/(${names})`;

/** A rule that forbids files of `from` to import `to`, with the reason a developer will read. */
const forbid = (name, comment, from, to) => ({ name, comment, severity: 'error', from, to });

module.exports = {
  forbidden: [
    forbid('no-cycles', 'A cycle means that two files are one file in disguise.', {}, { circular: true }),
    forbid(
      'domain-imports-nothing',
      'The nouns and rules are pure: they know no other room and no package.',
      { path: '^src/domain/' },
      { pathNot: '^src/domain/|^node:' },
    ),
    forbid(
      'store-knows-domain-only',
      'The store is the last room before Postgres.',
      { path: '^src/store/' },
      { path: rooms('engine|jobs|transports|cli|main|config|telemetry') },
    ),
    forbid(
      'engine-knows-store-and-domain',
      'The engine knows no door, no timer library and no setting.',
      { path: '^src/engine/' },
      { path: rooms('jobs|transports|cli|main|config|telemetry') },
    ),
    forbid(
      'doors-go-through-the-engine',
      'Doors, jobs and commands reach Postgres by the engine alone.',
      { path: rooms('transports|jobs|cli') },
      { path: '^src/store/' },
    ),
    forbid(
      'doors-do-not-know-each-other',
      'A door is one folder: what two of them need becomes an engine verb.',
      { path: '^src/transports/([^/]+)/' },
      { path: '^src/transports/[^/]+/', pathNot: '^src/transports/$1/' },
    ),
    forbid(
      'telemetry-knows-domain-only',
      'Loggers and metrics are handed in; they reach for nothing.',
      { path: '^src/telemetry/' },
      { path: rooms('engine|store|jobs|transports|cli|main|config') },
    ),
    forbid(
      'client-stands-alone',
      'The client runs in other houses: it knows no room of this one, no package and no builtin of Node.',
      { path: '^src/client/' },
      { pathNot: '^src/client/' },
    ),
    forbid(
      'nothing-imports-the-client',
      'The service does not call itself over HTTP.',
      { path: '^src/', pathNot: '^src/client/' },
      { path: '^src/client/' },
    ),
    forbid(
      'nothing-imports-main',
      'main.ts knows every room; no room knows main.ts.',
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
      'fastify-in-doors',
      'HTTP is the business of doors.',
      { path: '^src/', pathNot: '^src/transports/' },
      { path: 'node_modules/(fastify|@fastify)' },
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
      { path: '^src/', pathNot: '^src/(config.ts|transports/)' },
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
