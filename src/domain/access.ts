// Access rules: which role may make which call, on which names.
// The table below is the only place that says so, for every transport; a call without a row cannot
// be made. What is not granted is forbidden, in the same words whether or not what was asked for
// exists.

import { WillcallError } from './errors.ts';

export const roles = ['publisher', 'consumer', 'operator', 'auditor', 'admin'] as const;
export type Role = (typeof roles)[number];

/**
 * A role and the names it is for: each a whole name, or the beginning of names and `*`. An empty
 * list grants nothing.
 */
export interface Grant {
  readonly role: Role;
  readonly topics: readonly string[];
  readonly subscriptions: readonly string[];
}

/** The client that a record names as its author: known from its credentials, never from a body. */
export type Principal = string;

/** The caller and its rights, as established from the presented credentials. */
export interface Access {
  /** Stamped on every record. */
  readonly principal: Principal;
  /** Null for the admin key, which is not stored in the database. */
  readonly keyId: string | null;
  readonly grants: readonly Grant[];
  /** Its rate: 0 means no limit, null the instance's default. The admin key has no limit. */
  readonly requestsPerSecond: number | null;
}

/**
 * What a call acts on. A list (in the plural) contains what the caller may read; keys are only for
 * admins of everything.
 */
type Subject = 'topic' | 'subscription' | 'topics' | 'subscriptions' | 'keys' | 'journal';

interface Rule {
  readonly on: Subject;
  readonly roles: readonly Role[];
}

const readers = ['auditor', 'operator', 'admin'] as const;
const consumers = ['consumer', 'admin'] as const;

/** Every call that needs a key, with the roles that may make it. */
export const accessRules = {
  createTopic: { on: 'topic', roles: ['admin'] },
  getTopic: { on: 'topic', roles: readers },
  listTopics: { on: 'topics', roles: readers },
  updateTopic: { on: 'topic', roles: ['admin'] },
  deleteTopic: { on: 'topic', roles: ['admin'] },
  publish: { on: 'topic', roles: ['publisher', 'admin'] },

  createSubscription: { on: 'subscription', roles: ['admin'] },
  /** Checked with createSubscription, because a subscription gives access to the messages. */
  subscribeToTopic: { on: 'topic', roles: ['admin'] },
  getSubscription: { on: 'subscription', roles: ['consumer', ...readers] },
  listSubscriptions: { on: 'subscriptions', roles: ['consumer', ...readers] },
  updateSubscription: { on: 'subscription', roles: ['operator', 'admin'] },
  deleteSubscription: { on: 'subscription', roles: ['admin'] },

  receive: { on: 'subscription', roles: consumers },
  acknowledge: { on: 'subscription', roles: consumers },
  release: { on: 'subscription', roles: consumers },
  extend: { on: 'subscription', roles: consumers },
  reject: { on: 'subscription', roles: consumers },

  /** A consumer reads in full what its own client signed; see `fullRecordsOf`. */
  listAcknowledgments: { on: 'subscription', roles: ['consumer', ...readers] },
  listDeadLetters: { on: 'subscription', roles: ['consumer', ...readers] },
  listUnacknowledged: { on: 'subscription', roles: readers },
  queryAcknowledgments: { on: 'subscriptions', roles: readers },
  listDeletedSubscriptions: { on: 'subscriptions', roles: readers },
  /** By id; the call that it is checks the name once the ledger is found. */
  readLedger: { on: 'subscriptions', roles: ['consumer', ...readers] },

  /** A page holds the entries of names that the key covers (`journalScopes`). */
  listJournal: { on: 'journal', roles: ['auditor', 'admin'] },

  createKey: { on: 'keys', roles: ['admin'] },
  getKey: { on: 'keys', roles: ['admin'] },
  listKeys: { on: 'keys', roles: ['admin'] },
  revokeKey: { on: 'keys', roles: ['admin'] },
} as const satisfies Record<string, Rule>;

export type Operation = keyof typeof accessRules;
type ListOperation = 'listTopics' | 'listSubscriptions' | 'listDeletedSubscriptions' | 'queryAcknowledgments';

/** The kinds of names that a role can have: others would grant nothing. */
export const roleScopes: Readonly<Record<Role, readonly ('topics' | 'subscriptions')[]>> = {
  publisher: ['topics'],
  consumer: ['subscriptions'],
  operator: ['topics', 'subscriptions'],
  auditor: ['topics', 'subscriptions'],
  admin: ['topics', 'subscriptions'],
};

const EVERYTHING = '*';

/** The rights of the admin key: everything. */
export const adminAccess: Access = {
  principal: 'admin',
  keyId: null,
  grants: [{ role: 'admin', topics: [EVERYTHING], subscriptions: [EVERYTHING] }],
  requestsPerSecond: null,
};

/** The names in a request; a transport fills in those that it found. */
export interface Names {
  readonly topic?: string | undefined;
  readonly subscription?: string | undefined;
}

/** Returns, or throws `forbidden`. To be called before any lookup. */
export function checkAccess(access: Access, operation: Operation, names: Names = {}): void {
  if (mayDo(access, operation, names)) return;
  throw new WillcallError(
    'forbidden',
    'The key does not open this: it needs a role that allows the call, on names that include this one.',
  );
}

/** The names, as scopes, that a list may show to the caller; none when it may not list at all. */
export function visibleNames(access: Access, operation: ListOperation): readonly string[] {
  const rule: Rule = accessRules[operation];
  const kind = operation === 'listTopics' ? 'topics' : 'subscriptions';
  const scopes = access.grants.flatMap((grant) => (rule.roles.includes(grant.role) ? grant[kind] : []));
  return scopes.includes(EVERYTHING) ? [EVERYTHING] : [...new Set(scopes)];
}

/** Whose entries of the journal may be read: by scopes of names, and those of keys or not. */
export interface JournalScopes {
  readonly topics: readonly string[];
  readonly subscriptions: readonly string[];
  readonly keys: boolean;
}

/** The entries that the journal may show to the caller; none when it may not read it at all. */
export function journalScopes(access: Access): JournalScopes {
  const rule: Rule = accessRules.listJournal;
  const grants = access.grants.filter((grant) => rule.roles.includes(grant.role));
  return {
    topics: [...new Set(grants.flatMap((grant) => grant.topics))],
    subscriptions: [...new Set(grants.flatMap((grant) => grant.subscriptions))],
    keys: grants.some(opensKeys),
  };
}

/**
 * Whose records the caller may read in full: null is everybody's. A consumer reads those of its own
 * client, and of the others that they exist.
 */
export function fullRecordsOf(access: Access, operation: Operation, names: Names): Principal | null {
  const others = access.grants.filter(({ role }) => role !== 'consumer');
  return mayDo({ ...access, grants: others }, operation, names) ? null : access.principal;
}

/** Whether the scope is the name, or the beginning of it and `*`. */
export function covers(scope: string, name: string): boolean {
  return scope.endsWith('*') ? name.startsWith(scope.slice(0, -1)) : scope === name;
}

function mayDo(access: Access, operation: Operation, names: Names): boolean {
  const rule: Rule = accessRules[operation];
  for (const grant of access.grants) {
    if (rule.roles.includes(grant.role) && opens(grant, rule.on, names)) return true;
  }
  return false;
}

function opens({ topics, subscriptions }: Grant, subject: Subject, names: Names): boolean {
  switch (subject) {
    case 'topic':
      return includes(topics, names.topic);
    case 'subscription':
      return includes(subscriptions, names.subscription);
    case 'topics':
      return topics.length > 0;
    case 'subscriptions':
      return subscriptions.length > 0;
    case 'journal':
      return topics.length > 0 || subscriptions.length > 0;
    case 'keys':
      return opensKeys({ topics, subscriptions });
  }
}

/** Whoever may create keys could create one for everything. */
function opensKeys({ topics, subscriptions }: Pick<Grant, 'topics' | 'subscriptions'>): boolean {
  return topics.includes(EVERYTHING) && subscriptions.includes(EVERYTHING);
}

function includes(scopes: readonly string[], name: string | undefined): boolean {
  return name !== undefined && scopes.some((scope) => covers(scope, name));
}
