/** Serializes the head of replies that no policy can edit. */
import { STATUS_CODES } from 'node:http';
import type { ReplyEntry } from '../../bundle/types.js';
import { counted } from '../../plural.js';
import { type Pass, passStats } from '../ir.js';

/** Statuses that never have a body, RFC 9110 sections 15.3.5, 15.3.6 and 15.4.5. 205 has content-length 0. */
const WITHOUT_BODY = new Set([204, 304]);

export const foldReplies: Pass = (ir) => {
  let folded = 0;
  const routes = ir.routes.map((route) => {
    const { reply } = route.entry;
    if (reply === undefined || route.policies.length > 0) return route;
    folded++;
    return { ...route, entry: { ...route.entry, reply: foldReply(reply) } };
  });
  return {
    ir: folded === 0 ? ir : { ...ir, routes },
    stats: passStats('constant-replies', folded, `wrote out ${counted(folded, 'constant reply')}`),
  };
};

function foldReply(reply: ReplyEntry): ReplyEntry {
  const { body, headers, status } = reply;
  const lines = Object.entries(headers).map(([name, value]) => `${name.toLowerCase()}: ${value}\r\n`);
  if (!WITHOUT_BODY.has(status)) lines.push(`content-length: ${Buffer.byteLength(body)}\r\n`);
  const head = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n${lines.join('')}`;
  return { body, head, headers, status };
}
