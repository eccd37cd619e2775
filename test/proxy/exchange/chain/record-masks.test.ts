/** What policies leave of the texts of records. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { RecordTexts } from '../../../../src/contract/index.js';
import { recordOfRefusal } from '../../../../src/proxy/exchange/access-record.js';
import { maskedRecord, recordMasks } from '../../../../src/proxy/exchange/chain/record-masks.js';
import type { RequestRecord } from '../../../../src/telemetry/snapshot.js';

const RECORD: RequestRecord = {
  ...recordOfRefusal('x/y', 'the cause', 400, '127.0.0.1', 'id', 1),
  url: '/a?b=1',
  decisions: [{ step: 's', use: 'u', outcome: 'pass', why: 'because' }],
};

const masked = (mask: (record: RecordTexts) => void): RequestRecord =>
  maskedRecord(RECORD, recordMasks([{ instance: {} }, { instance: { maskRecord: mask } }]));

test('without a mask, a record stays the same object', () => {
  assert.is(maskedRecord(RECORD, recordMasks([{ instance: {} }])), RECORD);
});

test('texts are edited, and nothing else', () => {
  const record = masked((texts) => {
    texts.url = '/***';
    texts.cause = null;
    texts.whys = texts.whys.map(() => '***');
  });
  const decisions = [{ step: 's', use: 'u', outcome: 'pass', why: '***' }];
  assert.equal(record, { ...RECORD, url: '/***', cause: null, decisions });
});

const BAD: readonly (readonly [what: string, mask: (record: RecordTexts) => void])[] = [
  [
    'throws',
    () => {
      throw new Error('no');
    },
  ],
  ['leaves no text', (texts) => Object.assign(texts, { url: undefined })],
  ['leaves no list', (texts) => Object.assign(texts, { whys: 'why' })],
];

for (const [what, mask] of BAD)
  test(`a mask that ${what} hides all texts`, () => {
    const decisions = [{ step: 's', use: 'u', outcome: 'pass', why: '-' }];
    assert.equal(masked(mask), { ...RECORD, url: '-', cause: null, decisions });
  });

test('a mask that leaves too few decisions hides the others', () => {
  const [decision] = masked((texts) => Object.assign(texts, { whys: [] })).decisions ?? [];
  assert.is(decision?.why, '-');
});

test('the paths of calls are masked too, and hidden if a mask fails', () => {
  const call = { name: 'a', service: 's', target: null, method: 'GET', path: '/of/secret', status: 200, error: null };
  const calls = [{ ...call, startMs: 0, durationMs: 1, bytes: 0 }];
  const decisions = [{ step: 'x', use: 'x', outcome: 'pass', why: 'secret' }];
  const record = { ...RECORD, calls, decisions };
  const mask = (texts: RecordTexts): void => {
    texts.whys = texts.whys.map((why) => why.replace('secret', '***'));
    texts.callPaths = texts.callPaths.map((path) => path.replace('secret', '***'));
  };
  const masked = maskedRecord(record, [mask]);
  assert.equal([masked.calls![0]!.path, masked.decisions![0]!.why], ['/of/***', '***']);
  const failing = (): void => {
    throw new Error('no');
  };
  assert.equal(maskedRecord(record, [failing]).calls![0]!.path, '-');
});

test.run();
