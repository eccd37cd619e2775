import { type Line, span } from '../line.js';

const KEYS: readonly (readonly [heading: string, keys: readonly (readonly [key: string, what: string])[]])[] = [
  [
    'everywhere',
    [
      ['1 2 3 4 5', 'Traffic, Limits, Targets, Requests, Reloads'],
      ['t l a e o, tab', 'the same by letter; the next view (shift-tab: the previous)'],
      ['up down, j k', 'select a row; by the page: pgup pgdn'],
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
      ['enter', 'all about the selected route'],
      ['left right', 'in there: the previous, the next route'],
    ],
  ],
  [
    'Limits',
    [
      ['s, S', 'sort the keys by the next column, reverse the order'],
      ['enter', 'all about the selected limit or key'],
      ['USED/LIMIT', 'requests that count now, of those that are allowed'],
      ['NEXT ALLOWED', 'when the next request will be allowed'],
      ['FULL QUOTA', 'when all of the limit will be available, without further requests'],
    ],
  ],
  [
    'Targets',
    [
      ['enter', 'all about the selected target'],
      ['FAILURE', 'since when it fails and why, or when it failed last'],
      ['RETRY', 'when an ejected target gets a request again'],
    ],
  ],
  [
    'Requests',
    [
      ['f', 'all replies, only 4xx, only 5xx, all errors'],
      ['enter', 'all about a request, and what each policy decided'],
      ['left right', 'in there: the newer, the older one; J K scroll'],
      ['g, esc', 'show new requests again after a row was selected'],
    ],
  ],
  ['Reloads', [['J K, pgup pgdn', 'scroll the diagnostics']]],
  [
    'stale data',
    [
      ['stale 7s', 'no data has come for 7 s: everything is dimmed'],
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
