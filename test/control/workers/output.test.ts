import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type LineStream, RecordMerger, StdoutAccessLog } from '../../../src/control/workers/output.js';
import type { RequestRecord } from '../../../src/telemetry/snapshot.js';
import { requestRecord } from '../../support/records.js';
import { KeptLog, until } from '../kit.js';

class Stream implements LineStream {
  writable = true;
  writableLength = 0;
  text = '';
  readonly listeners = new Set<(error: Error) => void>();
  write(lines: Uint8Array): boolean {
    this.text += Buffer.from(lines).toString();
    return true;
  }
  on(_event: 'error', listener: (error: Error) => void): void {
    this.listeners.add(listener);
  }
  off(_event: 'error', listener: (error: Error) => void): void {
    this.listeners.delete(listener);
  }
}

test('lines are written while the reader keeps up, then dropped, counted and reported', () => {
  const stream = new Stream();
  const log = new KeptLog();
  const lines = new StdoutAccessLog(stream, log);
  lines.write(Buffer.from('a\nb\n'), 2);
  stream.writableLength = 16 * 1024 ** 2 + 1;
  lines.write(Buffer.from('c\nd\n'), 2);
  lines.write(Buffer.from('e\n'), 1);
  stream.writableLength = 0;
  lines.write(Buffer.from('f\n'), 1);
  lines.write(Buffer.from('g\n'), 1);
  assert.is(stream.text, 'a\nb\nf\ng\n');
  assert.equal(
    log.lines.map(({ level, message, fields }) => [level, message, fields['cause'], fields['dropped']]),
    [
      ['warn', 'cannot write the access log', 'reader too slow', 2],
      ['info', 'access log recovered', undefined, 3],
    ],
  );
});

test('a closed reader does not end the gateway; later lines are counted as dropped', () => {
  const stream = new Stream();
  const log = new KeptLog();
  const lines = new StdoutAccessLog(stream, log);
  lines.write(Buffer.from('a\n'), 1);
  assert.is(stream.listeners.size, 1);
  stream.writable = false;
  for (const listener of stream.listeners) listener(Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }));
  lines.write(Buffer.from('b\nc\n'), 2);
  assert.is(stream.text, 'a\n');
  assert.is(log.find(/^cannot write the access log$/)?.fields['cause'], 'reader closed the pipe');
  assert.is(log.count(/access log/), 1);
  lines.close();
  assert.is(stream.listeners.size, 0);
});

const record = (id: string, at: number, durationMs: number): RequestRecord => requestRecord({ id, at, durationMs });

test('records of several workers are merged by completion time', async () => {
  const batches: { ids: string[]; dropped: number }[] = [];
  const order = new RecordMerger((records, dropped) => batches.push({ ids: records.map(({ id }) => id), dropped }));
  order.add([record('c', 100, 50), record('d', 190, 1)], 2);
  order.add([record('a', 10, 20), record('b', 20, 100)], 3);
  await until(() => batches.length > 0, 'a batch');
  assert.equal(batches, [{ ids: ['a', 'b', 'c', 'd'], dropped: 5 }]);
  order.flush();
  assert.is(batches.length, 1, 'nothing more to say');
});

test.run();
