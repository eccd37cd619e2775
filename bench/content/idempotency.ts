/** Requests with an Idempotency-Key: new keys, and repeated ones. */
import { randomUUID } from 'node:crypto';
import { enoughFor, scriptOf, scriptOfOne } from '../auth/scripts.js';
import { gw } from '../proxy/contestants.js';
import { RACE_COLUMNS, race } from '../proxy/race.js';
import type { Scenario } from '../proxy/scenarios/scenario.js';

const PLAIN = 'gw without a policy';
const NEW = 'gw idempotency, new keys';
const REPEATED = 'gw idempotency, one key: its reply is repeated';
const POST = { method: 'POST', path: '/upload', body: 'x'.repeat(1024) };
const KEY = { 'idempotency-key': `"${randomUUID()}"` };

export const idempotency: Scenario = {
  name: 'idempotency',
  summary: 'POST of 1 KiB with and without an Idempotency-Key',
  run: (setting) => {
    const policy = { extra: '[policy.once]\nuse = "idempotency"\n', policies: ['once'] };
    const all = [gw(setting, PLAIN), gw(setting, NEW, policy), gw(setting, REPEATED, policy)];
    const rows = (): string[][] => Array.from({ length: enoughFor(setting) }, () => [`"${randomUUID()}"`]);
    const scripts: { readonly [line: string]: () => string } = {
      [PLAIN]: () => scriptOfOne(setting, 'plain', POST),
      [NEW]: () => scriptOf(setting, 'keys', { ...POST, fields: ['idempotency-key'], rows: rows() }),
      [REPEATED]: () => scriptOfOne(setting, 'key', { ...POST, fixed: KEY }),
    };
    return setting.with(all, async (entrants) => {
      // The first request with a key: others at the same time would get 409.
      // As bytes: fetch() would give a text a Content-Type, which is part of what is compared.
      const { method } = POST;
      const body = Buffer.from(POST.body);
      const repeated = entrants.find(({ contestant }) => contestant.name === REPEATED)?.running;
      if (repeated !== undefined) await fetch(repeated.url(POST.path), { method, body, headers: KEY });
      const lines = await race(setting, entrants, {
        connections: 64,
        path: '/items/1',
        script: (line) => scripts[line]?.(),
      });
      return [
        {
          scenario: 'idempotency',
          title: 'POST of 1 KiB with an Idempotency-Key',
          columns: RACE_COLUMNS,
          lead: 'cpu',
          against: [PLAIN],
          lines,
          targets: [],
          notes: ['the body is collected, and its digest compared; records and replies are in memory'],
        },
      ];
    });
  },
};
