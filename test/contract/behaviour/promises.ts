// The promises of the service, stated once, and the tests that hold a transport to them.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { publishing } from './publishing.ts';
import { receiving, visibility } from './receiving.ts';
import { records } from './records.ts';
import { deadLettering, redelivery } from './redelivery.ts';
import { repeating } from './repeating.ts';
import { createScene, type Promised } from './scene.ts';
import { settling } from './settling.ts';
import type { Adapter, OpenTransport } from './transport.ts';

const chapters = {
  publishing,
  receiving,
  visibility,
  settling,
  redelivery,
  'dead letters': deadLettering,
  repeating,
  records,
};

type Chapters = typeof chapters;
export type PromiseName = { [Chapter in keyof Chapters]: keyof Chapters[Chapter] }[keyof Chapters];
export type TransportAdapter = Adapter<PromiseName>;

/** Tests every promise that the adapter does not list under `cannot`. */
export function describePromises(adapter: TransportAdapter): void {
  let transport: OpenTransport;
  let tests = 0;
  beforeAll(async () => {
    transport = await adapter.open();
  });
  afterAll(() => transport?.close());

  describe.concurrent(`over ${adapter.transport}`, () => {
    for (const [chapter, promises] of Object.entries<Record<string, Promised>>(chapters)) {
      const made = Object.entries(promises).filter(([name]) => !(name in adapter.cannot));
      describe(chapter, () => {
        for (const [name, hold] of made) {
          tests += 1;
          const title = `promise-${tests}`;
          it(name, ({ expect }) => hold(createScene(transport.client, title, expect)));
        }
      });
    }
  });

  it('gives a reason for each promise that it cannot make', () => {
    expect(Object.values<string | undefined>(adapter.cannot).filter((reason) => !reason)).toEqual([]);
  });
}
