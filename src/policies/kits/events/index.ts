/** Bodies of lines and of server-sent events: cut into units within bounds while they arrive, changed, and written again. */
export { EventSplitter, LineSplitter, UnitSplitter, withoutEnd } from './splitter.js';
export { eventText, readEvent, type SseEvent, type SseLine } from './sse.js';
export { type MadeUnit, UnitFault, UnitStage, type UnitStageOptions } from './stage.js';
export { Turns } from './turns.js';
