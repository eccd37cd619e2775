import type { JsonValue } from './number.js';

/** Sets a member of an object that is being made; also `__proto__`, where an assignment would set the prototype. */
export function putMember(table: { [key: string]: JsonValue }, key: string, value: JsonValue): void {
  if (key === '__proto__')
    Object.defineProperty(table, key, { value, enumerable: true, configurable: true, writable: true });
  else table[key] = value;
}
