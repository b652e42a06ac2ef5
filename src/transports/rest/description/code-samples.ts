// Code samples of operations: one curl command each, made from the paths and examples described.
// They read the address from $WILLCALL and the key from $KEY.

import type { MediaType } from './answers.ts';
import type { CodeSample, Operation, Parameter } from './openapi.ts';

interface Call {
  readonly method: string;
  readonly path: string;
  readonly open: boolean;
  readonly parameters: readonly Parameter[];
  readonly requestBody?: Operation['requestBody'];
  /** What a successful answer has as its content. */
  readonly answer?: Readonly<Record<string, MediaType>> | undefined;
}

const LINE_CHARACTERS = 72;

/** A command that a shell can run; its example values have to exist, such as a topic. */
export function writeCurl(call: Call): CodeSample {
  const { method, open, requestBody } = call;
  const [type, content] = Object.entries(requestBody?.content ?? {})[0] ?? [];
  const isImplied = method === 'GET' || (method === 'POST' && type !== undefined);
  const options = [
    `"$WILLCALL${fillPath(call)}"`,
    ...(open ? [] : ['-H "Authorization: Bearer $KEY"']),
    ...(type === undefined ? [] : writeBody(type, content)),
    ...(answersMessage(call) ? ['-D headers.txt -o message'] : []),
  ];
  const source = `curl -sS ${isImplied ? '' : `-X ${method} `}${options.join(' \\\n  ')}`;
  return { lang: 'Shell', label: 'curl', source };
}

function fillPath({ path, parameters }: Call): string {
  return path.replace(/\{(\w+)\}/g, (_, name: string) => {
    const parameter = parameters.find((each) => each.in === 'path' && each.name === name);
    return String(parameter?.example ?? name);
  });
}

function writeBody(type: string, content: MediaType | undefined): string[] {
  if (type !== 'application/json') {
    return ["-H 'Content-Type: application/xml'", `--data-binary ${quote(String(content?.example ?? ''))}`];
  }
  return ["-H 'Content-Type: application/json'", `-d ${quote(formatJson(chooseExample(content)))}`];
}

/** The first example that says something. */
function chooseExample(content: MediaType | undefined): unknown {
  const values = Object.values(content?.examples ?? {}).map(({ value }) => value);
  return values.find((value) => Object.keys(value as object).length > 0) ?? {};
}

function formatJson(value: unknown): string {
  const line = JSON.stringify(value);
  return line.length <= LINE_CHARACTERS ? line : JSON.stringify(value, null, 2).replaceAll('\n', '\n  ');
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** True when the body of the answer is a message, which may be binary. */
function answersMessage({ open, answer }: Call): boolean {
  const types = Object.keys(answer ?? {});
  return !open && types.length > 0 && !types.includes('application/json');
}
