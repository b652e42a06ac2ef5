// The table of who may do what, held against the same thing said a second time, and names against
// scopes.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type Access,
  accessRules,
  adminAccess,
  checkAccess,
  covers,
  type Grant,
  journalScopes,
  type Names,
  type Operation,
  type Role,
  roles,
  visibleNames,
} from '../../src/domain/access.ts';
import { WillcallError } from '../../src/domain/errors.ts';
import { limits } from '../../src/domain/limits.ts';
import type { Engine } from '../../src/engine/index.ts';

/**
 * What a transport calls before it knows what the caller may do; the last two have `readLedger`.
 */
type Unruled =
  | 'authenticate'
  | 'authenticateKeyId'
  | 'deriveSecret'
  | 'admit'
  | 'checkReadiness'
  | 'findLedger'
  | 'getRecorded';
/** A verb of the engine without a rule does not compile here. */
const rules: Record<Exclude<keyof Engine, Unruled>, unknown> = accessRules;

const expected: Record<Operation, string> = {
  createTopic: 'admin',
  getTopic: 'operator auditor admin',
  listTopics: 'operator auditor admin',
  updateTopic: 'admin',
  deleteTopic: 'admin',
  publish: 'publisher admin',
  createSubscription: 'admin',
  subscribeToTopic: 'admin',
  getSubscription: 'consumer operator auditor admin',
  listSubscriptions: 'consumer operator auditor admin',
  updateSubscription: 'operator admin',
  deleteSubscription: 'admin',
  receive: 'consumer admin',
  acknowledge: 'consumer admin',
  release: 'consumer admin',
  extend: 'consumer admin',
  reject: 'consumer admin',
  listAcknowledgments: 'consumer operator auditor admin',
  listDeadLetters: 'consumer operator auditor admin',
  listUnacknowledged: 'operator auditor admin',
  queryAcknowledgments: 'operator auditor admin',
  listDeletedSubscriptions: 'operator auditor admin',
  readLedger: 'consumer operator auditor admin',
  listJournal: 'auditor admin',
  createKey: 'admin',
  getKey: 'admin',
  listKeys: 'admin',
  revokeKey: 'admin',
};
const operations = Object.keys(expected) as Operation[];

const accessWith = (...grants: Grant[]): Access => ({
  principal: 'acme',
  keyId: 'wk_1',
  grants,
  requestsPerSecond: null,
});
const may = (access: Access, operation: Operation, names: Names = {}): boolean => {
  try {
    checkAccess(access, operation, names);
    return true;
  } catch (error) {
    expect(error).toBeInstanceOf(WillcallError);
    expect((error as WillcallError).code).toBe('forbidden');
    return false;
  }
};
const here = { topic: 'payments', subscription: 'acme-erp' };

describe.each(roles)('the role %s', (role: Role) => {
  const allowed = (operation: Operation) => expected[operation].split(' ').includes(role);

  it.each(operations)('on everything, and %s', (operation) => {
    const access = accessWith({ role, topics: ['*'], subscriptions: ['*'] });
    expect(may(access, operation, here)).toBe(allowed(operation));
  });

  it.each(operations)('on these names alone, and %s', (operation) => {
    const { on } = accessRules[operation];
    const exact = accessWith({ role, topics: ['payments'], subscriptions: ['acme-erp'] });
    expect(may(exact, operation, here)).toBe(allowed(operation) && on !== 'keys');
    const prefixed = accessWith({ role, topics: ['pay*'], subscriptions: ['acme-*'] });
    expect(may(prefixed, operation, here)).toBe(allowed(operation) && on !== 'keys');
  });

  it.each(operations)('on other names, and %s', (operation) => {
    const { on } = accessRules[operation];
    const access = accessWith({ role, topics: ['payments2', 'x*'], subscriptions: ['acme', 'x*'] });
    expect(may(access, operation, here)).toBe(
      allowed(operation) && ['topics', 'subscriptions', 'journal'].includes(on),
    );
  });

  it.each(operations)('on nothing, and %s', (operation) => {
    expect(may(accessWith({ role, topics: [], subscriptions: [] }), operation, here)).toBe(false);
  });
});

describe('access', () => {
  it('has a rule for each operation, and expects no other', () => {
    expect(Object.keys(rules).sort()).toEqual([...operations].sort());
  });

  it('to keys takes an admin of every topic and every subscription', () => {
    const part = (topics: string[], subscriptions: string[]) =>
      may(accessWith({ role: 'admin', topics, subscriptions }), 'createKey');
    expect(part(['*'], ['*'])).toBe(true);
    expect(part(['*'], [])).toBe(false);
    expect(part([], ['*'])).toBe(false);
    expect(part(['a*', 'b'], ['*'])).toBe(false);
  });

  it('to entries of the journal is by the names of auditors and admins, and to those of keys by all names', () => {
    const [topics, subscriptions] = [['pay*'], ['acme-erp']];
    const nothing = { topics: [], subscriptions: [], keys: false };
    expect(journalScopes(accessWith({ role: 'operator', topics: ['*'], subscriptions: ['*'] }))).toEqual(nothing);
    for (const role of ['auditor', 'admin'] as const) {
      expect(journalScopes(accessWith({ role, topics, subscriptions }))).toEqual({
        topics,
        subscriptions,
        keys: false,
      });
      expect(journalScopes(accessWith({ role, topics: ['*'], subscriptions: ['*'] })).keys).toBe(true);
      expect(journalScopes(accessWith({ role, topics: ['*'], subscriptions: ['a*'] })).keys).toBe(false);
    }
    const twice = accessWith({ role: 'auditor', topics, subscriptions: [] }, { role: 'admin', topics, subscriptions });
    expect(journalScopes(twice)).toEqual({ topics, subscriptions, keys: false });
  });

  it('does not take the names of one kind for the other', () => {
    const access = accessWith({ role: 'admin', topics: ['a'], subscriptions: ['b'] });
    expect(may(access, 'getTopic', { topic: 'b' })).toBe(false);
    expect(may(access, 'getSubscription', { subscription: 'a' })).toBe(false);
  });

  it('to a call that names nothing is refused', () => {
    expect(may(accessWith({ role: 'admin', topics: ['*'], subscriptions: ['*'] }), 'publish')).toBe(false);
  });

  it('adds up over roles, each on its own names', () => {
    const access = accessWith(
      { role: 'publisher', topics: ['orders'], subscriptions: [] },
      { role: 'consumer', topics: [], subscriptions: ['answers'] },
    );
    expect(may(access, 'publish', { topic: 'orders' })).toBe(true);
    expect(may(access, 'receive', { subscription: 'answers' })).toBe(true);
    expect(may(access, 'publish', { topic: 'answers' })).toBe(false);
    expect(may(access, 'receive', { subscription: 'orders' })).toBe(false);
  });

  it('of the admin key is to everything', () => {
    expect(operations.filter((operation) => !may(adminAccess, operation, here))).toEqual([]);
  });
});

describe('what a list shows', () => {
  it('is what the roles that may list are for, once each', () => {
    const access = accessWith(
      { role: 'consumer', topics: [], subscriptions: ['a', 'b-*'] },
      { role: 'auditor', topics: ['t'], subscriptions: ['a', 'c'] },
      { role: 'publisher', topics: ['p'], subscriptions: [] },
    );
    expect(visibleNames(access, 'listSubscriptions')).toEqual(['a', 'b-*', 'c']);
    expect(visibleNames(access, 'listTopics')).toEqual(['t']);
    expect(visibleNames(adminAccess, 'listTopics')).toEqual(['*']);
    expect(visibleNames(accessWith(), 'listTopics')).toEqual([]);
  });
});

describe('a scope', () => {
  const nameText = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,20}$/);

  it('that is a name covers that name alone', () => {
    fc.assert(fc.property(nameText, nameText, (scope, name) => covers(scope, name) === (scope === name)));
    fc.assert(fc.property(nameText, (name) => covers(name, name)));
  });

  it('that ends in a star covers what begins so, and nothing else', () => {
    fc.assert(fc.property(nameText, nameText, (prefix, rest) => covers(`${prefix}*`, prefix + rest)));
    fc.assert(fc.property(nameText, (prefix) => covers(`${prefix}*`, prefix)));
    fc.assert(
      fc.property(
        nameText,
        nameText,
        (prefix, name) => covers(`${prefix}*`, name) === (name.slice(0, prefix.length) === prefix),
      ),
    );
  });

  it('that is a star alone covers every name', () => {
    fc.assert(fc.property(nameText, (name) => covers('*', name)));
  });

  it('that covers less opens less', () => {
    fc.assert(
      fc.property(nameText, nameText, nameText, (prefix, more, name) => {
        if (covers(`${prefix}${more}*`, name)) expect(covers(`${prefix}*`, name)).toBe(true);
      }),
    );
  });

  it.each(['', '**', '*a', 'a*b', '.a', '-*', 'a b', 'a/*', 'ä*', `a${'b'.repeat(128)}`, `${'b'.repeat(128)}*`])(
    'is not %j',
    (scope) => {
      expect(limits.scopePattern.test(scope)).toBe(false);
    },
  );

  it('may be as long as a name', () => {
    expect(limits.scopePattern.test('b'.repeat(128))).toBe(true);
    expect(limits.scopePattern.test(`${'b'.repeat(127)}*`)).toBe(true);
  });
});
