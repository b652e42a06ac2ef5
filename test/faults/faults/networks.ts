// What happens to connections: between clients and an instance, and between an instance and the
// database. The worst of them loses only answers: what was asked is done, and nobody is told.

import type { Instance } from '../lab/instance.ts';
import type { Random } from '../lab/random.ts';
import { pause } from '../lab/waiting.ts';
import type { Manner } from '../tcp-proxy.ts';
import type { Fault } from './fault.ts';

type Link = 'clients' | 'database';

const between = { clients: 'between clients and an instance', database: 'between an instance and the database' };

/** For a while. */
function misbehave(link: Link, what: string, choose: (random: Random) => Manner, msMax: number): Fault {
  return {
    name: `${between[link]}, ${what}`,
    side: link === 'clients' ? 'service' : 'database',
    inflict: async ({ instances }, random) => {
      const proxy = proxyOf(random.pick(instances), link);
      proxy.behave(choose(random));
      await pause(random.whole(msMax / 4, msMax));
      proxy.behave({ how: 'pass' });
    },
  };
}

/** Several times. */
function cut(link: Link): Fault {
  return {
    name: `${between[link]}, connections are cut`,
    side: link === 'clients' ? 'service' : 'database',
    inflict: async ({ instances }, random) => {
      for (let times = random.whole(1, 6); times > 0; times -= 1) {
        proxyOf(random.pick(instances), link).cut({ reset: random.chance(0.5) });
        await pause(random.whole(20, 300));
      }
    },
  };
}

function proxyOf(instance: Instance, link: Link) {
  return instance[link];
}

const slow = (random: Random): Manner => ({ how: 'slow', delayMs: random.whole(20, 400) });

/** As a firewall does that was restarted: nobody is told. Long enough to be noticed. */
export const forgetConnections: Fault = {
  name: `${between.database}, connections are forgotten`,
  side: 'database',
  inflict: async ({ instances }, random) => {
    const proxy = random.pick(instances).database;
    proxy.behave({ how: 'swallow' });
    await pause(random.whole(2_500, 5_000));
    proxy.behave({ how: 'pass' });
  },
};

/** The service gives the connection up meanwhile. */
export const stallForLong: Fault = {
  name: `${between.database}, nothing moves for longer than an answer may take`,
  side: 'database',
  inflict: async ({ instances }, random) => {
    const proxy = random.pick(instances).database;
    proxy.behave({ how: 'stall' });
    await pause(random.whole(15_500, 18_000));
    proxy.behave({ how: 'pass' });
  },
};

export const networkFaults: readonly Fault[] = (['clients', 'database'] as const).flatMap((link) => [
  cut(link),
  misbehave(link, 'answers are lost', () => ({ how: 'lose answers' }), 1_200),
  misbehave(link, 'nothing moves', () => ({ how: 'stall' }), 4_000),
  misbehave(link, 'everything is late', slow, 2_500),
  misbehave(link, 'nobody gets through', () => ({ how: 'refuse' }), 1_500),
]);
