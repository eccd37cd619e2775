/** reply at run time. */
import type { ActionInstance } from '../../policies/contract.js';
import { BytesReply, ConstantReply, HeaderMap, runAction } from '../../policies/run-kit.js';
import type { ReplySettings } from './schema.js';

/** The bytes of the body are created once. */
export const create = runAction<ReplySettings>(({ status, headers, body: text }, host): ActionInstance => {
  const body = Buffer.from(text);
  if (host.constantReplies) {
    const reply = new ConstantReply(status, { headers: new HeaderMap(headers), body });
    return { start: () => reply };
  }
  return { start: () => new BytesReply(status, { headers: new HeaderMap(headers), body }) };
});
