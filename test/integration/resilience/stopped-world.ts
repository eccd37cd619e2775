/** A plane whose time passes only when a test says so, and two targets: for attempts that take long. */
import { suite } from 'uvu';
import { FaultTarget, Plane, specOf, TestTime } from '../engine-kit.js';

export interface StoppedWorld {
  first: FaultTarget;
  second: FaultTarget;
  plane: Plane;
  /** It stands still: what takes long, takes long because a test says so. */
  time: TestTime;
}

/** A suite in which all tests share one such world. */
export function stoppedSuite(name: string) {
  const test = suite<StoppedWorld>(name);
  test.before(async (world) => {
    world.first = await FaultTarget.start();
    world.second = await FaultTarget.start();
    world.time = new TestTime();
    world.plane = await Plane.start(specOf(world.first.url), { monotonic: world.time.now });
    world.time.stop();
  });
  test.after(async ({ plane, first, second }) => {
    await plane.close();
    await first.close();
    await second.close();
  });
  return test;
}

let services = 0;

/** Loads a service with a name of its own, so that it has no past: `service` is text for `[service.it]` and tables below it. */
export async function loadFresh(
  { plane, first, second }: StoppedWorld,
  targets: string | string[],
  more: { readonly service: string; readonly route?: string },
): Promise<void> {
  const name = `s${++services}`;
  for (const target of [first, second]) target.forget();
  const spec = specOf(targets, more);
  await plane.load(spec.replaceAll('service.it', `service.${name}`).replace('to = "it"', `to = "${name}"`));
}
