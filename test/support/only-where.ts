/** Tests that depend on the machine. `npm test` shows why a test was skipped. */
import type { Callback, Test } from 'uvu';

/** `test` itself where it is `possible`; elsewhere a test that is skipped. `why`: behind "skipped, since". */
export function onlyWhere<T>(possible: boolean, why: string, test: Test<T>): (name: string, run: Callback<T>) => void {
  if (possible) return test;
  console.log(`skipped, since ${why}`);
  return test.skip;
}
