// Embedded PostgreSQL: a server of the service's own, for those who bring none, and its backup.

export { type Backup, type BackupOptions, backUpEmbeddedPostgres } from './backup.ts';
export { EmbeddedPostgresError } from './command.ts';
export { type EmbeddedPostgres, type EmbeddedPostgresOptions, startEmbeddedPostgres } from './server.ts';
