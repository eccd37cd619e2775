/** The kit of duty parts, which run in the control thread. */
import type { CreateDuty, Json } from '../contract.js';

/** A duty part with typed settings: those that compile() of the same policy returned. */
export const defineDuty =
  <Settings extends Json>(create: CreateDuty<Settings>): CreateDuty =>
  (settings, host) =>
    create(settings as Settings, host);
