// What an answer under way holds is let go of once, however the answer ends.

import type { FastifyReply } from 'fastify';
import { describe, expect, it } from 'vitest';
import { OpenAnswer } from '../../../src/transports/http/open-answers.ts';

function openHolding() {
  const answer = new OpenAnswer({} as FastifyReply);
  const state = { released: 0 };
  const release = (): void => {
    state.released += 1;
  };
  const held = { take: () => {}, add: () => {}, release };
  return { answer, held, state };
}

describe('what an answer holds', () => {
  it.each(['written', 'lost'] as const)('is let go of when it is %s, and not before', (end) => {
    const { answer, held, state } = openHolding();
    answer.hold(held);
    expect(state.released).toBe(0);
    answer.end(end);
    expect(state.released).toBe(1);
  });

  it.each(['written', 'lost'] as const)('is let go of at once when it is %s already', (end) => {
    const { answer, held, state } = openHolding();
    answer.end(end);
    answer.hold(held);
    expect(state.released).toBe(1);
  });
});
