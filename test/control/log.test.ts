import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createLog, type LogOptions, silentLog, watchedLog } from '../../src/control/log.js';

function written(options: Omit<LogOptions, 'sink'>, use: (log: ReturnType<typeof createLog>) => void): string {
  let text = '';
  use(createLog({ ...options, sink: { write: (line) => (text += line) } }));
  return text;
}

test('json: one object per line, with level name and ISO time', () => {
  const text = written({ format: 'json' }, (log) => {
    log.info('one', { route: 'a', count: 2 });
    log.error('two');
    log.debug('hidden');
  });
  const lines = text.trim().split('\n');
  assert.is(lines.length, 2);
  const { time, ...first } = JSON.parse(lines[0] ?? '');
  assert.equal(first, { level: 'info', route: 'a', count: 2, message: 'one' });
  assert.ok(Math.abs(Date.parse(time) - Date.now()) < 60_000);
});

test('pretty: time, level, message and fields; blocks are indented below', () => {
  const text = written({ format: 'pretty', level: 'debug' }, (log) => {
    log.debug('start', { tookMs: 3, path: '/a b', list: [1] });
    log.write('warn', 'bad', { diagnostics: 'error: x\n  --> y\n' });
  });
  const lines = text.split('\n').map((line) => line.replace(/^\d\d:\d\d:\d\d/, 'TIME'));
  assert.equal(lines, [
    'TIME debug start tookMs=3 path="/a b" list="[1]"',
    'TIME warn  bad',
    '    error: x',
    '      --> y',
    '',
  ]);
});

test('pretty: colour is optional', () => {
  const plain = written({ format: 'pretty' }, (log) => log.error('x', { a: 1 }));
  const colored = written({ format: 'pretty', color: true }, (log) => log.error('x', { a: 1 }));
  assert.not.match(plain, '\u001b');
  assert.match(colored, '\u001b[31merror\u001b[0m');
});

test('pretty: control bytes of a message are escaped', () => {
  const text = written({ format: 'pretty' }, (log) => log.info('[products] \u001b[2Jgone\u0007'));
  assert.match(text, '[products] \\x1b[2Jgone\\x07');
});

test('a blocked log reader uses bounded memory: lines are dropped, counted and reported', () => {
  const sink = {
    text: '',
    writableLength: 0,
    write(line: string): void {
      this.text += line;
    },
  };
  const log = createLog({ format: 'pretty', sink });
  log.info('one');
  sink.writableLength = 20 * 1024 ** 2 + 1;
  log.info('two');
  log.error('three');
  sink.writableLength = 0;
  log.info('four');
  log.info('five');
  const lines = sink.text.trim().split('\n');
  assert.equal(
    lines.map((line) => line.slice(9)),
    ['info  one', 'warn  log lines dropped cause="reader too slow" dropped=2', 'info  four', 'info  five'],
  );
});

test('a watched log gives warnings and errors on, also when it writes none', () => {
  const given: unknown[] = [];
  const log = watchedLog(silentLog, { now: () => 7, monotonic: () => 0 }, (warning) => given.push(warning));
  log.debug('a');
  log.info('b');
  log.warn('c');
  log.error('d', { cause: 'e' });
  log.write('error', 'f');
  assert.equal(given, [
    { level: 'warn', message: 'c', at: 7, fields: {} },
    { level: 'error', message: 'd', at: 7, fields: { cause: 'e' } },
    { level: 'error', message: 'f', at: 7, fields: {} },
  ]);
});

test('the silent log accepts every level', () => {
  silentLog.debug('a');
  silentLog.info('a');
  silentLog.warn('a');
  silentLog.error('a');
  silentLog.write('info', 'a');
});

test.run();
