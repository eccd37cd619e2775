/** aggregate over sockets: random values in every place of a call stay in their place, and arrive as they are. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { seeded } from '../support/random.js';
import { Bed, json } from './aggregate-kit.js';

let bed: Bed | undefined;

test.after.each(async () => {
  await bed?.close();
  bed = undefined;
});

const PIECES = [
  ...[
    '/',
    '..',
    '.',
    '?',
    '#',
    '&',
    '=',
    '+',
    ';',
    '\\',
    '%',
    '%2e',
    '%2F',
    '%0d%0a',
    '\r\n',
    '\0',
    '"',
    "'",
    '{',
    '}',
  ],
  ...['<', '>', ',', ' ', 'é', '😀', '\u2028', 'a', '1', 'X-Evil: 1', ':', '@', '{item}', '{calls.list.body}'],
];

function textsOf(seed: number, count: number): readonly string[] {
  const random = seeded(seed);
  const piece = (): string => PIECES[Math.floor(random() * PIECES.length)]!;
  return Array.from({ length: count }, () => Array.from({ length: 1 + Math.floor(random() * 6) }, piece).join(''));
}

/** A value that makes a dot segment, also for a service that decodes slashes: the call is not sent. */
const leads = (text: string): boolean =>
  /(?:^|[/\\]|%2f)\.{1,2}(?:[/\\;]|$)/i.test(text) || /(?:^|[/\\])\.{1,2}(?:[/\\;]|$)/.test(text);

test('random values in path, query, field, JSON and form arrive as they are, or are not sent', async () => {
  const texts = textsOf(11, 200).filter((text) => text.trim() === text);
  const calls = ['json', 'form'].map((name) => {
    const type = name === 'json' ? 'application/json' : 'application/x-www-form-urlencoded';
    const body = name === 'json' ? '{ "in": "{item}", "out": {item} }' : 'in={item}&out=1';
    return `[route.aggregate.call.${name}]
service = "b"
method = "POST"
path = "/${name}/{item}/end?first={item}"
query = { second = "{item}" }
headers = { x-value = "{item}", content-type = "${type}" }
body = '${body}'
for_each = "list"
max_items = 1000
concurrency = 16
on_failure = "omit"
`;
  });
  bed = await Bed.start(
    { a: json(texts), b: json(1) },
    `[route.aggregate]\nmerge = ["json", "form"]\n[route.aggregate.call.list]\nservice = "a"\npath = "/list"\n${calls.join('')}`,
  );
  const { body } = await bed.get();
  const sent = texts.filter((text) => !leads(text)).sort();
  for (const name of ['json', 'form']) {
    const got = bed.services['b']!.got.filter(({ url }) => url.startsWith(`/${name}/`));
    const values = got.map(({ url }) => decodeURIComponent(url.split('?')[0]!.split('/')[2]!));
    assert.equal([...values].sort(), sent, name);
    assert.is((body as Record<string, unknown[]>)[name]!.length, sent.length);
    for (const { body: text, headers, url } of got) {
      const [path = '', query = '', ...rest] = url.split('?');
      const [, , value = '', end, ...more] = path.split('/');
      const given = decodeURIComponent(value);
      assert.equal([end, more, rest], ['end', [], []], url);
      const of = (pairs: string) => [...new URLSearchParams(pairs)].map(([key, one]) => `${key}=${one}`);
      assert.equal(of(query), [`first=${given}`, `second=${given}`], url);
      assert.equal([headers['x-evil'], /[\r\n\0]/.test(String(headers['x-value']))], [undefined, false]);
      if (name === 'json') assert.equal(JSON.parse(text), { in: given, out: given });
      else assert.equal(of(text), [`in=${given}`, 'out=1']);
    }
  }
});

test.run();
