import { type Line, span } from '../line.js';

const KEYS: readonly (readonly [heading: string, keys: readonly (readonly [key: string, what: string])[]])[] = [
  [
    'everywhere',
    [
      ['1 2 3', 'Traffic, Limits, Targets'],
      ['4 5 6', 'Requests, Reloads, Consumers'],
      ['t l a e o c', 'the same views by letter'],
      ['tab, shift-tab', 'the next, the previous view'],
      ['up down, j k', 'select a row; pgup pgdn: by page'],
      ['g G, home end', 'to the first, to the last row'],
      ['/', 'filter the list; enter keeps it, esc clears it'],
      ['p, space', 'pause what is shown, continue'],
      ['r', 'reload the spec now'],
      ['ctrl-l, ctrl-z', 'draw again, suspend'],
      ['q, ctrl-c', 'quit'],
    ],
  ],
  [
    'Traffic',
    [
      ['s, S', 'sort by the next column, reverse the order'],
      ['enter', 'details of the selected route'],
      ['left right', 'in the details: the previous, the next route'],
    ],
  ],
  [
    'Limits',
    [
      ['s, S', 'sort by the next column, reverse the order'],
      ['enter', 'details of the selected limit or key'],
      ['USED/LIMIT', 'requests that count now, of the limit'],
      ['NEXT ALLOWED', 'when the next request will be allowed'],
      ['FULL QUOTA', 'when the whole limit is free, if no requests come'],
    ],
  ],
  [
    'Targets',
    [
      ['enter', 'details of the selected target'],
      ['FAILURE', 'since when and why it fails, or when it failed'],
      ['RETRY', 'when an ejected target gets a request again'],
    ],
  ],
  [
    'Requests',
    [
      ['f', 'all replies, only 4xx, only 5xx, all errors'],
      ['enter', "details of a request, and the policies' decisions"],
      ['left right', 'in the details: newer, older; J K scroll'],
      ['g, esc', 'follow new requests again after a selection'],
    ],
  ],
  ['Reloads', [['J K, pgup pgdn', 'scroll the diagnostics']]],
  [
    'Consumers',
    [
      ['enter', 'details of the selected consumer'],
      ['MOSTLY FOR', 'the most frequent reason of refusals'],
      ['EXPIRES', 'when its next credential expires'],
    ],
  ],
  [
    'stale data',
    [
      ['stale 7s', 'no data for 7 s: everything is dimmed'],
      ['was ready, was healthy', 'what the last data said'],
    ],
  ],
  [
    'filters',
    [
      ['orders get', 'both words, anywhere in the row'],
      ['5xx, status:429|5xx', 'by status'],
      ['route: service: consumer:', 'by field; also method: host: error: policy: key:'],
      ['!word, !route:health', 'not'],
    ],
  ],
];

export function helpLines(): Line[] {
  const out: Line[] = [];
  for (const [heading, keys] of KEYS) {
    if (out.length > 0) out.push([]);
    out.push([span(heading, 'title')]);
    for (const [key, what] of keys) out.push([span(`  ${key.padEnd(26)}`, 'key'), span(what)]);
  }
  return out;
}
