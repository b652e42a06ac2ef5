// The journal: what may be asked of it, and its entries as answers show them.

import { z } from 'zod';
import { journalActions, journalSubjects } from '../../../domain/journal.ts';
import { components } from './components.ts';
import { exampleTimes } from './examples.ts';
import { count, instant, name, strict, text, timeText } from './fields.ts';
import { after, limit } from './pages.ts';

const CURSOR_CHARACTERS_MAX = 128;

export const journalQuery = strict({
  limit,
  after: text(CURSOR_CHARACTERS_MAX).optional().describe(after),
  from: timeText.optional().describe('Only acts at this time or later.'),
  until: timeText.optional().describe('Only acts before this time.'),
  acted_by: name.optional().describe('Only acts of this client.'),
  subject: z
    .enum(journalSubjects, { error: `must be one of ${journalSubjects.join(', ')}` })
    .optional()
    .describe('Only acts on these.'),
  action: z
    .enum(journalActions, { error: `must be one of ${journalActions.join(', ')}` })
    .optional()
    .describe('Only these acts.'),
  name: name.optional().describe('Only acts on the topic or subscription of this name, or on keys of this client.'),
})
  .superRefine(({ from, until }, context) => {
    if (from === undefined || until === undefined || from <= until) return;
    context.addIssue({ code: 'custom', path: ['until'], message: 'must not be before from' });
  })
  .transform(({ acted_by: actedBy, ...query }) => ({ ...query, actedBy }));

/** Settings by their names, as answers show them elsewhere. */
const values = z.record(z.string(), z.unknown()).nullable();

/** Its fields that are read as they are. */
export const journalActs = z.object({
  entry_no: count(1).describe('Its number in the journal: 1, 2, 3 … without gaps, in the order of the acts.'),
  acted_at: instant.describe('When.'),
  acted_by: z.string().describe('Who.'),
  key_id: z.string().nullable().describe('With which key; null for the admin key.'),
  subject: z.enum(journalSubjects).describe('On what.'),
  action: z.enum(journalActions).describe('What was done.'),
  name: z.string().describe('The name of the topic or subscription; of a key, its client.'),
  id: z.string().nullable().describe('The public id, which distinguishes subjects of the same name; of a key, its id.'),
  topic: z.string().nullable().describe('The topic of a subscription.'),
});

export const journalEntry = journalActs
  .extend({
    before: values.describe('What was changed, as it was; null where it is new.'),
    after: values.describe('The same as it is since; null where it is gone.'),
  })
  .register(components, {
    id: 'JournalEntry',
    description: 'An administrative act: who did what, and when. Written with the act, and never changed.',
    examples: {},
  });

export const journalPage = z
  .object({
    entries: z.array(journalEntry).describe('In the order of the acts.'),
    next: z.string().describe('Where to read on: the `after` of the next page, and of later acts.'),
    has_more: z.boolean().describe('Whether there is a next page already.'),
  })
  .register(components, {
    id: 'JournalPage',
    description: 'A page of the journal.',
    examples: {
      'the last page': {
        entries: [
          {
            entry_no: 1,
            acted_at: exampleTimes.created,
            acted_by: 'ops',
            key_id: 'wk_019cfa8e43d6a1b2c3d4',
            subject: 'subscription',
            action: 'update',
            name: 'acme-erp',
            id: null,
            topic: 'payments',
            before: { max_attempts: 10 },
            after: { max_attempts: 5 },
          },
        ],
        next: 'am91cm5hbCAx',
        has_more: false,
      },
    },
  });
