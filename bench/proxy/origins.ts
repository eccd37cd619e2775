/** The origins behind the gateways: nginx for replies, a small built-in server for request bodies and long streams. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort } from '../../test/support/ports.js';
import { nginxCommand } from './peers.js';
import type { Startable } from './processes.js';
import { SIZES } from './requests.js';
import type { Setting } from './setting.js';

export const BODY =
  '{"id":1,"name":"widget","price":9.99,"tags":["a","b","c"],"description":"lorem ipsum dolor sit amet"}';

/** Starts both origins and registers them in the setting. */
export async function startOrigins(setting: Setting): Promise<void> {
  setting.origins = { files: await freePort(), streams: await freePort() };
  const { files, streams } = setting.origins;
  const cores = setting.loadCore;
  await setting.start(filesOrigin(setting), files, { cores });
  await setting.start(streamOrigin, streams, { cores });
}

function filesOrigin(setting: Setting): Startable {
  mkdirSync(join(setting.folder, 'bytes'), { recursive: true });
  for (const [name, size] of Object.entries(SIZES)) setting.write(`bytes/${name}`, Buffer.alloc(size, 'x'));
  const locations = `location /bytes/ { root ${setting.folder}; default_type application/octet-stream;
      sendfile on; tcp_nopush on; open_file_cache max=16; etag off; }
    location / { default_type application/json; return 200 '${BODY}'; }`;
  return { name: 'origin', headers: {}, command: (port) => nginxCommand(setting, 'origin', port, 1, locations) };
}

const streamOrigin: Startable = {
  name: 'stream origin',
  headers: {},
  command: (port) => [process.execPath, fileURLToPath(new URL('stream-origin.js', import.meta.url)), String(port)],
};
