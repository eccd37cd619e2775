/** Streams of events: split into events within bounds while they arrive, and written again. */
export { NdjsonSplitter, ndjsonLine } from './ndjson.js';
export { type SseEvent, SseSplitter, sseText } from './sse.js';
