import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { TicketKeys } from '../../src/state/ticket-keys.js';

test('the secrets of the present epoch and of the one before are known, and no others', () => {
  const memory = TicketKeys.allocate();
  const [writer, reader] = [new TicketKeys(memory), new TicketKeys(memory)];
  const first = reader.epoch;
  assert.is(reader.secret(first)?.length, 32);
  assert.equal([reader.secret(first - 1), reader.secret(first + 1)], [undefined, undefined]);
  const secrets = new Map([[first, reader.secret(first)!.toString('hex')]]);
  for (let i = 1; i <= 7; i++) {
    writer.rotate();
    const { epoch } = reader;
    assert.is(epoch, first + i);
    secrets.set(epoch, reader.secret(epoch)!.toString('hex'));
    assert.is(reader.secret(epoch - 1)!.toString('hex'), secrets.get(epoch - 1));
    assert.is(reader.secret(epoch - 2), undefined);
  }
  assert.is(new Set(secrets.values()).size, secrets.size);
});

test('each memory has a secret of its own', () => {
  const [a, b] = [new TicketKeys(), new TicketKeys()];
  assert.not.equal(a.secret(a.epoch), b.secret(b.epoch));
});

test.run();
