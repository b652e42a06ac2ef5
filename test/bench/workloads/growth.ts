// How the cost of each verb grows: with the batch, the size of the bodies, the subscriptions of the
// topic and the length of the ledger, one of them varied at a time. (The backlog is in a workload
// of its own.)

import { fillLedger } from '../lab/fill.ts';
import type { Lab, RunningPeer } from '../lab/lab.ts';
import { connect } from '../load/http-queue-client.ts';
import type { Options } from '../options.ts';
import { BODY_BYTES, warmUp } from './shapes.ts';
import {
  measureVerbs,
  VERB_BATCH,
  type VerbOrder,
  type VerbPoint,
  verbFailures,
  verbSeconds,
  verbTable,
} from './verb-costs.ts';
import type { Workload, WorkloadContext, WorkloadResult } from './workload.ts';

interface Plan {
  readonly factor: string;
  readonly values: readonly number[];
  /** Makes what the point needs, and says how to measure it. */
  prepare(under: RunningPeer, value: number, name: string): Promise<VerbOrder>;
}

export interface GrowthData {
  readonly points: readonly VerbPoint[];
}

const START_SECONDS = 10;
const POINT_OVERHEAD_SECONDS = 2;
const FILLED_PER_SECOND = 40_000;
const KIB = 1024;

export const growth: Workload = {
  name: 'growth',
  summary: 'what each verb costs by itself, by batch, body size, subscriptions of the topic, and ledger size',
  isLong: false,
  canMeasure: (peer) => peer.isWillcall,
  estimateSeconds: (options, peers) => {
    const points = plansOf(options).reduce((sum, plan) => sum + plan.values.length, 0);
    const fill = options.ledgers.reduce((sum, rows) => sum + rows, 0) / FILLED_PER_SECOND;
    return peers.length * (START_SECONDS + fill + points * (verbSeconds(options) + POINT_OVERHEAD_SECONDS));
  },
  run: runGrowth,
};

function plansOf(options: Options): readonly Plan[] {
  return [
    {
      factor: 'batch',
      values: [1, 10, 100, 1000],
      prepare: async (under, batch, name) => ({ ...(await makeQueue(under, name)), batch }),
    },
    {
      factor: 'body bytes',
      values: [BODY_BYTES, 16 * KIB, 256 * KIB],
      prepare: async (under, bodyBytes, name) => ({ ...(await makeQueue(under, name)), bodyBytes }),
    },
    {
      factor: 'subscriptions',
      values: options.quick ? [1, 10] : [1, 10, 100, 1000],
      prepare: makeSubscriptions,
    },
    { factor: 'ledger', values: [0, ...options.ledgers], prepare: makeLedger },
  ];
}

async function runGrowth({ lab, options, peers, progress }: WorkloadContext): Promise<WorkloadResult> {
  const points: VerbPoint[] = [];
  for (const peer of peers) {
    const under = await lab.startPeer(peer);
    await warmUp(lab, under, options);
    for (const plan of plansOf(options)) {
      for (const value of plan.values) {
        points.push(await measurePoint(lab, options, under, plan, value));
        progress(`${plan.factor} ${value.toLocaleString('en-US')}`);
      }
    }
    await under.stop();
  }
  const factors = [...new Set(points.map((point) => point.factor))];
  return {
    tables: factors.map((factor) =>
      verbTable(
        `Growth: every verb by itself, by ${factor} (otherwise batch ${VERB_BATCH}, ${BODY_BYTES} B)`,
        points.filter((point) => point.factor === factor),
      ),
    ),
    data: { points },
    failures: verbFailures('growth', points),
  };
}

async function measurePoint(
  lab: Lab,
  options: Options,
  under: RunningPeer,
  { factor, prepare }: Plan,
  value: number,
): Promise<VerbPoint> {
  const order = await prepare(under, value, `${factor.replaceAll(' ', '-')}-${value}`);
  return { factor, value, window: await measureVerbs(lab, options, under, order) };
}

async function makeQueue(under: RunningPeer, name: string): Promise<{ topic: string; subscription: string }> {
  const client = await connectTo(under);
  await client.createQueue(name);
  client.close();
  return { topic: name, subscription: name };
}

async function makeSubscriptions(under: RunningPeer, subscriptions: number, topic: string): Promise<VerbOrder> {
  const client = await connectTo(under);
  await client.createTopic(topic, {});
  for (let index = 1; index <= subscriptions; index += 1) {
    await client.subscribe(topic, `${topic}-${index}`);
  }
  client.close();
  return { topic, subscription: `${topic}-1` };
}

async function makeLedger(under: RunningPeer, acknowledgments: number, queue: string): Promise<VerbOrder> {
  const client = await connectTo(under);
  await client.createQueue(queue);
  await client.publish(queue, 1);
  const { receipts } = await client.receive(queue, { maxMessages: 1, waitSeconds: 0 });
  await client.acknowledge(queue, receipts);
  client.close();
  if (acknowledgments > 0 && under.databaseUrl !== null) {
    await fillLedger({ databaseUrl: under.databaseUrl, subscription: queue, acknowledgments });
  }
  return { topic: queue, subscription: queue };
}

async function connectTo(under: RunningPeer) {
  const [target] = under.targets;
  if (target === undefined) {
    throw new Error('the system has no instance');
  }
  return connect({ target, bodyBytes: BODY_BYTES });
}
