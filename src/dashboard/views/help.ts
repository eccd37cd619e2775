import { type Line, span } from '../line.js';

const KEYS: readonly (readonly [heading: string, keys: readonly (readonly [key: string, what: string])[]])[] = [
  [
    'everywhere',
    [
      ['1 2 3 4 5', 'Traffic, Limits, Targets, Requests, Reloads'],
      ['t l a e o, tab', 'the same by letter; the next (shift-tab: the previous)'],
      ['up down, j k', 'select a row; by the page: pgup pgdn'],
      ['g G, home end', 'to the first, to the last row'],
      ['/', 'filter the list; enter keeps it, esc clears it'],
      ['p, space', 'hold everything still, and go on'],
      ['r', 'reload the spec now'],
      ['ctrl-l, ctrl-z', 'draw again, put to sleep'],
      ['q, ctrl-c', 'quit'],
    ],
  ],
  [
    'Traffic',
    [
      ['s, S', 'sort by the next column, reverse the order'],
      ['enter', 'all about the selected route'],
    ],
  ],
  [
    'Requests',
    [
      ['f', 'all replies, only 4xx, only 5xx, all errors'],
      ['enter', 'all of a request, and what each step decided'],
      ['left right', 'in there: the newer, the older one; J K scroll'],
      ['g, esc', 'let the tail run again, once a row was selected'],
    ],
  ],
  ['Reloads', [['J K, pgup pgdn', 'scroll the diagnostics']]],
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
