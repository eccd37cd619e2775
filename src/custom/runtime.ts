/**
 * What `require('gw/policy')` gives to the code of a bundle in the data plane: the run part of policy.ts. The declarations
 * of a module are evaluated there too, but the data plane has no schemas, so `s` does nothing.
 */
import { isToken } from '../field-syntax.js';
import * as fields from '../policies/run-kit/fields.js';
import * as queries from '../policies/run-kit/queries.js';
import {
  authProblem,
  BytesReply,
  ConstantReply,
  problem,
  problemType,
  statusText,
} from '../policies/run-kit/replies.js';
import { defineAction, definePolicy } from './define.js';

/** Every property of it, and every call, gives itself. */
const inert: object = new Proxy(() => {}, {
  get: (_target, key): unknown => (key === Symbol.toPrimitive ? () => '' : key === 'then' ? undefined : inert),
  apply: (): unknown => inert,
  construct: (): object => inert,
});

export const RUN_API: object = Object.freeze({
  ...fields,
  ...queries,
  authProblem,
  BytesReply,
  ConstantReply,
  defineAction,
  definePolicy,
  isFieldName: isToken,
  problem,
  problemType,
  Schema: inert,
  s: inert,
  statusText,
});
