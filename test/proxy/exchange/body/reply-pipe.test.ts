import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { BodyStage, StageOut } from '../../../../src/policies/contract.js';
import { BytesSource, ReplyLink, ReplyPipe } from '../../../../src/proxy/exchange/body/reply-pipe.js';
import type { ReplyReceiver } from '../../../../src/proxy/exchange/body/types.js';

const OWNER = {
  failed: (cause: string) => {
    throw new Error(cause);
  },
  refused: (cause: string) => {
    throw new Error(cause);
  },
  abortFailed() {},
};
const PART = Buffer.from('part');

/** A pipe with a stage for each of `makers`, to a receiver with or without room. */
function pipeOf(room: { has: boolean }, ...makers: ((out: StageOut) => BodyStage)[]) {
  const resumed: string[] = [];
  const resumeSource = () => void resumed.push('source');
  const pipe = new ReplyPipe(new BytesSource(PART), resumeSource);
  const client: ReplyReceiver = { body: () => room.has, trailers() {} };
  for (const make of makers) {
    const link = new ReplyLink(client, pipe.resumeLast, OWNER);
    link.attach(make(link));
    pipe.add(link);
  }
  return { resumed, write: () => pipe.body(PART, 0, PART.length, false), drained: () => pipe.drained() };
}

const passing = (out: StageOut): BodyStage => ({
  write: (bytes) => out.write(bytes),
  end: () => out.end(),
  abort() {},
});

test('a stage that passes on what its output says is resumed when the output has room', () => {
  const room = { has: false };
  const { resumed, write, drained } = pipeOf(room, passing, passing);
  assert.is(write(), false);
  drained();
  assert.equal(resumed, ['source']);
});

test('a stage that is busy itself is not resumed by each event of its client', () => {
  const room = { has: true };
  let busy: StageOut | undefined;
  const working = (out: StageOut): BodyStage => ({
    write(bytes) {
      busy = out;
      out.write(bytes);
      return false;
    },
    end: () => out.end(),
    abort() {},
  });
  for (const makers of [[working], [passing, working]]) {
    const { resumed, write, drained } = pipeOf(room, ...makers);
    assert.is(write(), false);
    drained();
    drained();
    assert.equal(resumed, []);
    busy?.resume();
    assert.equal(resumed, ['source']);
  }
});

test('an output that was full once resumes a stage that wrote to it later', () => {
  const room = { has: false };
  let late: StageOut | undefined;
  const { resumed, write, drained } = pipeOf(room, (out) => {
    late = out;
    return { write: () => false, end: () => out.end(), abort() {} };
  });
  assert.is(write(), false);
  late?.write(PART);
  late?.write(Buffer.alloc(0));
  drained();
  assert.equal(resumed, ['source']);
});

test.run();
