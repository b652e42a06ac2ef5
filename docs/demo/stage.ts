// What every chapter of the story needs: who speaks to the service, what is published, and how to
// prove a claim.

import { type ChildProcess, spawn } from 'node:child_process';
import path from 'node:path';
import { type Api, createApi } from './api.ts';
import { createProve, type Prove } from './proof.ts';
import { readSamples, type Sample } from './samples.ts';
import type { Screen } from './screen.ts';
import type { Service } from './service.ts';
import type { News, VendorSettings } from './vendor.ts';

export const topic = 'payments';
/** The holders of keys, as the ledger names them. */
export type Client = 'bank' | 'acme' | 'nordwind';
export const acmeErp = 'acme-erp';
export const nordwindTreasury = 'nordwind-treasury';

export interface Vendor {
  readonly process: ChildProcess;
  /** What it told, in order; ends with the process. */
  readonly news: AsyncGenerator<News, void>;
  /** Resolves to the exit code, or to the signal that ended it. */
  readonly ended: Promise<number | NodeJS.Signals | null>;
}

export interface Stage {
  readonly screen: Screen;
  readonly prove: Prove;
  readonly operator: Api;
  readonly bank: Api;
  readonly acme: Api;
  readonly nordwind: Api;
  /** The key of each client, once the story has created it. */
  readonly keys: Map<Client, string>;
  readonly samples: Awaited<ReturnType<typeof readSamples>>;
  /** What was published under which message id. */
  readonly published: Map<string, Sample>;
  /** Starts nordwind's back end as a process of its own. */
  startVendor(task: string): Vendor;
  /** Ends whatever vendor still runs. */
  clear(): void;
}

export async function createStage(service: Service, screen: Screen): Promise<Stage> {
  const { baseUrl } = service;
  const keys = new Map<Client, string>();
  const keyOf = (client: Client) => keys.get(client) ?? '';
  const running = new Set<ChildProcess>();
  return {
    screen,
    prove: createProve(screen),
    operator: createApi({ baseUrl, key: () => service.key, who: 'operator', screen }),
    bank: createApi({ baseUrl, key: () => keyOf('bank'), who: 'the bank', screen }),
    acme: createApi({ baseUrl, key: () => keyOf('acme'), who: acmeErp, screen }),
    nordwind: createApi({ baseUrl, key: () => keyOf('nordwind'), who: nordwindTreasury, screen }),
    keys,
    samples: await readSamples(),
    published: new Map(),
    startVendor(task) {
      const settings: VendorSettings = {
        VENDOR_URL: service.baseUrl,
        VENDOR_KEY: keyOf('nordwind'),
        VENDOR_SUBSCRIPTION: nordwindTreasury,
        VENDOR_TASK: task,
      };
      const child = spawn(process.execPath, [path.join(import.meta.dirname, 'vendor.ts')], {
        env: { ...process.env, ...settings },
        stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      });
      running.add(child);
      child.once('exit', () => running.delete(child));
      return observe(child);
    },
    clear() {
      for (const child of running) child.kill('SIGKILL');
    },
  };
}

function observe(child: ChildProcess): Vendor {
  const received: News[] = [];
  let wake = () => {};
  let over = false;
  child.on('message', (message) => {
    received.push(message as News);
    wake();
  });
  const ended = new Promise<number | NodeJS.Signals | null>((resolve) => {
    // `close`, not `exit`: by then everything that it said has arrived.
    child.once('close', (code, signal) => {
      over = true;
      wake();
      resolve(signal ?? code);
    });
  });
  async function* listen(): AsyncGenerator<News, void> {
    for (;;) {
      const next = received.shift();
      if (next !== undefined) yield next;
      else if (over) return;
      else
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
    }
  }
  return { process: child, news: listen(), ended };
}
