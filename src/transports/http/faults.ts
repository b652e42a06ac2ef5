// Faults as every HTTP transport answers them: those of the domain, those of HTTP itself, and what
// the framework throws, read into one shape. A transport renders that shape in its own words; what
// is not a known fault is `internal`, which reveals nothing of the inside.

import { type ErrorCode, type FieldError, WillcallError } from '../../domain/errors.ts';

/** Faults of HTTP itself, which no transport without HTTP has. */
export type HttpFaultCode =
  | 'not_found'
  | 'method_not_allowed'
  | 'payload_too_large'
  | 'unsupported_media_type'
  | 'malformed_request'
  | 'malformed_body'
  | 'not_implemented'
  | 'cross_site'
  | 'headers_too_large'
  | 'request_timeout';

export type FaultCode = ErrorCode | HttpFaultCode;

/** A fault of HTTP itself; thrown by HTTP transports alone. */
export class HttpFault extends Error {
  readonly code: HttpFaultCode;
  /** What HTTP asks of an answer with this fault, such as `Allow`. */
  readonly headers: Readonly<Record<string, string>>;

  constructor(code: HttpFaultCode, message: string, headers: Readonly<Record<string, string>> = {}) {
    super(message);
    this.name = 'HttpFault';
    this.code = code;
    this.headers = headers;
  }
}

/** A fault, ready to be rendered in the error shape of a transport. */
export interface Fault {
  readonly code: FaultCode;
  /**
   * A sentence for people, without anything of the inside; null where `error` carries data alone.
   */
  readonly detail: string | null;
  /** The engine's, whose data a transport puts into its own words; null for faults of HTTP. */
  readonly error: WillcallError | null;
  readonly fields: readonly FieldError[];
  /** When the same call may succeed; null where that is unknown. */
  readonly retryAfterSeconds: number | null;
}

/** A fault in the error shape of a transport. */
export interface RenderedFault {
  readonly status: number;
  /** The content type among them. */
  readonly headers: Readonly<Record<string, string | number>>;
  readonly body: string;
}

/** The error shape of a transport. The id is the request's, for the log and for support. */
export type RenderFault = (fault: Fault, requestId: string) => RenderedFault;

/** Makes a fault without fields. */
export function createFault(code: FaultCode, detail: string): Fault {
  return { code, detail, error: null, fields: [], retryAfterSeconds: null };
}

/** Reads whatever was thrown. */
export function readFault(error: unknown): Fault {
  if (error instanceof HttpFault) return createFault(error.code, error.message);
  if (!(error instanceof WillcallError)) return readFrameworkFault(error);
  const { code, data, message, fields, retryAfterSeconds } = error;
  if (code === 'internal') return { ...createInternalFault(), retryAfterSeconds };
  return { code, detail: data === null ? message : null, error, fields, retryAfterSeconds };
}

/** A refusal that names the fields; its sentence is the first of them. */
export function refuse(fields: readonly FieldError[]): WillcallError {
  return new WillcallError('invalid_request', summarize(fields), { fields });
}

/** The first of the fields, and how many more there are. */
export function summarize(fields: readonly FieldError[]): string {
  const [first] = fields;
  const more = fields.length > 1 ? ` (${fields.length - 1} more under errors)` : '';
  return `${first?.field} ${first?.message}${more}.`;
}

function createInternalFault(): Fault {
  return createFault('internal', 'The request failed inside the service, which has logged why.');
}

function readFrameworkFault(error: unknown): Fault {
  switch ((error as { code?: unknown } | null)?.code) {
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return createFault(
        'unsupported_media_type',
        'The Content-Type header is not a media type such as application/json or text/xml; charset=utf-8.',
      );
    case 'ECONNRESET':
      return createFault('malformed_request', 'The body ended before the length that was announced.');
    case 'FST_ERR_BAD_URL':
      return createFault('invalid_request', 'The path is not valid percent-encoded UTF-8.');
    case 'FST_ERR_MAX_PARAM_LENGTH':
      return createFault('invalid_request', 'A part of the path is too long: names have at most 128 characters.');
    default:
      return createInternalFault();
  }
}
