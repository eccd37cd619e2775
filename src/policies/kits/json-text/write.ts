/** Writes values of JSON; the digits of long numbers are written as they were read. */
import { isLongNumber, type JsonValue } from './number.js';

/** Compact JSON. Throws RangeError if the value is nested too deeply for the stack, as no value of `readJsonText` is. */
export function writeJsonText(value: JsonValue): string {
  return hasLongNumber(value) ? slowText(value) : JSON.stringify(value);
}

/** Whether a number in it is a LongNumber. */
export function hasLongNumber(value: JsonValue): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (isLongNumber(value)) return true;
  if (Array.isArray(value)) {
    for (const item of value) if (hasLongNumber(item as JsonValue)) return true;
    return false;
  }
  const table = value as { readonly [key: string]: JsonValue };
  for (const key in table) if (hasLongNumber(table[key]!)) return true;
  return false;
}

function slowText(value: JsonValue): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  if (isLongNumber(value)) return value.text;
  let text = '';
  if (Array.isArray(value)) {
    for (const item of value) text += (text === '' ? '' : ',') + slowText(item as JsonValue);
    return `[${text}]`;
  }
  const table = value as { readonly [key: string]: JsonValue };
  for (const key of Object.keys(table))
    text += `${text === '' ? '' : ','}${JSON.stringify(key)}:${slowText(table[key]!)}`;
  return `{${text}}`;
}
