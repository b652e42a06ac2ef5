// An hour at full speed, with the sizes of every table and its indexes sampled all the while.
// Messages, deliveries and the ledger are kept for minutes and not for days, so that what is pruned
// is as much as what is written, and growth that does not end shows within the hour.

import type { RelationSize, SizeReader } from '../lab/sizes.ts';
import { openSizeReader } from '../lab/sizes.ts';
import { formatCount, formatRatio, type Table } from '../lab/table.ts';
import { connect } from '../load/http-queue-client.ts';
import type { Options } from '../options.ts';
import { BODY_BYTES, failuresOf, type LifecycleWindow, queueNames, rateOf, runLifecycles } from './shapes.ts';
import type { Workload, WorkloadContext, WorkloadResult } from './workload.ts';

export interface SoakSample {
  readonly seconds: number;
  readonly messagesPerSecond: number;
  readonly sizes: readonly RelationSize[];
}

interface Soak {
  readonly samples: readonly SoakSample[];
  readonly windows: readonly LifecycleWindow[];
}

export type SoakData = readonly Soak[];

const BATCH = 10;
/** One receive in fifty is left to expire, so that what comes back has its part in it. */
const ABANDON_EVERY = 50;
const START_SECONDS = 10;
const KEPT_SECONDS = 300;
const MIB = 1024 * 1024;
const FREE_BYTES_MIN = 4096 * MIB;
/** Smaller tables are left out of the report. */
const REPORTED_BYTES_MIN = MIB;

export const soak: Workload = {
  name: 'soak',
  summary: 'an hour of lifecycles of 10 with leases expiring: sizes of tables and indexes over time',
  isLong: true,
  canMeasure: (peer) => peer.isWillcall,
  estimateSeconds: (options, peers) => peers.length * (START_SECONDS + options.warmUpSeconds + options.soakSeconds),
  run: runSoak,
};

async function runSoak({ lab, options, peers, progress }: WorkloadContext): Promise<WorkloadResult> {
  const soaks: Soak[] = [];
  for (const peer of peers) {
    const under = await lab.startPeer(peer);
    const [target] = under.targets;
    if (target === undefined || under.databaseUrl === null) {
      throw new Error('the system has no database');
    }
    const queues = queueNames('soak');
    const client = await connect({ target, bodyBytes: BODY_BYTES });
    for (const queue of queues) {
      await client.createTopic(queue, { retention_seconds: KEPT_SECONDS, retain_acknowledged_seconds: KEPT_SECONDS });
    }
    client.close();
    const reader = await openSizeReader(under.databaseUrl);
    await reader.keepLedgerFor(KEPT_SECONDS);
    const samples: SoakSample[] = [];
    const windows = await runLifecycles(lab, under, orderOf(options, queues), async (done, window) => {
      if ((await lab.readFreeBytes()) < FREE_BYTES_MIN) {
        throw new Error(
          'the soak was ended: the disk is nearly full, so pruning does not keep up with what is written',
        );
      }
      samples.push(await takeSample(reader, done * options.soakWindowSeconds, window));
      progress(`${done * options.soakWindowSeconds} s: ${formatCount(rateOf(window))} messages/s`);
    });
    await reader.close();
    await under.stop();
    // Samples are taken beside each other; their order is that of the windows.
    soaks.push({ samples: samples.toSorted((a, b) => a.seconds - b.seconds), windows });
  }
  return {
    tables: soaks.flatMap((one) => [sizeTable(one.samples), rateTable(one.samples)]),
    data: soaks,
    failures: soaks.flatMap(({ windows }) => failuresOf('soak', windows)),
  };
}

function orderOf(options: Options, queues: readonly string[]) {
  return {
    queues,
    batch: BATCH,
    abandonEvery: ABANDON_EVERY,
    warmUpSeconds: options.warmUpSeconds,
    windowSeconds: options.soakWindowSeconds,
    windows: Math.max(1, Math.ceil(options.soakSeconds / options.soakWindowSeconds)),
  };
}

async function takeSample(reader: SizeReader, seconds: number, window: LifecycleWindow): Promise<SoakSample> {
  return { seconds, messagesPerSecond: rateOf(window), sizes: await reader.read() };
}

/** Four samples: after a quarter, a half, three quarters, and at the end. */
function quarters(samples: readonly SoakSample[]): SoakSample[] {
  const at = [0.25, 0.5, 0.75, 1].map((part) => samples[Math.max(0, Math.ceil(samples.length * part) - 1)]);
  return at.filter((sample) => sample !== undefined);
}

function sizeTable(samples: readonly SoakSample[]): Table {
  const four = quarters(samples);
  const bytesOf = (sample: SoakSample | undefined, table: string) => {
    const size = sample?.sizes.find((one) => one.table === table);
    return size === undefined ? null : size.tableBytes + size.indexBytes;
  };
  const tables = (samples.at(-1)?.sizes ?? [])
    .filter((size) => size.tableBytes + size.indexBytes >= REPORTED_BYTES_MIN)
    .map((size) => size.table);
  return {
    title: 'Soak: table with indexes, in MiB',
    columns: [
      'table',
      'end, of the middle',
      ...four.map((sample) => `${sample.seconds} s`),
      'of which indexes',
      'dead rows',
    ],
    rows: tables.map((table) => {
      const last = samples.at(-1)?.sizes.find((size) => size.table === table);
      return [
        table,
        formatRatio(bytesOf(four[3], table), bytesOf(four[1], table)),
        ...four.map((sample) => formatCount((bytesOf(sample, table) ?? 0) / MIB)),
        formatCount((last?.indexBytes ?? 0) / MIB),
        formatCount(last?.deadRows ?? null),
      ];
    }),
    notes: [`Messages, deliveries and the ledger are kept for ${KEPT_SECONDS} s; pruning runs once a minute.`],
  };
}

function rateTable(samples: readonly SoakSample[]): Table {
  return {
    title: 'Soak: messages acknowledged per second',
    columns: ['after', 'messages/s'],
    rows: quarters(samples).map((sample) => [`${sample.seconds} s`, formatCount(sample.messagesPerSecond)]),
  };
}
