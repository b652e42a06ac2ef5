// What happens to an instance of the service: killed in the middle of whatever it does, frozen so
// that its leases end before it comes to, and stopped in order, as at every deployment.

import { pause } from '../lab/waiting.ts';
import type { Fault } from './fault.ts';

export const killInstance: Fault = {
  name: 'an instance is killed (SIGKILL)',
  side: 'service',
  inflict: async ({ instances }, random) => {
    const instance = random.pick(instances);
    instance.signal('SIGKILL');
    await instance.gone();
    await pause(random.whole(0, 800));
    await instance.start();
  },
};

export const killEveryInstance: Fault = {
  name: 'every instance is killed at once',
  side: 'service',
  inflict: async ({ instances }) => {
    for (const instance of instances) instance.signal('SIGKILL');
    await Promise.all(instances.map((instance) => instance.gone()));
    await Promise.all(instances.map((instance) => instance.start()));
  },
};

export const freezeInstance: Fault = {
  name: 'an instance is frozen and goes on (SIGSTOP, SIGCONT)',
  side: 'service',
  inflict: async ({ instances }, random) => {
    const instance = random.pick(instances);
    instance.signal('SIGSTOP');
    await pause(random.whole(300, 3_500));
    instance.signal('SIGCONT');
  },
};

export const restartInstance: Fault = {
  name: 'an instance is stopped in order and started again (SIGTERM)',
  side: 'service',
  inflict: async ({ instances }, random) => {
    const instance = random.pick(instances);
    instance.signal('SIGTERM');
    await instance.gone();
    await instance.start();
  },
};
