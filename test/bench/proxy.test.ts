/** Evaluation in the proxy benchmark: ratios of paired rounds, void lines, and the end of replies. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { readHttp2Report } from '../../bench/proxy/protocols/h2load.js';
import { ReplyCounter } from '../../bench/proxy/reply-counter.js';
import { roundsOf } from '../../bench/proxy/run-scenarios.js';
import {
  type Line,
  note,
  paired,
  quantile,
  type Section,
  tableOf,
  targetOfRatio,
  targetOfValue,
} from '../../bench/proxy/section.js';
import { readReport } from '../../bench/proxy/wrk-report.js';

function line(name: string, cpu: readonly number[], bad = ''): Line {
  const made: Line = { name, version: undefined, figures: {}, void: bad };
  for (const value of cpu) note(made, 'cpu', value);
  return made;
}

test('a ratio is the median of the ratios within rounds, not the ratio of medians', () => {
  const slowMachine = [10, 20, 90];
  const steady = [10, 40, 30];
  assert.is(paired(line('a', slowMachine), line('b', steady), 'cpu'), 1);
  assert.is(paired(line('a', [2, 2]), line('b', [1]), 'cpu'), undefined);
  assert.is(paired(line('a', []), line('b', []), 'cpu'), undefined);
});

test('quantiles are interpolated linearly', () => {
  assert.is(quantile([4, 1, 3, 2], 0.5), 2.5);
  assert.is(quantile([1, 2, 3, 4, 5], 0.25), 2);
  assert.is(quantile([7], 0.99), 7);
});

test('a target on a void line is missed; a target on an absent peer is omitted', () => {
  const lines = [line('gw', [1]), line('HAProxy', [1], 'Non-2xx or 3xx responses: 3')];
  const [target] = targetOfRatio(lines, 'gw', 'HAProxy', 1.2);
  assert.is(target?.met, false);
  assert.is(target?.measured, undefined);
  assert.equal(targetOfRatio(lines, 'gw', 'nginx', 1), []);
  assert.is(targetOfRatio([line('gw', [1]), line('HAProxy', [1])], 'gw', 'HAProxy', 1.2)[0]?.met, true);
  assert.is(targetOfRatio([line('gw', [3]), line('HAProxy', [1])], 'gw', 'HAProxy', 1.2)[0]?.met, false);
  assert.is(targetOfValue(line('gw', [11, 12, 40]), 'cpu', 12, 'KiB')[0]?.met, true);
  assert.is(targetOfValue(line('gw', [13]), 'cpu', 12, 'KiB')[0]?.met, false);
});

test('the report names the scenarios with fewer rounds, and no others', () => {
  const section = (scenario: string, lines: readonly Line[]): Section => ({
    scenario,
    title: scenario,
    columns: [],
    lead: 'cpu',
    against: [],
    lines,
    targets: [],
    notes: [],
  });
  const pace = { rounds: 5, fewerRounds: 3 };
  const whole = section('cached', [
    line('gw', [1, 1, 1, 1, 1]),
    line('nginx', [1, 1, 1], 'the process ended under load'),
  ]);
  assert.is(roundsOf(pace, [whole]), '5');
  assert.is(roundsOf(pace, [whole, section('bodies', [line('gw', [1, 1, 1])])]), '5 (bodies: 3)');
});

test('a void line shows its reason instead of figures', () => {
  const section: Section = {
    scenario: 'plain',
    title: 'plain',
    columns: [
      { title: 'CPU', figure: 'cpu', digits: 1, spread: true },
      { title: 'rate', figure: 'rate', digits: 0 },
    ],
    lead: 'cpu',
    against: ['nginx', 'Caddy'],
    lines: [line('gw', [4, 4, 8]), line('nginx', [2, 2, 2]), line('http-proxy', [1], 'Socket errors: timeout 9')],
    targets: [],
    notes: [],
  };
  const { columns, rows } = tableOf(section);
  assert.equal(columns, ['', 'CPU', 'rate', 'to nginx']);
  assert.equal(rows, [
    ['gw', '4.0 (4.0-6.0)', '-', '2.00x'],
    ['nginx', '2.0 (2.0-2.0)', '-', '1.00x'],
    ['http-proxy', 'VOID: Socket errors: timeout 9', '-', '-'],
  ]);
});

const REPORT = `Running 1s test @ http://127.0.0.1:8080/
  1 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.87ms  512.20us  12.03ms   91.11%
  Latency Distribution
     50%    1.70ms
     99%  850.00us
  34567 requests in 1.00s, 5.50MB read
Requests/sec:  34321.09
Transfer/sec:      5.46MB
`;

test('the report of wrk is parsed, including its errors', () => {
  assert.equal(readReport(REPORT), { requests: 34_567, bytes: 5.5 * 1024 * 1024, rate: 34_321.09, p99: 0.85, bad: '' });
  const bad = REPORT.replace('Requests/sec', '  Non-2xx or 3xx responses: 7\nRequests/sec');
  assert.is(readReport(bad).bad, 'Non-2xx or 3xx responses: 7');
  const errors = 'Socket errors: connect 0, read 3, write 0, timeout 0';
  assert.is(readReport(REPORT.replace('Requests/sec', `  ${errors}\nRequests/sec`)).bad, errors);
  assert.is(readReport(REPORT.replace('34567 requests', '0 requests')).bad, 'no reply');
  assert.throws(() => readReport('unable to connect'));
});

test('the end of a reply is found wherever its bytes are split', () => {
  const replies = [
    'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello',
    'HTTP/1.1 204 No Content\r\ncontent-length:0\r\n\r\n',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n',
    'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno',
  ];
  const statuses = [200, 204, 200, 404];
  for (let cut = 1; cut < 60; cut++) {
    const counter = new ReplyCounter();
    replies.forEach((reply, i) => {
      const bytes = Buffer.from(reply);
      const ends: number[] = [];
      for (let at = 0; at < bytes.length; at += cut) {
        if (counter.take(bytes.subarray(at, at + cut))) ends.push(Math.min(bytes.length, at + cut));
      }
      assert.equal(ends, [bytes.length], `${reply} split every ${cut} bytes`);
      assert.is(counter.status, statuses[i]);
    });
  }
});

const http2Report = (requests: string, statuses: string): string => `
finished in 1.01s, 6753.00 req/s, 1022.27KB/s
requests: ${requests}
status codes: ${statuses}
traffic: 1022.27KB (1046800) total, 613.31KB (628029) headers (space savings 43.64%), 65.95KB (67530) data
`;

test('a report of h2load is void after any reply that is not good', () => {
  const good = '9 total, 10 started, 9 done, 9 succeeded, 0 failed, 0 errored, 0 timeout';
  const report = readHttp2Report(http2Report(good, '9 2xx, 0 3xx, 0 4xx, 0 5xx'));
  assert.equal(report, { requests: 9, bytes: 67530, rate: 6753, bad: '' });
  assert.is(readHttp2Report(http2Report(good, '8 2xx, 0 3xx, 0 4xx, 1 5xx')).bad, '0 3xx, 0 4xx, 1 5xx');
  const failed = '9 total, 10 started, 9 done, 8 succeeded, 1 failed, 1 errored, 0 timeout';
  assert.is(readHttp2Report(http2Report(failed, '8 2xx, 0 3xx, 0 4xx, 0 5xx')).bad, '1 failed, 1 errored, 0 timeouts');
  assert.throws(() => readHttp2Report('no connection'), /not a report of h2load/);
});

test.run();
