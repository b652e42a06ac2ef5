// PostgreSQL of any supported major in a container of its maker's image, where there is Docker.

import { PostgreSqlContainer } from '@testcontainers/postgresql';
import { getContainerRuntimeClient } from 'testcontainers';
import type { Server } from './server.ts';

/** Whether containers can be started here. */
export async function hasContainers(): Promise<boolean> {
  try {
    await getContainerRuntimeClient();
    return true;
  } catch {
    return false;
  }
}

/** A new server of the major; `settings` are given to it on its command line. */
export async function startContained(major: string, settings: readonly string[]): Promise<Server> {
  const container = await new PostgreSqlContainer(`postgres:${major}`)
    .withCommand(['postgres', ...settings.flatMap((setting) => ['-c', setting])])
    .start();
  return {
    version: major,
    url: container.getConnectionUri(),
    stop: async () => void (await container.stop()),
  };
}
