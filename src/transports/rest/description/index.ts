// The description of this API, for programs and for people; made once, with the transport.

import type { Reference, Route } from '../routes/route.ts';
import { createDocument } from './document.ts';
import { guides } from './guides.ts';
import { pageSecurityPolicy, renderPage } from './page.ts';

export function createReference(routes: readonly Route[]): Reference {
  const document = createDocument(routes);
  return {
    json: JSON.stringify(document),
    html: renderPage(document, guides),
    contentSecurityPolicy: pageSecurityPolicy,
  };
}
