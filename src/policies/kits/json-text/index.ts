/**
 * JSON whose numbers keep their digits: `readJsonText` and `writeJsonText`.
 *
 *     const read = readJsonText(bytes, { bytes: 1 << 20 });
 *     if (read.fault !== undefined) return problem(read.fault.detail);
 *     const text = writeJsonText(read.value);
 */

export { putMember } from './member.js';
export { isLongNumber, type JsonValue, LongNumber } from './number.js';
export {
  DEFAULT_JSON_LIMITS,
  type JsonTextFault,
  type JsonTextLimits,
  type JsonTextRead,
  readJsonText,
} from './read.js';
export { hasLongNumber, writeJsonText } from './write.js';
