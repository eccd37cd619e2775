/** Numbers within the bounds of a schema. */
import { type DataTable, field } from '../../policies/kits/openapi.js';

interface Bounds {
  readonly low: number | undefined;
  readonly high: number | undefined;
  readonly openLow: boolean;
  readonly openHigh: boolean;
}

/** An exclusive bound is a number in OpenAPI 3.1, and a flag beside the bound in 3.0. */
function boundsOf(schema: DataTable): Bounds {
  const number = (key: string): number | undefined => {
    const value = field(schema, key);
    return typeof value === 'number' && Number.isFinite(value) ? value : undefined;
  };
  const [low, high] = [number('minimum'), number('maximum')];
  const [above, under] = [number('exclusiveMinimum'), number('exclusiveMaximum')];
  const openLow = field(schema, 'exclusiveMinimum') === true || (above !== undefined && above >= (low ?? above));
  const openHigh = field(schema, 'exclusiveMaximum') === true || (under !== undefined && under <= (high ?? under));
  return { low: openLow ? (above ?? low) : low, high: openHigh ? (under ?? high) : high, openLow, openHigh };
}

/** A number that the schema allows, if its bounds allow any. */
export function numberFor(schema: DataTable, isInteger: boolean, random: number): number {
  const multiple = field(schema, 'multipleOf');
  const step = typeof multiple === 'number' && multiple > 0 ? multiple : isInteger ? 1 : 0;
  const { low, high, openLow, openHigh } = boundsOf(schema);
  const from = low ?? (high === undefined ? 1 : Math.min(high - 100, 1));
  const to = high ?? Math.max(from + 100, 100);
  if (step === 0) return between(from, to, openLow, openHigh, random);
  let first = Math.ceil(from / step);
  let last = Math.floor(to / step);
  if (openLow && first * step === from) first++;
  if (openHigh && last * step === to) last--;
  const count = last - first + 1;
  const chosen = count < 1 ? first : first + (random % Math.min(count, 1000));
  const value = chosen * step;
  // 3 * 0.1 is 0.30000000000000004.
  return Number(value.toPrecision(15));
}

function between(from: number, to: number, openLow: boolean, openHigh: boolean, random: number): number {
  const share = (1 + (random % 998)) / 1000;
  const value = from + (to - from) * share;
  const rounded = Math.round(value * 100) / 100;
  const fits = (openLow ? rounded > from : rounded >= from) && (openHigh ? rounded < to : rounded <= to);
  return fits ? rounded : value;
}
