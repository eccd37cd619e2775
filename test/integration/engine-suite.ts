/** Suites whose tests have a target that misbehaves on request, and a data plane before it. */
import { suite, type Test } from 'uvu';
import { FaultTarget, Plane, specOf, TestTime } from './engine-kit.js';

export interface EngineContext {
  target: FaultTarget;
  plane: Plane;
  /** The plane's, for its timeouts. */
  time: TestTime;
}

type SpecOptions = Parameters<typeof specOf>[1];

async function open(context: EngineContext, options: SpecOptions): Promise<void> {
  context.target = await FaultTarget.start();
  context.time = new TestTime();
  context.plane = await Plane.start(specOf(context.target.url, options), { monotonic: context.time.now });
}

async function close({ target, plane }: EngineContext): Promise<void> {
  await plane.close();
  await target.close();
}

/** Each test has its own. `options`: further lines of the spec, as specOf() takes them. */
export function engineSuite(name: string, options?: SpecOptions): Test<EngineContext> {
  const test = suite<EngineContext>(name);
  test.before.each((context) => open(context, options));
  test.after.each(close);
  return test;
}

/** All tests have the same: connections, and what one of them left behind, are there for the next. */
export function sharedEngineSuite(name: string, options?: SpecOptions): Test<EngineContext> {
  const test = suite<EngineContext>(name);
  test.before((context) => open(context, options));
  test.after(close);
  return test;
}
