import * as assert from 'uvu/assert';
import { type JsonValue, readJsonText, writeJsonText } from '../../../../src/policies/kits/json-text/index.js';
import {
  compileJsonata,
  JsonataFault,
  type JsonataHost,
  type JsonataLimits,
  JsonataProgram,
} from '../../../../src/policies/kits/jsonata/index.js';

/** Its time stands still, so only the steps end an evaluation. */
export const HOST: JsonataHost = { clock: { now: () => 1_700_000_000_000, monotonic: () => 0 }, random: () => 0.25 };

export function programOf(source: string, bindings?: readonly string[]): JsonataProgram {
  const program = compileJsonata(source, bindings === undefined ? {} : { bindings });
  if (!(program instanceof JsonataProgram)) throw new Error(`${source}: ${program.error}`);
  return program;
}

export function valueOfText(text: string): JsonValue {
  const { value, fault } = readJsonText(Buffer.from(text));
  if (fault !== undefined) throw new Error(fault.detail);
  return value;
}

interface Run {
  readonly input?: string;
  readonly bindings?: { readonly [name: string]: JsonValue };
  readonly limits?: Partial<JsonataLimits>;
  readonly host?: JsonataHost;
}

export const evaluate = (source: string, { input = 'null', bindings = {}, limits, host = HOST }: Run = {}) =>
  programOf(source).evaluate(valueOfText(input), bindings, host, limits);

/** The result as text; undefined if there is none. */
export async function textOf(source: string, run: Run = {}): Promise<string | undefined> {
  const result = await evaluate(source, run);
  return result === undefined ? undefined : writeJsonText(result);
}

export async function faultOf(source: string, run: Run = {}): Promise<JsonataFault> {
  try {
    await evaluate(source, run);
  } catch (error) {
    assert.instance(error, JsonataFault);
    return error as JsonataFault;
  }
  throw new Error(`no fault: ${source}`);
}
