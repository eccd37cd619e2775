/**
 * Imports for the run part of a policy or action: replies by gw, header fields, templates. At run time it imports only
 * built-in modules of Node and the syntax of fields, so that a data plane never loads a compiler.
 */
import type { CreateAction, CreatePolicy, Json } from './contract.js';

export * from './run-kit/body-fields.js';
export * from './run-kit/credentials.js';
export * from './run-kit/fields.js';
export * from './run-kit/grpc.js';
export * from './run-kit/layered-fields.js';
export * from './run-kit/lent-bytes.js';
export * from './run-kit/limit-keys.js';
export * from './run-kit/queries.js';
export * from './run-kit/rate-fields.js';
export * from './run-kit/replies.js';
export * from './run-kit/templates.js';

/** A run part with typed settings: those that compile() of the same policy returned. */
export const runPolicy =
  <Settings extends Json>(create: CreatePolicy<Settings>): CreatePolicy =>
  (settings, host) =>
    create(settings as Settings, host);

/** The same for an action. */
export const runAction =
  <Settings extends Json>(create: CreateAction<Settings>): CreateAction =>
  (settings, host) =>
    create(settings as Settings, host);
