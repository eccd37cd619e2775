/** Origins of the protocols that the usual ones do not speak; they end with the scenario. */
import { fileURLToPath } from 'node:url';
import { freePort } from '../../../test/support/ports.js';
import type { Startable } from '../processes.js';
import type { Setting } from '../setting.js';

/** The method that the requests of gRPC call. */
export const UNARY = '/bench.Echo/Unary';
/** A gRPC message of ten bytes: not compressed, length, payload. */
export const MESSAGE = Buffer.concat([Buffer.from([0, 0, 0, 0, 10]), Buffer.from('0123456789')]);

/** HTTP/2 without TLS: the small reply, and that of a unary gRPC call. Returns its port. */
export const startHttp2Origin = (setting: Setting): Promise<number> =>
  startOne(setting, 'http2-origin', { speaks: 'h2c' });

/** The origin that sends messages of WebSockets back. Returns its port. */
export const startEchoOrigin = (setting: Setting): Promise<number> => startOne(setting, 'echo-origin', {});

async function startOne(setting: Setting, script: string, speaks: Pick<Startable, 'speaks'>): Promise<number> {
  const port = await freePort();
  const path = fileURLToPath(new URL(`${script}.js`, import.meta.url));
  const command = [process.execPath, path, String(port)];
  await setting.start({ name: script, headers: {}, ...speaks, command: () => command }, port, {
    cores: setting.loadCore,
  });
  return port;
}
