/** Suites with a fault-injecting target and a data plane in front of it. */
import { suite, type Test } from 'uvu';
import { FaultTarget, Plane, specOf, TestTime } from './engine-kit.js';

export interface EngineContext {
  target: FaultTarget;
  plane: Plane;
  /** The clock of the plane's timeouts. */
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

/** A suite with a new target and plane for each test. `options`: further lines of the spec, as for specOf(). */
export function engineSuite(name: string, options?: SpecOptions): Test<EngineContext> {
  const test = suite<EngineContext>(name);
  test.before.each((context) => open(context, options));
  test.after.each(close);
  return test;
}

/** A suite whose tests share one target and plane, including open connections and other state. */
export function sharedEngineSuite(name: string, options?: SpecOptions): Test<EngineContext> {
  const test = suite<EngineContext>(name);
  test.before((context) => open(context, options));
  test.after(close);
  return test;
}
