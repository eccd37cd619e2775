/**
 * gRPC under constant load loses no call while connections are replaced on both sides and the gateway is loaded anew: by GOAWAY of gw after
 * a number of requests, by GOAWAY of a server whose connections have a maximum age, and by loads that leave the service as it is.
 */
import { status } from '@grpc/grpc-js';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Plane, specOf } from '../integration/engine-kit.js';
import { GrpcClient } from '../support/grpc/client.js';
import { GrpcTarget } from '../support/grpc/target.js';
import { FrameRelay } from './support/frame-relay.js';

/** Milliseconds. */
const TAKES = 10_000;
const UNARY = 8;
const CHATS = 4;
const MESSAGES = 20;
/** What the client's library says of a call that it has not sent: begun when GOAWAY had come, and before the library had noticed. */
const UNSENT = 'Stream refused by server';

const yes = (): boolean => true;
const no = (): boolean => false;

test('no call is lost while connections and generations are replaced', async () => {
  const target = await GrpcTarget.start(undefined, {
    'grpc.max_connection_age_ms': 500,
    'grpc.max_connection_age_grace_ms': 5000,
  });
  const spec = (tag: number): string =>
    specOf(target.url, {
      listener: 'max_requests_per_connection = 50',
      service: 'protocol = "h2"\nretries = 0',
      more: `[[route]]\nname = "other"\nmatch = "/other/${tag}"\nreply = { status = 204 }`,
    });
  const plane = await Plane.start(spec(0));
  const relay = await FrameRelay.start(plane.port);
  const client = new GrpcClient(relay.port);
  const ends = Date.now() + TAKES;
  const counts = new Map<string, number>();
  let unsent = 0;
  const note = (kind: string, code: number, details: string): void => {
    if (code === status.UNAVAILABLE && details === UNSENT) {
      unsent++;
      return;
    }
    const key = code === status.OK ? kind : `${kind}: ${code} ${details}`;
    counts.set(key, (counts.get(key) ?? 0) + 1);
  };
  const unary = async (): Promise<void> => {
    while (Date.now() < ends) {
      const { code, details } = await client.unary({ payload: 'abc', sizes: [100] });
      note('unary', code, details);
    }
  };
  const chat = async (): Promise<void> => {
    while (Date.now() < ends) {
      const call = client.chat();
      for (let sent = 1; sent <= MESSAGES; sent++) {
        call.call.write({ sizes: [100] });
        if (!(await call.count(sent).then(yes, no))) break;
      }
      call.call.end();
      const { code, details } = await call.end;
      note('chat', code, details);
    }
  };
  const reload = async (): Promise<void> => {
    for (let tag = 1; Date.now() < ends; tag++) {
      await plane.load(spec(tag));
      await new Promise((resolve) => setTimeout(resolve, 300));
    }
  };
  try {
    const work = [...Array.from({ length: UNARY }, unary), ...Array.from({ length: CHATS }, chat), reload()];
    await Promise.all(work);
    const { beyond, opened, refused } = relay;
    console.log({ ...Object.fromEntries(counts), unsent, opened, beyond, refused });
    assert.equal([...counts.keys()].sort(), ['chat', 'unary']);
    assert.equal(
      plane.records.filter(({ grpc }) => grpc !== undefined && grpc !== 'OK'),
      [],
    );
    const ok = (counts.get('unary') ?? 0) + (counts.get('chat') ?? 0);
    assert.is(target.calls.length, ok);
    // Whatever the library says of the others: gw has refused none, and each call that it was sent has ended well.
    assert.equal({ refused, beyond, opened }, { refused: 0, beyond: 0, opened: ok });
    assert.equal(
      plane.logs.filter(({ level }) => level === 'warn' || level === 'error'),
      [],
    );
  } finally {
    client.close();
    relay.close();
    await plane.close();
    target.close();
  }
});

test.run();
