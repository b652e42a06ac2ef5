// The wire shapes of Willcall's publish, receive and acknowledge, as JSON schemas for Fastify's own
// validator and serialiser: what the baseline and the floor share, so that neither is slower at
// HTTP than it needs to be.

const message = {
  type: 'object',
  required: ['body'],
  additionalProperties: false,
  properties: {
    body: { type: 'string' },
    body_encoding: { enum: ['utf8', 'base64'], default: 'utf8' },
    content_type: { type: 'string', maxLength: 255, default: 'application/octet-stream' },
    attributes: { type: 'object', additionalProperties: { type: 'string' } },
    ordering_key: { type: 'string', maxLength: 256 },
  },
} as const;

const receivedMessage = {
  type: 'object',
  properties: {
    id: { type: 'string' },
    sequence: { type: 'integer' },
    receipt: { type: 'string' },
    attempt: { type: 'integer' },
    body: { type: 'string' },
    body_encoding: { type: 'string' },
    content_type: { type: 'string' },
    attributes: { type: 'object', additionalProperties: { type: 'string' } },
    ordering_key: { type: 'string', nullable: true },
    published_at: { type: 'string' },
    visible_until: { type: 'string' },
  },
} as const;

const settleResult = {
  type: 'object',
  properties: {
    receipt: { type: 'string' },
    message_id: { type: 'string', nullable: true },
    outcome: { type: 'string' },
    acknowledged_at: { type: 'string', nullable: true },
  },
} as const;

export const publishSchema = {
  body: {
    type: 'object',
    required: ['messages'],
    additionalProperties: false,
    properties: { messages: { type: 'array', minItems: 1, maxItems: 1000, items: message } },
  },
  response: {
    201: {
      type: 'object',
      properties: {
        messages: {
          type: 'array',
          items: {
            type: 'object',
            properties: {
              id: { type: 'string' },
              sequence: { type: 'integer' },
              duplicate: { type: 'boolean' },
            },
          },
        },
      },
    },
  },
} as const;

export const receiveSchema = {
  body: {
    type: 'object',
    additionalProperties: false,
    properties: {
      max_messages: { type: 'integer', minimum: 1, maximum: 1000, default: 10 },
      wait_seconds: { type: 'integer', minimum: 0, maximum: 30, default: 20 },
      visibility_timeout_seconds: { type: 'integer', minimum: 1, maximum: 43_200, default: 30 },
    },
  },
  response: {
    200: { type: 'object', properties: { messages: { type: 'array', items: receivedMessage } } },
  },
} as const;

export const acknowledgeSchema = {
  body: {
    type: 'object',
    required: ['receipts'],
    additionalProperties: false,
    properties: { receipts: { type: 'array', minItems: 1, maxItems: 1000, items: { type: 'string', maxLength: 64 } } },
  },
  response: {
    200: {
      type: 'object',
      properties: { results: { type: 'array', items: settleResult }, failed: { type: 'integer' } },
    },
  },
} as const;

export interface PublishBody {
  readonly messages: readonly {
    readonly body: string;
    readonly body_encoding: 'utf8' | 'base64';
    readonly content_type: string;
    readonly attributes?: Readonly<Record<string, string>>;
    readonly ordering_key?: string;
  }[];
}

export interface ReceiveBody {
  readonly max_messages: number;
  readonly wait_seconds: number;
  readonly visibility_timeout_seconds: number;
}

export interface AcknowledgeBody {
  readonly receipts: readonly string[];
}

/** Whole requests may be this large. */
export const requestBytesMax = 16 * 1024 * 1024;
