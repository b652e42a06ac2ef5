// Its own application, on loopback and without its request log, which would cost it a line per
// call.

import { importInstalled } from '../installed.ts';

interface App {
  listen(options: { host: string; port: number }): Promise<string>;
  close(): Promise<void>;
}

interface Fauxqs {
  buildApp(options: { logger: boolean; host: string }): App;
}

const { buildApp } = await importInstalled<Fauxqs>('fauxqs');
const app = buildApp({ logger: false, host: '127.0.0.1' });
process.once('SIGTERM', () => {
  void app.close().then(() => process.exit(0));
});
process.stdout.write(`listening on ${await app.listen({ host: '127.0.0.1', port: 0 })}\n`);
