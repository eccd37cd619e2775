/** A gateway with a cache, its origin, and a clock that the test sets. */
import { suite, type Test } from 'uvu';
import type { Program } from '../../../src/bundle/types.js';
import { type Arrived, FaultTarget, Plane, type RawReply, TestTime } from '../engine-kit.js';

/** What the origin answers. */
export interface Said {
  readonly status?: number;
  readonly fields?: { readonly [name: string]: string };
  readonly body?: string | Buffer;
}

export type Origin = (request: Arrived) => Said;

export interface CacheContext {
  bed: CacheBed;
}

export class CacheBed {
  readonly target: FaultTarget;
  readonly plane: Plane;
  /** Milliseconds since 1970. */
  now: number;
  /** What the origin answers next. */
  origin: Origin = () => ({ fields: { 'cache-control': 'max-age=60' }, body: 'hello' });
  readonly time: TestTime;

  private constructor(target: FaultTarget, plane: Plane, clock: { now: number }, time: TestTime) {
    this.target = target;
    this.plane = plane;
    this.time = time;
    this.now = clock.now;
    Object.defineProperty(this, 'now', {
      get: () => clock.now,
      set: (ms: number) => {
        clock.now = ms;
      },
    });
    target.respond = (request, socket) => socket.write(wire(this.origin(request), request.method === 'HEAD'));
  }

  /** `policies`: lines of the spec before the route; `route`: lines of the route. */
  static async open(policies = '[policy.c]\nuse = "cache"\n', route = 'policies = ["c"]\n'): Promise<CacheBed> {
    const target = await FaultTarget.start();
    const clock = { now: Date.UTC(2030, 0, 1) };
    const time = new TestTime();
    const plane = await Plane.start(specOf(target.url, policies, route), {
      monotonic: time.now,
      clock: { now: () => clock.now, monotonic: time.now },
    });
    return new CacheBed(target, plane, clock, time);
  }

  async load(policies: string, route = 'policies = ["c"]\n', edit?: (program: Program) => Program): Promise<void> {
    await this.plane.load(specOf(this.target.url, policies, route), edit);
  }

  /** Seconds pass. */
  pass(seconds: number): void {
    this.now += seconds * 1000;
  }

  /** Requests that the origin got. */
  get asked(): number {
    return this.target.arrived.length;
  }

  ask(path: string, fields: { readonly [name: string]: string } = {}, method = 'GET'): Promise<RawReply> {
    return this.plane.ask(requestText(path, fields, method), { head: method === 'HEAD' });
  }

  async close(): Promise<void> {
    await this.plane.close();
    await this.target.close();
  }
}

export const requestText = (path: string, fields: { readonly [name: string]: string } = {}, method = 'GET'): string =>
  `${method} ${path} HTTP/1.1\r\nHost: a.example\r\n${lines(fields)}\r\n`;

const lines = (fields: { readonly [name: string]: string }): string =>
  Object.entries(fields)
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join('');

/** A reply on the wire. */
export function wire({ status = 200, fields = {}, body = '' }: Said, head = false): Buffer {
  const bytes = Buffer.from(body);
  const length = status === 204 || status === 304 ? '' : `Content-Length: ${bytes.length}\r\n`;
  const start = Buffer.from(`HTTP/1.1 ${status} X\r\n${lines(fields)}${length}\r\n`, 'latin1');
  return head || status === 204 || status === 304 ? start : Buffer.concat([start, bytes]);
}

export const specOf = (url: string, policies: string, route: string): string => `
spec = 1
[listener.main]
address = "127.0.0.1:0"
[service.it]
targets = [${JSON.stringify(url)}]
${policies}
[[route]]
name = "all"
match = "/{rest...}"
to = "it"
${route}
`;

/** A suite with a new gateway for each test. */
export function cacheSuite(name: string, policies?: string, route?: string): Test<CacheContext> {
  const test = suite<CacheContext>(name);
  test.before.each(async (context) => {
    context.bed = await CacheBed.open(policies, route);
  });
  test.after.each(({ bed }) => bed.close());
  return test;
}

/** An HTTP date, `seconds` from a moment in milliseconds since 1970. */
export const dateAt = (ms: number, seconds = 0): string => new Date(ms + seconds * 1000).toUTCString();
