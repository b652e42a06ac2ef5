// The REST transport: JSON over HTTP/1.1, for every client that has curl. It parses strictly, calls
// one engine verb per request and shapes the answer.

import type { Engine } from '../../engine/index.ts';
import type { Fault, RenderedFault } from '../http/faults.ts';
import { renderProblem } from '../http/problems.ts';
import type { HttpTransport } from '../http/transport.ts';
import { createReference } from './description/index.ts';
import { routes } from './routes/index.ts';
import { addRoute } from './routes/route.ts';
import { writeSentence } from './sentences.ts';

export function createRestTransport(engine: Engine): HttpTransport {
  const reference = createReference(routes);
  return {
    name: 'rest',
    renderFault,
    mount(scope) {
      for (const route of routes) addRoute(scope, route, { engine, reference });
    },
  };
}

function renderFault(fault: Fault, requestId: string): RenderedFault {
  return renderProblem(fault.error === null ? fault : { ...fault, ...writeSentence(fault.error) }, requestId);
}
