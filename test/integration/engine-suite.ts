/** A suite whose every test has a target that misbehaves on request, and a data plane before it. */
import { suite, type Test } from 'uvu';
import { FaultTarget, Plane, specOf } from './engine-kit.js';

export interface EngineContext {
  target: FaultTarget;
  plane: Plane;
}

/** `options`: further lines of the spec, as specOf() takes them. */
export function engineSuite(name: string, options?: Parameters<typeof specOf>[1]): Test<EngineContext> {
  const test = suite<EngineContext>(name);
  test.before.each(async (context) => {
    context.target = await FaultTarget.start();
    context.plane = await Plane.start(specOf(context.target.url, options));
  });
  test.after.each(async ({ target, plane }) => {
    await plane.close();
    await target.close();
  });
  return test;
}
